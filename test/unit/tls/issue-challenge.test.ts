/** The certificate of a TLS-ALPN-01 validation, read back by another library than the one that wrote it: Node's, and by its DER. */
import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { parseCertificate } from '../../../src/base/certificate.ts';
import { issueChallengeCertificate } from '../../../src/tls/issue-challenge.ts';

const NOW = Date.UTC(2026, 10, 28);
const KEY_AUTHORIZATION = 'evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA.thumbprint';

function issue(identifier: string) {
  return issueChallengeCertificate(identifier, KEY_AUTHORIZATION, NOW, randomBytes);
}

// A SEQUENCE of the OID 1.3.6.1.5.5.7.1.31, TRUE, and an OCTET STRING that holds an OCTET STRING of 32 bytes.
function acmeIdentifierDer(): string {
  const digest = createHash('sha256').update(KEY_AUTHORIZATION).digest('hex');
  return ['3031', '06082b0601050507011f', '0101ff', '0422', '0420', digest].join('');
}

describe('issueChallengeCertificate', () => {
  it.for([
    ['example.com', 'DNS:example.com'],
    ['xn--bcher-kva.example', 'DNS:xn--bcher-kva.example'],
    ['192.0.2.1', 'IP Address:192.0.2.1'],
    ['2001:db8::1', 'IP Address:2001:DB8:0:0:0:0:0:1'],
  ] as const)('%s is its only subjectAltName', async ([identifier, san]) => {
    const { certificate } = await issue(identifier);
    expect(new X509Certificate(certificate).subjectAltName).toBe(san);
  });

  it('has acmeIdentifier once, critical, with the SHA-256 of the key authorization, and no third extension', async () => {
    const der = new X509Certificate((await issue('example.com')).certificate).raw.toString('hex');
    expect(der.split(acmeIdentifierDer())).toHaveLength(2);
    expect(der.split('06082b0601050507011f')).toHaveLength(2);
    // Tag [3] and a SEQUENCE of just the two: 0x18 and 0x33 bytes.
    const san = ['3016', '0603551d11', '040f', '300d', '820b', Buffer.from('example.com').toString('hex')].join('');
    expect(der).toContain(`a34d304b${san}${acmeIdentifierDer()}`);
  });

  it('is signed by itself, valid now and for a few days, and with a P-256 key of its own', async () => {
    const { certificate, key } = await issue('example.com');
    const parsed = new X509Certificate(certificate);
    expect(parsed.issuer).toBe(parsed.subject);
    expect(parsed.verify(parsed.publicKey)).toBe(true);
    expect(parsed.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
    expect(parsed.validFromDate.getTime()).toBeLessThan(NOW);
    expect(parsed.validToDate.getTime()).toBeGreaterThan(NOW + 86_400_000);
    expect(parseCertificate(certificate, key, 'acme').names).toEqual(['example.com']);
    expect(() => createSecureContext({ cert: certificate, key })).not.toThrow();
    const again = await issue('example.com');
    expect(again.key).not.toBe(key);
    expect(new X509Certificate(again.certificate).serialNumber).not.toBe(parsed.serialNumber);
  });
});
