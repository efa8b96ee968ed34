import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseCertificate } from '../../../src/base/certificate.ts';
import type { CertificateData } from '../../../src/base/certificate.ts';
import { PorticoError } from '../../../src/base/errors.ts';
import { SecureContexts } from '../../../src/tls/contexts.ts';
import { issueCa, issueLeaf } from '../../../src/tls/issue.ts';

const VALIDITY = { notBefore: Date.UTC(2026, 0, 1), notAfter: Date.UTC(2027, 0, 1) };

let certificates: CertificateData[];
let caPem: string;

beforeAll(async () => {
  const ca = await issueCa('Test CA', VALIDITY, randomBytes);
  caPem = ca.certificate;
  certificates = await Promise.all(
    ['a.example', 'b.example', 'c.example'].map(async (name) => {
      const leaf = await issueLeaf(ca, [name], VALIDITY, randomBytes);
      return parseCertificate(leaf.certificate, leaf.key, 'files');
    }),
  );
});

function certificate(index: number): CertificateData {
  const found = certificates[index];
  if (found === undefined) throw new Error('no such certificate');
  return found;
}

describe('SecureContexts', () => {
  it('builds a context once', () => {
    const contexts = new SecureContexts();
    const first = contexts.get(certificate(0), 'TLSv1.2');
    expect(contexts.get({ ...certificate(0) }, 'TLSv1.2')).toBe(first);
    expect(contexts.stats()).toEqual({ size: 1, hits: 1, misses: 1, builds: 1 });
  });

  it('keeps versions of TLS apart', () => {
    const contexts = new SecureContexts();
    expect(contexts.get(certificate(0), 'TLSv1.3')).not.toBe(contexts.get(certificate(0), 'TLSv1.2'));
  });

  it('builds anew when the same leaf comes with another chain', () => {
    const contexts = new SecureContexts();
    const first = contexts.get(certificate(0), 'TLSv1.2');
    const longer = { ...certificate(0), chain: certificate(0).chain + caPem };
    expect(contexts.get(longer, 'TLSv1.2')).not.toBe(first);
    expect(contexts.stats()).toMatchObject({ size: 1, builds: 2 });
  });

  it('holds no more than it may, and drops the one used longest ago', () => {
    const contexts = new SecureContexts(2);
    const a = contexts.get(certificate(0), 'TLSv1.2');
    const b = contexts.get(certificate(1), 'TLSv1.2');
    contexts.get(certificate(0), 'TLSv1.2');
    contexts.get(certificate(2), 'TLSv1.2');
    expect(contexts.stats().size).toBe(2);
    expect(contexts.get(certificate(0), 'TLSv1.2')).toBe(a);
    expect(contexts.get(certificate(1), 'TLSv1.2')).not.toBe(b);
  });

  it('says which certificate cannot be used, and keeps nothing of it', () => {
    const contexts = new SecureContexts();
    const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' });
    const broken = { ...certificate(0), key: key.toString() };
    try {
      contexts.get(broken, 'TLSv1.2');
      expect.unreachable('the key does not match');
    } catch (error) {
      expect(error).toBeInstanceOf(PorticoError);
      expect(error).toMatchObject({
        code: 'TLS_CONTEXT_FAILED',
        message: expect.stringContaining('a.example') as string,
      });
    }
    expect(contexts.stats()).toEqual({ size: 0, hits: 0, misses: 1, builds: 0 });
  });
});
