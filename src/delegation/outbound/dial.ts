/**
 * One TLS connection to one address, made as a peer makes it, and everything that was seen on the way. Certificates are
 * looked at after the handshake and not during it, because a doctor must be able to describe a bad one; whoever sends or
 * believes something asks {@link trustProblem} first.
 */
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { connect, createSecureContext, getCACertificates } from 'node:tls';
import type { SecureContext, SecureVersion, TLSSocket } from 'node:tls';
import { coversName, subjectAltNames } from '../../base/certificate.ts';
import { codeOf, messageOf, PorticoError } from '../../base/errors.ts';
import type { Clock } from '../../base/clock.ts';
import { refusePrivate } from './private-addresses.ts';

/** Where a target is really reached: tests and laboratories put a whole Internet on one loopback address. */
export type Reach = (address: string, port: number) => { readonly address: string; readonly port: number };

/** What every connection of one run has in common. */
export interface DialSetting {
  readonly clock: Clock;
  /** Whom to trust; see {@link createTrust}. */
  readonly trust: Trust;
  /** Connect to private and loopback addresses, too. */
  readonly allowPrivate: boolean;
  /** Milliseconds for connecting and handshake, and again for request and response. */
  readonly timeoutMs: number;
  readonly reach?: Reach;
  /** Called before each connection; throws when there may be no more. */
  readonly beforeDial?: () => void;
}

/** One connection. */
export interface DialTarget {
  /** IP literal without brackets. */
  readonly address: string;
  readonly port: number;
  /** SNI; null: none is sent. */
  readonly sni: string | null;
  /** ALPN protocols offered; default `http/1.1`. */
  readonly alpn?: readonly string[];
  /** Only this TLS version is offered. */
  readonly onlyVersion?: SecureVersion;
}

/** One certificate of the chain that was shown. */
export interface CertificateSeen {
  readonly subject: string;
  readonly issuer: string;
  /** SHA-256 of the DER, unpadded base64, as testers print it. */
  readonly sha256: string;
  /** DNS names and IP literals of the subjectAltName. */
  readonly names: readonly string[];
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  /** Milliseconds since the epoch. */
  readonly notAfter: number;
}

/** What a handshake showed. */
export interface TlsSeen {
  readonly version: string;
  readonly cipher: string;
  /** Chosen protocol; null: the server has no ALPN, or none in common. */
  readonly alpn: string | null;
  /** Leaf first. */
  readonly chain: readonly CertificateSeen[];
  /** OpenSSL's name of what is wrong with the chain, such as `CERT_HAS_EXPIRED`; null: it leads to a trusted root. */
  readonly chainProblem: string | null;
  /** Milliseconds from the first packet to the end of the handshake. */
  readonly ms: number;
}

/** An open connection; the caller ends it. */
export interface Dialled {
  readonly socket: TLSSocket;
  readonly seen: TlsSeen;
}

/** A bound on what is taken down of a chain; TLS itself bounds its bytes. */
const MAX_CHAIN = 10;

/** Whom to trust, ready for OpenSSL. */
export interface Trust {
  /** @param onlyVersion - the one TLS version to offer; absent: all that are safe */
  context(onlyVersion?: SecureVersion): SecureContext;
}

/** Trust in the usual roots, and in one more CA when its PEM is given. Throws when that is no certificate. */
export function createTrust(caPem: string | null): Trust {
  const make = (versions: { minVersion?: SecureVersion; maxVersion?: SecureVersion }): SecureContext =>
    createSecureContext({ ...versions, ...(caPem === null ? {} : { ca: [...getCACertificates('default'), caPem] }) });
  const usual = make({});
  // Versions are a matter of the context: beside a ready one, tls.connect() does not look at them.
  const byVersion = new Map<SecureVersion, SecureContext>();
  return {
    context: (onlyVersion) => {
      if (onlyVersion === undefined) return usual;
      const context = byVersion.get(onlyVersion) ?? make({ minVersion: onlyVersion, maxVersion: onlyVersion });
      byVersion.set(onlyVersion, context);
      return context;
    },
  };
}

/**
 * Connects and makes the handshake.
 * @throws PorticoError `TARGET_PRIVATE`, `DIAL_TIMEOUT`, `DIAL_FAILED` (no connection), `TLS_FAILED` (a connection, but no
 * handshake)
 */
export async function dial(target: DialTarget, setting: DialSetting, signal?: AbortSignal): Promise<Dialled> {
  const { address, port } = setting.reach?.(target.address, target.port) ?? target;
  if (isIP(address) === 0) throw new TypeError(`not an address: ${address}`);
  refusePrivate(address, setting.allowPrivate);
  setting.beforeDial?.();
  const started = setting.clock.monotonic();
  const where = `${target.address} port ${String(target.port)}`;

  return new Promise((resolve, reject) => {
    let connected = false;
    const socket = connect({
      host: address,
      port,
      secureContext: setting.trust.context(target.onlyVersion),
      rejectUnauthorized: false,
      ...(target.sni === null ? {} : { servername: target.sni }),
      ALPNProtocols: [...(target.alpn ?? ['http/1.1'])],
      checkServerIdentity: () => undefined,
    });
    const finish = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    };
    const fail = (error: PorticoError): void => {
      finish();
      reject(error);
      socket.destroy();
    };
    const abort = (): void =>
      fail(new PorticoError('DIAL_TIMEOUT', `${where}: given up, the time for everything together is over.`));
    const timer = setTimeout(() => {
      const what = connected ? 'the TLS handshake was not finished' : 'no connection';
      fail(
        new PorticoError('DIAL_TIMEOUT', `${where}: ${what} within ${String(setting.timeoutMs)} ms.`, {
          fix: 'Open the port in the firewall, and make sure that the server listens on this address.',
        }),
      );
    }, setting.timeoutMs);
    // Stays for the life of the socket: an error after the handshake is the reader's to notice, by the close that follows.
    socket.on('error', (error: Error) => {
      fail(connected ? tlsFailed(where, error) : dialFailed(where, error));
    });
    socket.on('close', () => fail(tlsFailed(where, new Error('closed before the handshake was done'))));
    socket.on('connect', () => (connected = true));
    socket.once('secureConnect', () => {
      // An exception in an event handler would end the process; a certificate we cannot read is the other side's doing.
      try {
        const seen = look(socket, setting.clock.monotonic() - started);
        finish();
        resolve({ socket, seen });
      } catch (error) {
        fail(tlsFailed(where, error instanceof Error ? error : new Error(messageOf(error))));
      }
    });
    if (signal?.aborted === true) abort();
    else signal?.addEventListener('abort', abort, { once: true });
  });
}

/**
 * Why a peer would not believe this connection.
 * @param certificateName - DNS name, or IP literal without brackets
 * @returns null when it would
 */
export function trustProblem(seen: TlsSeen, certificateName: string): string | null {
  if (seen.chainProblem !== null) return `the certificate is not trusted (${seen.chainProblem})`;
  const names = seen.chain[0]?.names ?? [];
  if (coversName(names, certificateName)) return null;
  return `the certificate is for ${names.slice(0, 5).join(', ') || 'no name'}, not for ${certificateName}`;
}

function look(socket: TLSSocket, ms: number): TlsSeen {
  const error = socket.authorizationError as Error | string | null | undefined;
  const problem = error instanceof Error ? codeOf(error) : error;
  return {
    version: socket.getProtocol() ?? 'unknown',
    cipher: socket.getCipher().standardName,
    alpn: socket.alpnProtocol === false ? null : socket.alpnProtocol,
    chain: chainOf(socket),
    chainProblem: socket.authorized ? null : (problem ?? 'UNKNOWN'),
    ms: Math.round(ms),
  };
}

function chainOf(socket: TLSSocket): CertificateSeen[] {
  const chain: CertificateSeen[] = [];
  let certificate: ReturnType<TLSSocket['getPeerCertificate']> | undefined = socket.getPeerCertificate(true);
  const seen = new Set<string>();
  // A root issues itself, which ends the walk. Where no certificate was shown, the object is empty.
  while (certificate !== undefined && 'raw' in certificate && chain.length < MAX_CHAIN) {
    const parsed = new X509Certificate(certificate.raw);
    if (seen.has(parsed.fingerprint256)) break;
    seen.add(parsed.fingerprint256);
    chain.push(describe(parsed));
    certificate = (certificate as { issuerCertificate?: ReturnType<TLSSocket['getPeerCertificate']> })
      .issuerCertificate;
  }
  return chain;
}

function describe(certificate: X509Certificate): CertificateSeen {
  return {
    subject: commonName(certificate.subject),
    issuer: commonName(certificate.issuer),
    sha256: Buffer.from(certificate.fingerprint256.replaceAll(':', ''), 'hex').toString('base64').replace(/=+$/, ''),
    names: subjectAltNames(certificate.subjectAltName ?? ''),
    notBefore: certificate.validFromDate.getTime(),
    notAfter: certificate.validToDate.getTime(),
  };
}

/** `CN` of a subject with one attribute a line; the whole when it has none. */
function commonName(text: string | undefined): string {
  const lines = (text ?? '').split('\n');
  return lines.find((line) => line.startsWith('CN='))?.slice(3) ?? lines.join(', ');
}

function dialFailed(where: string, cause: Error): PorticoError {
  return new PorticoError(
    'DIAL_FAILED',
    `${where}: ${codeOf(cause) === 'UNKNOWN' ? messageOf(cause) : codeOf(cause)}.`,
    {
      fix: 'Make sure that the server listens on this address and port, and that no firewall stands between.',
      cause,
    },
  );
}

function tlsFailed(where: string, cause: Error): PorticoError {
  return new PorticoError('TLS_FAILED', `${where}: no TLS handshake: ${firstLine(messageOf(cause))}.`, {
    fix: 'Make sure that the port speaks TLS and has a certificate for this name.',
    cause,
  });
}

/** OpenSSL's messages go on with file names and numbers; the reason stands behind the last colon but two. */
function firstLine(message: string): string {
  const text = message.split('\n')[0] ?? '';
  const reason = /^[0-9A-F]+:error:[0-9A-F]+:[^:]*:[^:]*:([^:]*):/.exec(text)?.[1];
  return (reason ?? text).slice(0, 120);
}
