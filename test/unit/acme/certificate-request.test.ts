import 'reflect-metadata';
import { createPrivateKey, webcrypto } from 'node:crypto';
import { Pkcs10CertificateRequest } from '@peculiar/x509';
import type { SubjectAlternativeNameExtension } from '@peculiar/x509';
import { describe, expect, it } from 'vitest';
import { createCertificateKey, createCertificateRequest } from '../../../src/acme/certificate-request.ts';

describe('a certificate request', () => {
  it.each(['ecdsa-p256', 'ecdsa-p384', 'rsa-2048'] as const)('is signed by a key of kind %s', async (type) => {
    const key = await createCertificateKey(type);
    const { asymmetricKeyType, asymmetricKeyDetails } = createPrivateKey(key);
    const kind = { 'ecdsa-p256': 'prime256v1', 'ecdsa-p384': 'secp384r1', 'rsa-2048': 2048 }[type];
    expect(asymmetricKeyDetails?.namedCurve ?? asymmetricKeyDetails?.modulusLength).toBe(kind);
    expect(asymmetricKeyType).toBe(type.startsWith('rsa') ? 'rsa' : 'ec');
    const request = new Pkcs10CertificateRequest(await createCertificateRequest(['example.com'], key));
    expect(await request.verify(webcrypto)).toBe(true);
  });

  it('has its names in the subjectAltName only, also those longer than a common name may be', async () => {
    const long = `${'a'.repeat(60)}.${'b'.repeat(60)}.example.com`;
    const names = [long, '*.example.com', '192.0.2.1', '2001:db8::1'];
    const pem = await createCertificateRequest(names, await createCertificateKey('ecdsa-p256'));
    const request = new Pkcs10CertificateRequest(pem);
    expect(request.subject).toBe('');
    const extension = request.getExtension('2.5.29.17') as SubjectAlternativeNameExtension | null;
    expect(extension?.names.items.map(({ type, value }) => [type, value])).toEqual([
      ['dns', long],
      ['dns', '*.example.com'],
      ['ip', '192.0.2.1'],
      ['ip', '2001:db8::1'],
    ]);
  });

  it('has a new key each time', async () => {
    expect(await createCertificateKey('ecdsa-p256')).not.toBe(await createCertificateKey('ecdsa-p256'));
  });
});
