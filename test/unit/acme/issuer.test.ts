import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { issuerIdOf, issuerNameOf, mayTryNextIssuer, stagingIssuer } from '../../../src/acme/issuer.ts';
import type { AcmeIssuer } from '../../../src/acme/issuer.ts';
import { readProblem } from '../../../src/acme/problem.ts';
import { PorticoError } from '../../../src/base/errors.ts';
import { parseKey } from '../../../src/store/store-key.ts';

const LETSENCRYPT = 'https://acme-v02.api.letsencrypt.org/directory';
const problem = (type: string, status = 403): PorticoError =>
  readProblem({ type: `urn:ietf:params:acme:error:${type}`, detail: 'no' }, { status, retryAfterMs: null });

describe('issuerIdOf', () => {
  it('is a word for those that everybody knows', () => {
    expect(issuerIdOf(LETSENCRYPT)).toBe('letsencrypt');
    expect(issuerIdOf('https://acme.zerossl.com/v2/DV90')).toBe('zerossl');
    expect(issuerIdOf('https://ACME.ZeroSSL.com:443/v2/DV90')).toBe('zerossl');
    expect(issuerNameOf('https://acme.zerossl.com/v2/DV90')).toBe('zerossl');
    expect(issuerNameOf('https://ca.example/dir')).toBe('https://ca.example/dir');
  });

  it('can be read for the others', () => {
    expect(issuerIdOf('https://ca.example.net:8443/acme/Dir')).toMatch(/^ca\.example\.net-8443-acme-dir-[0-9a-f]{12}$/);
  });

  it('can stand in the store, and is another for another URL', () => {
    const seen = new Map<string, string>();
    fc.assert(
      fc.property(fc.webUrl({ validSchemes: ['https'], withQueryParameters: true, size: 'medium' }), (text) => {
        const url = new URL(text).href;
        const id = issuerIdOf(url);
        parseKey(`acme/${id}/account.json`);
        expect(seen.get(id) ?? url).toBe(url);
        seen.set(id, url);
      }),
    );
    const [one, other] = ['https://a.b-c/', 'https://a.b/c'].map(issuerIdOf);
    expect(one).not.toBe(other);
  });
});

describe('stagingIssuer', () => {
  const issuer: AcmeIssuer = {
    id: 'letsencrypt',
    name: 'letsencrypt',
    directoryUrl: LETSENCRYPT,
    caPem: null,
    eab: null,
    email: 'a@example.com',
  };

  it("is Let's Encrypt's own, and has an account of its own", () => {
    expect(stagingIssuer(issuer)).toMatchObject({ id: 'letsencrypt-staging', email: 'a@example.com' });
  });

  it('is none for staging itself and for others', () => {
    const staging = stagingIssuer(issuer);
    expect(staging && stagingIssuer(staging)).toBeNull();
    expect(stagingIssuer({ ...issuer, directoryUrl: 'https://ca.example/' })).toBeNull();
  });
});

describe('the next issuer', () => {
  it.each([
    ['caa', 403, true],
    ['caa', 0, true],
    ['rejectedIdentifier', 400, true],
    ['serverInternal', 500, true],
    ['unauthorized', 403, true],
    ['dns', 0, false],
    ['unauthorized', 0, false],
  ])('may issue after %s with status %i: %s', (type, status, expected) => {
    expect(mayTryNextIssuer(problem(type, status))).toBe(expected);
  });

  it('may when this one cannot be reached, and is left alone when the cause is here', () => {
    expect(mayTryNextIssuer(new PorticoError('ACME_UNREACHABLE', 'down'))).toBe(true);
    for (const code of ['ACME_ABORTED', 'STORE_UNWRITABLE', 'ACME_CHALLENGE_TEST']) {
      expect(mayTryNextIssuer(new PorticoError(code, 'here'))).toBe(false);
    }
    expect(mayTryNextIssuer(new TypeError('a mistake of ours'))).toBe(false);
  });
});
