/**
 * After new certificates have been swapped in, Portico connects to its own TLS ports as a peer would and compares what is
 * served with what should be: "the API said ok, the old certificate is still served" must not be found by the peers.
 */
import { X509Certificate } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from 'node:tls';
import { isIpLiteral } from './base/address.ts';
import type { CertificateData } from './base/certificate.ts';
import { codeOf, messageOf, PorticoError } from './base/errors.ts';
import type { BoundListener } from './proxy/listeners.ts';
import type { CertificateIndex } from './tls/select.ts';

/** One connection to make. */
export interface SelfDialTarget {
  readonly host: string;
  readonly port: number;
  /** SNI; null: none is sent, for a certificate that answers for an address. */
  readonly servername: string | null;
  /** `CertificateData.id` of what should be served. */
  readonly expected: string;
}

/** What one connection showed. */
export interface SelfDialResult {
  readonly target: SelfDialTarget;
  /** `failed`: no certificate was seen, so nothing is known. */
  readonly outcome: 'match' | 'mismatch' | 'failed';
  /** `SELF_DIAL_MISMATCH` or `SELF_DIAL_FAILED`; null on a match. */
  readonly problem: PorticoError | null;
}

/** How it is done; tests hand in their own. */
export interface SelfDialOptions {
  /**
   * Connects and tells the fingerprint (lower-case hex of SHA-256) of the leaf that was served.
   * @throws anything when there was none
   */
  readonly dial: (target: SelfDialTarget, signal: AbortSignal) => Promise<string>;
  /** Hears of each connection. */
  readonly report: (result: SelfDialResult) => void;
  /** Ends it early, without a report. */
  readonly signal: AbortSignal;
  /** At once; default 2. */
  readonly concurrency?: number;
  /** For each connection, ms; default 10 s. */
  readonly timeoutMs?: number;
  /** Between two connections, ms, so that many new certificates take no more than a little of the CPU; default 20. */
  readonly pauseMs?: number;
}

/** The first label that stands for a wildcard; nobody has a certificate for it by name. */
const WILDCARD_LABEL = 'portico-self-dial';

/**
 * The connections that show whether these certificates are served: each name on each TLS listener. Names for which another
 * certificate is preferred are left out, and so are addresses, unless theirs is what clients without SNI get.
 * @param index - of the snapshot that was swapped in
 */
export function selfDialTargets(
  changed: readonly CertificateData[],
  index: CertificateIndex,
  listeners: readonly BoundListener[],
): SelfDialTarget[] {
  const servernames = changed.flatMap(({ id, names }) =>
    names.flatMap((name): Pick<SelfDialTarget, 'servername' | 'expected'>[] => {
      if (isIpLiteral(name)) return index.default?.id === id ? [{ servername: null, expected: id }] : [];
      const servername = name.startsWith('*.') ? `${WILDCARD_LABEL}${name.slice(1)}` : name;
      return index.forServername(servername)?.id === id ? [{ servername, expected: id }] : [];
    }),
  );
  const ports = listeners.filter(({ role }) => role !== 'http');
  return servernames.flatMap((wanted) =>
    ports.map(({ host, port }) => ({ ...wanted, host: reachableHost(host), port })),
  );
}

/** Makes the connections; resolves when all are made, or soon after the signal. Never rejects. */
export async function selfDial(targets: readonly SelfDialTarget[], options: SelfDialOptions): Promise<void> {
  const { signal, concurrency = 2, pauseMs = 20 } = options;
  const queue = targets.values();
  const work = async (): Promise<void> => {
    // All workers take from one iterator.
    for (const target of queue) {
      if (signal.aborted) return;
      const result = await look(target, options);
      if (isAborted(signal)) return;
      options.report(result);
      await delay(pauseMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
}

async function look(target: SelfDialTarget, options: SelfDialOptions): Promise<SelfDialResult> {
  const { dial, signal, timeoutMs = 10_000 } = options;
  try {
    const seen = await dial(target, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
    if (seen === target.expected) return { target, outcome: 'match', problem: null };
    return { target, outcome: 'mismatch', problem: mismatch(target, seen) };
  } catch (cause) {
    return { target, outcome: 'failed', problem: failed(target, cause) };
  }
}

/** Read anew after an await, across which the compiler takes a property for unchanged. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

/** Connects to the target over TLS; who signed the certificate does not matter here. */
export function dialForLeaf(target: SelfDialTarget, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const { host, port, servername } = target;
    const socket = connect({ host, port, servername: servername ?? '', rejectUnauthorized: false });
    const onAbort = (): void => {
      socket.destroy(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
    };
    socket.on('error', reject);
    socket.once('secureConnect', () => {
      // Typed as always there; an anonymous suite, which we never offer, would have none.
      const raw = socket.getPeerX509Certificate()?.raw;
      if (raw === undefined) reject(new Error('no certificate was served'));
      else resolve(new X509Certificate(raw).fingerprint256.replaceAll(':', '').toLowerCase());
      socket.destroy();
    });
    socket.once('close', () => {
      signal.removeEventListener('abort', onAbort);
      reject(new Error('the connection was closed during the handshake'));
    });
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}

/** A wildcard address is where to listen, not where to connect. */
function reachableHost(host: string): string {
  if (host === '' || host === '::') return '::1';
  return host === '0.0.0.0' ? '127.0.0.1' : host;
}

function mismatch(target: SelfDialTarget, seen: string): PorticoError {
  return new PorticoError(
    'SELF_DIAL_MISMATCH',
    `${where(target)} serves the certificate ${seen.slice(0, 16)}… and not the new one, ${target.expected.slice(0, 16)}….`,
    {
      fix: 'Look for another program on that port ("ss -ltnp"); if there is none, restart Portico and report this.',
    },
  );
}

function failed(target: SelfDialTarget, cause: unknown): PorticoError {
  return new PorticoError(
    'SELF_DIAL_FAILED',
    `${where(target)} could not be looked at: ${codeOf(cause) === 'UNKNOWN' ? messageOf(cause) : codeOf(cause)}.`,
    {
      fix: 'If peers are served, a local firewall keeps Portico from its own port, or it was too busy; else see the log.',
      cause,
    },
  );
}

function where({ host, port, servername }: SelfDialTarget): string {
  const address = `${isIPv6(host) ? `[${host}]` : host}:${String(port)}`;
  return servername === null ? `${address} without SNI` : `${address} for ${servername}`;
}
