import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readDirectory } from '../../../src/acme/directory.ts';
import { readAuthorization, readOrder } from '../../../src/acme/resources.ts';
import { PorticoError } from '../../../src/base/errors.ts';

const URL_OF_IT = 'https://ca.example/it/1';
const TOKEN = 'abcdefghijklmnopqrstuvwxyz';

describe('an order', () => {
  const order = { status: 'pending', finalize: 'https://ca.example/f', authorizations: ['https://ca.example/a'] };

  it('is read with its problem', () => {
    const error = { type: 'urn:ietf:params:acme:error:caa', detail: 'no' };
    expect(readOrder({ ...order, status: 'invalid', error, profile: 'classic' }, URL_OF_IT)).toMatchObject({
      url: URL_OF_IT,
      status: 'invalid',
      certificate: null,
      error: { type: 'caa', detail: 'no' },
      profile: 'classic',
    });
  });

  it.each([
    [{ ...order, finalize: 'http://ca.example/f' }],
    [{ ...order, authorizations: ['file:///etc/passwd'] }],
    [{ ...order, status: 7 }],
    ['order'],
    [null],
  ])('that reads %j is refused', (body) => {
    expect(() => readOrder(body, URL_OF_IT)).toThrow(expect.objectContaining({ code: 'ACME_RESPONSE_INVALID' }));
  });
});

describe('an authorization', () => {
  const authorization = { status: 'pending', identifier: { type: 'dns', value: 'Example.COM' } };
  const challenge = { type: 'http-01', url: 'https://ca.example/c', token: TOKEN, status: 'pending' };

  it('is for a name in lower case, and keeps the challenges that can be answered', () => {
    const body = {
      ...authorization,
      wildcard: true,
      challenges: [
        challenge,
        { ...challenge, type: 'dns-account-01' },
        { ...challenge, token: undefined },
        { ...challenge, url: 'ftp://ca.example' },
        { type: 'dns-persist-01', url: 'https://ca.example/p', 'issuer-domain-names': ['ca.example', 3] },
        { type: 'dns-persist-01', url: 'https://ca.example/p', 'issuer-domain-names': 'ca.example' },
        null,
      ],
    };
    expect(readAuthorization(body, URL_OF_IT)).toMatchObject({
      identifier: { type: 'dns', value: 'example.com' },
      wildcard: true,
      challenges: [
        { type: 'http-01', token: TOKEN, issuerDomainNames: [] },
        { type: 'dns-persist-01', token: '', issuerDomainNames: ['ca.example'] },
      ],
    });
  });

  it('never has a token that could become a path', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (token) => {
        const { challenges } = readAuthorization(
          { ...authorization, challenges: [{ ...challenge, token }] },
          URL_OF_IT,
        );
        return challenges.every((one) => /^[\w-]{16,512}$/.test(one.token));
      }),
    );
  });
});

describe('whatever an authority sends', () => {
  it('is read or refused', () => {
    const readers = [
      (body: unknown) => readOrder(body, URL_OF_IT),
      (body: unknown) => readAuthorization(body, URL_OF_IT),
      (body: unknown) => readDirectory(URL_OF_IT, { status: 200, headers: {}, body: JSON.stringify(body) }),
    ];
    const names = fc.constantFrom(
      'status',
      'finalize',
      'authorizations',
      'challenges',
      'identifier',
      'error',
      'meta',
      'newNonce',
    );
    const body = fc.oneof(
      fc.jsonValue(),
      fc.dictionary(names, fc.oneof(fc.jsonValue(), fc.constant('https://ca.example/'))),
    );
    fc.assert(
      fc.property(fc.constantFrom(...readers), body, (read, value) => {
        try {
          read(value);
        } catch (error) {
          if (!(error instanceof PorticoError)) throw error;
        }
      }),
    );
  });
});
