/**
 * Certificates as plain data, and the questions that can be asked of them without any I/O: does the key belong to it, is the
 * chain in order, is it valid now, does it cover this name.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import { messageOf, PorticoError } from './errors.ts';
import { isDnsName } from './server-name.ts';

/** A certificate as plain data: it goes into the snapshot and can cross a process boundary. */
export interface CertificateData {
  /** SHA-256 of the leaf's DER, lower-case hex; names the certificate in logs, caches and metrics. */
  readonly id: string;
  /** Names the leaf is valid for: DNS names in lower case (`*.example.com` for a wildcard) and IP literals. */
  readonly names: readonly string[];
  /** Leaf first, then the intermediates; PEM. */
  readonly chain: string;
  /** Private key, PEM (PKCS #8 or SEC 1). Never logged. */
  readonly key: string;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  /** Milliseconds since the epoch. */
  readonly notAfter: number;
  /** Where it came from. */
  readonly source: 'files' | 'local_ca' | 'acme';
}

/** Real chains have 2 to 4 certificates and some 8 kB; a file far beyond that is a bundle or a mistake. */
const MAX_CHAIN_CERTIFICATES = 10;
const MAX_PEM_CHARACTERS = 256 * 1024;
const MIN_RSA_BITS = 2048;
/** Object identifiers of extended key usages, RFC 5280 §4.2.1.12. */
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const ANY_PURPOSE = '2.5.29.37.0';

/**
 * Reads a chain and its key and checks that they can serve together. Dates are not checked: see {@link validityProblem}.
 *
 * @param chainPem - leaf first, each following certificate having issued the one before; text around the PEM blocks is ignored
 * @param keyPem - PKCS #8, SEC 1 or PKCS #1, not encrypted
 * @returns the names of the subjectAltName only (the common name is ignored, RFC 9525 §6.3), both PEMs written canonically
 * @throws PorticoError `CERT_UNPARSABLE`, `CERT_KEY_UNPARSABLE`, `CERT_KEY_UNSUPPORTED` (RSA below 2048 bits, or a kind TLS
 * cannot sign with), `CERT_KEY_MISMATCH`, `CERT_CHAIN_ORDER` (not leaf first, or a link that does not verify),
 * `CERT_NOT_FOR_SERVERS` (extended key usage without serverAuth)
 */
export function parseCertificate(chainPem: string, keyPem: string, source: CertificateData['source']): CertificateData {
  const chain = parseChain(chainPem);
  const leaf = chain[0];
  const key = parseKey(keyPem);
  checkKeyBelongs(leaf, chain, key);
  checkLinks(chain);
  checkPurpose(leaf);
  return {
    id: leaf.fingerprint256.replaceAll(':', '').toLowerCase(),
    names: subjectAltNames(leaf.subjectAltName ?? ''),
    chain: chain.map((certificate) => certificate.toString()).join(''),
    key: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    notBefore: leaf.validFromDate.getTime(),
    notAfter: leaf.validToDate.getTime(),
    source,
  };
}

/**
 * Says whether a certificate is outside its dates.
 * @param now - milliseconds since the epoch
 * @returns null inside the dates, both ends included (RFC 5280 §4.1.2.5)
 */
export function validityProblem(
  certificate: Pick<CertificateData, 'notBefore' | 'notAfter'>,
  now: number,
): null | 'expired' | 'not_yet_valid' {
  if (now < certificate.notBefore) return 'not_yet_valid';
  return now > certificate.notAfter ? 'expired' : null;
}

/**
 * Says whether a peer that connects for `name` would accept a certificate with these names: the same DNS name, a wildcard
 * in place of exactly its first label, or the same IP address (RFC 9525 §6.3 to §6.5). A wildcard never covers an address.
 * @param names - as in {@link CertificateData.names}
 * @param name - DNS name without trailing dot, or IP literal with or without brackets; case does not matter
 */
export function coversName(names: readonly string[], name: string): boolean {
  const bare = name.startsWith('[') && name.endsWith(']') ? name.slice(1, -1) : name;
  const address = canonicalIp(bare);
  if (address !== null) return names.some((candidate) => canonicalIp(candidate) === address);
  const wanted = bare.toLowerCase();
  return names.includes(wanted) || names.includes(wildcardOf(wanted));
}

/** The wildcard name that covers `name`: `a.example.com` → `*.example.com`; a single label has none and gives `*.`. */
export function wildcardOf(name: string): string {
  const dot = name.indexOf('.');
  return dot === -1 ? '*.' : `*${name.slice(dot)}`;
}

/**
 * One spelling for each address: `2001:DB8:0:0:0:0:0:1` → `2001:db8::1`.
 * @returns null when the text is no IPv4 or IPv6 literal (zones and brackets are not part of one)
 */
export function canonicalIp(text: string): string | null {
  if (isIPv4(text)) return text;
  if (!isIPv6(text) || text.includes('%')) return null;
  return new SocketAddress({ address: text, family: 'ipv6' }).address;
}

type Chain = [X509Certificate, ...X509Certificate[]];

function parseChain(pem: string): Chain {
  if (pem.length > MAX_PEM_CHARACTERS) {
    throw unparsable(`it is larger than ${String(MAX_PEM_CHARACTERS)} characters`);
  }
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length > MAX_CHAIN_CERTIFICATES) {
    throw unparsable(`it holds ${String(blocks.length)} certificates, which is a bundle and not a chain`);
  }
  if (pem.split('-----BEGIN CERTIFICATE-----').length - 1 !== blocks.length) {
    throw unparsable('a certificate in it is cut off');
  }
  const [first, ...rest] = blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch (cause) {
      throw unparsable(`certificate ${String(index + 1)} in it is damaged`, cause);
    }
  });
  if (first === undefined) throw unparsable('it holds no "BEGIN CERTIFICATE" block');
  return [first, ...rest];
}

function unparsable(why: string, cause?: unknown): PorticoError {
  return new PorticoError('CERT_UNPARSABLE', `The certificate chain cannot be read: ${why}.`, {
    fix: 'Give the full chain in PEM, leaf first (the file that ACME clients call fullchain.pem).',
    cause,
  });
}

function parseKey(pem: string): KeyObject {
  // OpenSSL would ask for a passphrase on the terminal, so an encrypted key must not reach it.
  if (/BEGIN ENCRYPTED PRIVATE KEY|Proc-Type: 4,ENCRYPTED/.test(pem)) {
    throw new PorticoError('CERT_KEY_UNPARSABLE', 'The private key is encrypted with a passphrase.', {
      fix: 'Write it without one: openssl pkey -in key.pem -out plain.pem',
    });
  }
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (cause) {
    throw new PorticoError('CERT_KEY_UNPARSABLE', `The private key cannot be read: ${messageOf(cause)}.`, {
      fix: 'Give the private key in PEM (PKCS #8, SEC 1 or PKCS #1).',
      cause,
    });
  }
  const kind = key.asymmetricKeyType ?? 'unknown';
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  const supported = kind === 'rsa' ? bits >= MIN_RSA_BITS : kind === 'ec' || kind === 'ed25519';
  if (supported) return key;
  const what = kind === 'rsa' ? `RSA with ${String(bits)} bits` : `of kind ${kind}`;
  throw new PorticoError('CERT_KEY_UNSUPPORTED', `The private key is ${what}, which TLS peers do not accept.`, {
    fix: 'Use ECDSA P-256, ECDSA P-384 or RSA with 2048 bits or more.',
  });
}

function checkKeyBelongs(leaf: X509Certificate, chain: Chain, key: KeyObject): void {
  if (leaf.checkPrivateKey(key)) return;
  const place = chain.findIndex((certificate) => certificate.checkPrivateKey(key));
  if (place !== -1) {
    throw chainOrder(`the certificate of the key is number ${String(place + 1)}, not the first`);
  }
  throw new PorticoError(
    'CERT_KEY_MISMATCH',
    'The private key does not belong to the first certificate of the chain.',
    { fix: 'Give the key that the certificate was requested with; the two files may be from different renewals.' },
  );
}

function checkLinks(chain: Chain): void {
  let subject = chain[0];
  for (const [index, issuer] of chain.slice(1).entries()) {
    if (!subject.checkIssued(issuer) || !subject.verify(issuer.publicKey)) {
      throw chainOrder(`certificate ${String(index + 2)} did not issue certificate ${String(index + 1)}`);
    }
    subject = issuer;
  }
}

function checkPurpose(leaf: X509Certificate): void {
  // Typed as string[], but undefined when the extension is absent, which means any purpose (RFC 5280 §4.2.1.12).
  const purposes = leaf.keyUsage as string[] | undefined;
  if (purposes === undefined || purposes.includes(SERVER_AUTH) || purposes.includes(ANY_PURPOSE)) return;
  throw new PorticoError('CERT_NOT_FOR_SERVERS', 'The certificate is not for TLS servers (no serverAuth).', {
    fix: 'Request it again with the extended key usage serverAuth.',
  });
}

function chainOrder(why: string): PorticoError {
  return new PorticoError('CERT_CHAIN_ORDER', `The certificate chain is out of order: ${why}.`, {
    fix: 'Put the leaf first, then each issuer after the certificate it issued, and nothing else.',
  });
}

/**
 * Reads Node's text form of a subjectAltName. A value with special characters is quoted as JSON, so `, DNS:` inside a
 * value cannot pass for a name of its own (CVE-2021-44532). Whatever is no DNS name or address is left out.
 */
export function subjectAltNames(subjectAltName: string): string[] {
  const names = new Set<string>();
  const entry = /([^:,"]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/y;
  for (let match = entry.exec(subjectAltName); match?.[1] !== undefined; match = entry.exec(subjectAltName)) {
    const value = match[2] ?? '';
    if (match[1] === 'DNS') {
      const name = value.toLowerCase();
      if (isDnsName(name.startsWith('*.') ? name.slice(2) : name)) names.add(name);
    } else if (match[1] === 'IP Address') {
      const address = canonicalIp(value);
      if (address !== null) names.add(address);
    }
    if (entry.lastIndex >= subjectAltName.length) break;
  }
  return [...names];
}
