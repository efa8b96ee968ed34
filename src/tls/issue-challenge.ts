/** Makes the certificate that answers a TLS-ALPN-01 validation (RFC 8737 §3); like issue.ts it keeps nothing. */
import { createHash, webcrypto } from 'node:crypto';
import type { RandomBytes } from './ticket-keys.ts';
import { generalName, P256, serialNumber, toIssued, x509 } from './x509.ts';
import type { IssuedCertificate } from './x509.ts';

/** id-pe-acmeIdentifier, RFC 8737 §6.1. */
const ACME_IDENTIFIER = '1.3.6.1.5.5.7.1.31';
const OCTET_STRING = 0x04;
/** Validators do not look at the dates, but nothing that was made for one moment should be valid for long. */
const HOUR_MS = 60 * 60 * 1000;
const LIFETIME_MS = 7 * 24 * HOUR_MS;

/**
 * Makes a self-signed certificate with a fresh ECDSA P-256 key: subjectAltName is exactly the identifier, and the critical
 * extension acmeIdentifier is the SHA-256 of the key authorization. No other extension, as validators allow none.
 * @param identifier - a DNS name without `*.`, or an IP literal (RFC 8738 §6)
 * @param keyAuthorization - RFC 8555 §8.1
 * @param now - milliseconds since the epoch
 */
export async function issueChallengeCertificate(
  identifier: string,
  keyAuthorization: string,
  now: number,
  random: RandomBytes,
): Promise<IssuedCertificate> {
  const keys = await webcrypto.subtle.generateKey(P256, true, ['sign', 'verify']);
  const digest = createHash('sha256').update(keyAuthorization).digest();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serialNumber(random),
      // Not empty, or subjectAltName would have to be critical (RFC 5280 §4.2.1.6), which validators need not expect.
      name: new x509.Name([{ CN: [{ utf8String: 'ACME challenge' }] }]),
      notBefore: new Date(now - HOUR_MS),
      notAfter: new Date(now - HOUR_MS + LIFETIME_MS),
      signingAlgorithm: P256,
      keys,
      extensions: [
        new x509.SubjectAlternativeNameExtension([generalName(identifier)]),
        new x509.Extension(ACME_IDENTIFIER, true, Buffer.concat([Buffer.from([OCTET_STRING, digest.length]), digest])),
      ],
    },
    webcrypto,
  );
  return toIssued(certificate, keys.privateKey);
}
