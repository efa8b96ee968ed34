import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { REDACTED, redactTarget, redactText } from '../../../src/observability/redact.ts';

describe('redactTarget', () => {
  it.for([
    ['/_matrix/client/v3/sync?access_token=SECRET', '/_matrix/client/v3/sync?access_token=<redacted>'],
    ['/sync?access_token=SECRET&since=s1_2', '/sync?access_token=<redacted>&since=s1_2'],
    ['/sync?since=s1_2&access_token=SECRET&timeout=0', '/sync?since=s1_2&access_token=<redacted>&timeout=0'],
    ['/sync?ACCESS_Token=SECRET', '/sync?ACCESS_Token=<redacted>'],
    ['/sync?access%5Ftoken=SECRET', '/sync?access%5Ftoken=<redacted>'],
    ['/sync?%61cces%73%5ftoke%6E=SECRET&a=1', '/sync?%61cces%73%5ftoke%6E=<redacted>&a=1'],
    ['/sync?access%255Ftoken=SECRET', '/sync?access%255Ftoken=<redacted>'],
    ['/sync?access_token[]=SECRET', '/sync?access_token[]=<redacted>'],
    ['/sync?+access_token+=SECRET', '/sync?+access_token+=<redacted>'],
    ['/sync?a=1;access_token=SECRET', '/sync?a=1;access_token=<redacted>'],
    ['/sync?a=1?access_token=SECRET', '/sync?a=1?access_token=<redacted>'],
    ['/sync%3Faccess_token%3DSECRET', '/sync%3Faccess_token%3D<redacted>'],
    ['/sync%253faccess_token%253dSECRET', '/sync%253faccess_token%253d<redacted>'],
    ['/sync&access_token=SECRET', '/sync&access_token=<redacted>'],
    ['/sync;access_token=SECRET', '/sync;access_token=<redacted>'],
    ['/?loginToken=SECRET#/home', '/?loginToken=<redacted>'],
    ['/validity?token=SECRET', '/validity?token=<redacted>'],
    ['/submit_token?token=SECRET&client_secret=SECRET&sid=5', '/submit_token?token=<redacted>&client_secret=<redacted>&sid=5'],
    ['/oidc/callback?code=SECRET&state=SECRET', '/oidc/callback?code=<redacted>&state=<redacted>'],
    ['/login/cas/ticket?ticket=SECRET', '/login/cas/ticket?ticket=<redacted>'],
    ['/redirect?redirectUrl=https%3A%2F%2Fa.b%2F%3FloginToken%3DSECRET%26x%3D1&y=2', '/redirect?redirectUrl=https%3A%2F%2Fa.b%2F%3FloginToken%3D<redacted>&y=2'],
    ['/sync?access_token=SECRET=SECRET==', '/sync?access_token=<redacted>'],
    ['/sync?access_token=&a=1', '/sync?access_token=<redacted>&a=1'],
  ] as const)('%s', ([target, expected]) => {
    expect(redactTarget(target)).toBe(expected);
  }); // prettier-ignore

  it.for([
    '/',
    '',
    '*',
    '/_matrix/client/versions',
    '/_matrix/client/v3/sync?filter=0&timeout=30000&since=s72594_4483_1934',
    '/_matrix/client/v3/rooms/!abc%3Aexample.com/messages?from=t1&dir=b&limit=20',
    '/_matrix/federation/v1/state_ids/!a:b?event_id=$x',
    '/a?code_challenge=x&session_state=y&statement=z',
    '/a?access_token',
    '/a?%',
    '/a?%3',
    '/a?=%=%3D%zz=&&;;??',
  ])('leaves %s as it is', (target) => {
    expect(redactTarget(target)).toBe(target);
  });

  it('never lets a token through, wherever and however it is spelled', () => {
    const escaped = (text: string, mask: boolean[], depth: number): string => {
      let result = '';
      for (const [at, letter] of Array.from(text).entries()) {
        const hex = letter.charCodeAt(0).toString(16).padStart(2, '0');
        result += mask[at % mask.length] === true ? `%${'25'.repeat(depth - 1)}${hex}` : letter;
      }
      return result;
    };
    const token = fc.stringMatching(/^[A-Za-z0-9_.~=%-]{12,40}$/).map((text) => `SECRET${text}SECRET`);
    const name = fc.constantFrom(
      'access_token',
      'ACCESS_TOKEN',
      'Token',
      'loginToken',
      'client_secret',
      'code',
      'refresh_token',
    );
    const noise = fc.stringMatching(/^[a-z0-9=%;/?#:!$._-]{0,20}$/);
    const separator = fc.constantFrom('?', '&', ';', '%3F', '%26', '%3b', '%253F');
    const equals = fc.constantFrom('=', '%3D', '%3d', '%253D');
    const mask = fc.array(fc.boolean(), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(noise, separator, name, mask, fc.integer({ min: 1, max: 3 }), equals, token, noise, (before, sep, key, bits, depth, eq, secret, after) => {
        const target = `/_matrix/${before}${sep}${escaped(key, bits, depth)}${eq}${secret}&${after}`;
        const shown = redactTarget(target);
        expect(shown).not.toContain(secret);
        expect(shown).toContain(REDACTED);
      }),
      { numRuns: 5000 },
    ); // prettier-ignore
  });

  it('takes time in proportion to the length', () => {
    // Counted, not timed: each of these would be quadratic if the name were searched again for every sign.
    for (const piece of ['=', '%3D', '%25', 'a=', '%', 'access_token', '&token=']) {
      expect(redactTarget(`/?${piece.repeat(65536 / piece.length)}`).length).toBeGreaterThan(0);
    }
  });
});

describe('redactText', () => {
  it.for([
    ['GET https://h/x?access_token=SECRET&a=1 failed', 'GET https://h/x?access_token=<redacted>&a=1 failed'],
    ['{"url":"/x?loginToken=SECRET"}', '{"url":"/x?loginToken=<redacted>"}'],
    ['-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----\n', '<redacted>\n'],
    ['-----BEGIN EC PRIVATE KEY-----\\nSECRET', '<redacted>'],
    ['{"a":"-----BEGIN PRIVATE KEY-----\\nSECRET","b":"kept"}', '{"a":"<redacted>","b":"kept"}'],
    ['{"a":"Authorization: Bearer syt_SECRET"}', '{"a":"Authorization: Bearer <redacted>"}'],
    ['the bearer of this', 'the bearer of this'],
    ['nothing to see', 'nothing to see'],
  ] as const)('%j', ([text, expected]) => {
    expect(redactText(text)).toBe(expected);
  });
});
