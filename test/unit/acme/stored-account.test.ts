import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { accountKey, decodeAccount, encodeAccount } from '../../../src/acme/stored-account.ts';
import type { AccountRecord } from '../../../src/acme/stored-account.ts';
import { parseKey } from '../../../src/store/store-key.ts';
import { issuerIdOf } from '../../../src/acme/issuer.ts';

const textOrNull = fc.option(fc.string(), { nil: null });
const record: AccountRecord = {
  version: 1,
  directoryUrl: 'https://ca.example/dir',
  key: '-----BEGIN PRIVATE KEY-----\nabc\n',
  url: 'https://ca.example/acct/1',
  contact: 'a@example.com',
  pendingKey: null,
};

describe('a stored account', () => {
  it('comes back as it went in', () => {
    const shape = fc.record({
      version: fc.constant(1 as const),
      directoryUrl: fc.string(),
      key: fc.string().map((text) => `${text}PRIVATE KEY${text}`),
      url: textOrNull,
      contact: textOrNull,
      pendingKey: textOrNull,
    });
    fc.assert(
      fc.property(shape, (account) => {
        expect(decodeAccount(Buffer.from(encodeAccount(account)))).toEqual({ ok: true, record: account });
      }),
    );
  });

  it('that is cut off at any place is damaged', () => {
    const text = encodeAccount(record);
    for (let length = 0; length < text.length - 2; length++) {
      expect(decodeAccount(Buffer.from(text.slice(0, length)))).toEqual({ ok: false, why: 'it is not JSON' });
    }
  });

  it.for([
    ['it is not of a version that this Portico knows', { ...record, version: 2 }],
    ['it is not of a version that this Portico knows', [record]],
    ['it holds no key', { ...record, key: undefined }],
    ['it holds no key', { ...record, key: 'x' }],
    ['it holds no key', { ...record, directoryUrl: null }],
    ['a part of it is of the wrong type', { ...record, contact: ['mailto:a@example.com'] }],
    ['a part of it is of the wrong type', { ...record, pendingKey: 7 }],
  ] as const)('is told what is wrong with it: %s', ([why, value]) => {
    expect(decodeAccount(Buffer.from(JSON.stringify(value)))).toEqual({ ok: false, why });
  });

  it('that is anything at all is read without a throw, and not quoted', () => {
    fc.assert(
      fc.property(fc.anything(), (anything) => {
        const text = JSON.stringify(anything) as string | undefined;
        expect(decodeAccount(Buffer.from(text ?? '')).ok).toBe(false);
      }),
    );
    expect(JSON.stringify(decodeAccount(Buffer.from('SECRET')))).not.toContain('SECRET');
  });

  it('lies at its issuer', () => {
    expect(accountKey(issuerIdOf('https://acme-v02.api.letsencrypt.org/directory'))).toBe(
      'acme/letsencrypt/account.json',
    );
    expect(() => parseKey(accountKey(issuerIdOf('https://-/')))).not.toThrow();
  });
});
