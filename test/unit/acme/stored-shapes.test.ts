import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { accountKey, decodeStoredAccount, encodeStoredAccount, issuerIdOf } from '../../../src/acme/stored-account.ts';
import {
  certificateIdOf,
  decodeStoredCertificate,
  encodeStoredCertificate,
  importedCertificateKey,
} from '../../../src/acme/stored-certificate.ts';
import { parseKey } from '../../../src/store/store-key.ts';

const textOrNull = fc.option(fc.string(), { nil: null });

describe('a stored certificate', () => {
  it('comes back as it went in', () => {
    const shape = fc.record({
      chain: fc.string(),
      key: fc.string(),
      names: fc.array(fc.string()),
      issuer: textOrNull,
      profile: textOrNull,
      importedFrom: textOrNull,
    });
    fc.assert(
      fc.property(shape, (certificate) => {
        const value = Buffer.from(encodeStoredCertificate(certificate));
        expect(decodeStoredCertificate(value)).toEqual(certificate);
      }),
    );
  });

  it('that is damaged is none', () => {
    const value = encodeStoredCertificate({ chain: 'c', key: 'k', names: ['a'], issuer: null, profile: null, importedFrom: 'caddy' }); // prettier-ignore
    for (let length = 0; length < value.length - 2; length++) {
      expect(decodeStoredCertificate(Buffer.from(value.slice(0, length)))).toBeNull();
    }
    fc.assert(
      fc.property(fc.anything(), (anything) => {
        const text = JSON.stringify(anything) as string | undefined;
        expect(() => decodeStoredCertificate(Buffer.from(text ?? ''))).not.toThrow();
        expect(() => decodeStoredAccount(Buffer.from(text ?? ''))).not.toThrow();
      }),
    );
  });

  it('has an id that is a part of a key whatever its names are, and the same for the same names', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (names) => {
        const id = certificateIdOf(names);
        expect(id).toMatch(/^[a-z0-9._-]{1,100}$/);
        expect(() => parseKey(importedCertificateKey(id))).not.toThrow();
        expect(certificateIdOf(names)).toBe(id);
      }),
    );
    expect(certificateIdOf(['a.example', 'b.example'])).not.toBe(certificateIdOf(['a.example']));
    expect(certificateIdOf(['*.a.example'])).not.toBe(certificateIdOf(['_.a.example']));
  });
});

describe('a stored account', () => {
  it('comes back as it went in', () => {
    const account = { key: 'k', uri: 'https://ca.example/acct/1', contact: ['mailto:a@example.com'] };
    expect(decodeStoredAccount(Buffer.from(encodeStoredAccount(account)))).toEqual(account);
  });

  it.for([
    ['https://acme-v02.api.letsencrypt.org/directory', 'acme-v02.api.letsencrypt.org-directory'],
    ['https://acme.zerossl.com/v2/DV90', 'acme.zerossl.com-v2-dv90'],
    ['https://localhost:14000/dir', 'localhost-14000-dir'],
    ['https://ca.example/../../etc', 'ca.example-.-.-etc'],
  ] as const)('lies at the issuer of %s', ([url, id]) => {
    expect(issuerIdOf(url)).toBe(id);
  });

  it('lies in the store whatever the directory URL is', () => {
    fc.assert(
      fc.property(fc.string(), (url) => {
        expect(issuerIdOf(url)).toMatch(/^[a-z0-9.-]{1,100}$/);
        expect(() => parseKey(accountKey(issuerIdOf(url)))).not.toThrow();
      }),
    );
  });
});
