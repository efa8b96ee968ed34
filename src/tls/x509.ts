/** What every file that writes X.509 shares; the only one that knows how the library is loaded. */
// The X.509 library needs the metadata API before it is loaded.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';
import { canonicalIp } from '../base/certificate.ts';
import type { RandomBytes } from './ticket-keys.ts';

export { x509 };

/** Both as PEM; the key as PKCS #8. */
export interface IssuedCertificate {
  readonly certificate: string;
  readonly key: string;
}

/** From when to when, in milliseconds since the epoch; X.509 keeps whole seconds. */
export interface Validity {
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Keys and signatures of everything that is made here. */
export const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** An entry of subjectAltName: a DNS name (wildcards too), or an IP literal in its one spelling. */
export function generalName(name: string): x509.JsonGeneralName {
  return isIP(name) === 0 ? { type: 'dns', value: name } : { type: 'ip', value: canonicalIp(name) ?? name };
}

/** Positive and never zero (RFC 5280 §4.1.2.2): the first byte is 0x40 to 0x7f. */
export function serialNumber(random: RandomBytes): string {
  const bytes = Buffer.from(random(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString('hex');
}

/** Writes both as PEM. */
export async function toIssued(
  certificate: x509.X509Certificate,
  privateKey: webcrypto.CryptoKey,
): Promise<IssuedCertificate> {
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', privateKey);
  return {
    certificate: `${certificate.toString('pem')}\n`,
    key: `${x509.PemConverter.encode(pkcs8, 'PRIVATE KEY')}\n`,
  };
}
