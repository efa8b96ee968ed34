/** Makes CA and leaf certificates. It keeps nothing and decides nothing. */
import { createHash, webcrypto } from 'node:crypto';
import type { RandomBytes } from './ticket-keys.ts';
import { generalName, P256, serialNumber, toIssued, x509 } from './x509.ts';
import type { IssuedCertificate, Validity } from './x509.ts';

export type { IssuedCertificate, Validity };

/**
 * Makes a self-signed CA with an ECDSA P-256 key. Its subject is the common name and a part of the key's fingerprint, so
 * that two CAs of one name can be trusted side by side.
 */
export async function issueCa(commonName: string, validity: Validity, random: RandomBytes): Promise<IssuedCertificate> {
  const keys = await webcrypto.subtle.generateKey(P256, true, ['sign', 'verify']);
  const spki = Buffer.from(await webcrypto.subtle.exportKey('spki', keys.publicKey));
  const tag = createHash('sha256').update(spki).digest('hex').slice(0, 8);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serialNumber(random),
      name: new x509.Name([{ CN: [{ utf8String: `${commonName} ${tag}` }] }]),
      notBefore: new Date(validity.notBefore),
      notAfter: new Date(validity.notAfter),
      signingAlgorithm: P256,
      keys,
      extensions: [
        // No CA below this one.
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return toIssued(certificate, keys.privateKey);
}

/**
 * Makes a server certificate with an ECDSA P-256 key of its own.
 * @param names - DNS names, wildcards too, and IP literals; they go into the subjectAltName, the subject stays empty
 */
export async function issueLeaf(
  ca: IssuedCertificate,
  names: readonly string[],
  validity: Validity,
  random: RandomBytes,
): Promise<IssuedCertificate> {
  const issuer = new x509.X509Certificate(ca.certificate);
  const signingKey = await webcrypto.subtle.importKey('pkcs8', x509.PemConverter.decodeFirst(ca.key), P256, false, [
    'sign',
  ]);
  const keys = await webcrypto.subtle.generateKey(P256, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: serialNumber(random),
      subject: '',
      issuer: issuer.subjectName,
      notBefore: new Date(validity.notBefore),
      notAfter: new Date(validity.notAfter),
      signingAlgorithm: P256,
      publicKey: keys.publicKey,
      signingKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        // Critical, because the subject is empty: RFC 5280 §4.2.1.6.
        new x509.SubjectAlternativeNameExtension(names.map(generalName), true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
        await x509.AuthorityKeyIdentifierExtension.create(issuer, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return toIssued(certificate, keys.privateKey);
}
