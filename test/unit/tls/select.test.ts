import { describe, expect, it } from 'vitest';
import type { CertificateData } from '../../../src/base/certificate.ts';
import { createCertificateIndex } from '../../../src/tls/select.ts';

function certificate(id: string, names: string[], notAfter = 2): CertificateData {
  return { id, names, chain: '', key: '', notBefore: 0, notAfter, source: 'files' };
}

describe('createCertificateIndex', () => {
  const index = createCertificateIndex(
    [
      certificate('wildcard', ['*.example.com'], 9),
      certificate('base', ['example.com']),
      certificate('exact', ['a.example.com']),
      certificate('short', ['twice.example', '*.twice.example'], 3),
      certificate('long', ['twice.example', '*.twice.example'], 4),
      certificate('equal', ['twice.example'], 4),
      certificate('address', ['192.0.2.1', '2001:db8::1']),
    ],
    'example.com',
  );

  it.for<[string, string | null]>([
    ['example.com', 'base'],
    ['a.example.com', 'exact'],
    ['b.example.com', 'wildcard'],
    ['b.a.example.com', null],
    ['*.example.com', 'wildcard'],
    ['twice.example', 'long'],
    ['x.twice.example', 'long'],
    ['com', null],
    ['', null],
    ['elsewhere.example', null],
    ['__proto__', null],
    ['constructor', null],
  ])('%s → %s', ([name, id]) => {
    expect(index.forServername(name)?.id ?? null).toBe(id);
  });

  it.for<[string, string | null]>([
    ['example.com', 'base'],
    ['EXAMPLE.com', 'base'],
    ['z.example.com', 'wildcard'],
    ['192.0.2.1', 'address'],
    ['[2001:DB8::1]', 'address'],
    ['nobody.example', null],
  ])('default name %s → %s', ([defaultName, id]) => {
    const certificates = [
      certificate('base', ['example.com']),
      certificate('wildcard', ['*.example.com']),
      certificate('address', ['192.0.2.1', '2001:db8::1']),
    ];
    expect(createCertificateIndex(certificates, defaultName).default?.id ?? null).toBe(id);
  });
});
