import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canaryChanges, readCanaryAnswer, UriCanary } from '../../../../src/delegation/canary/uri-canary.ts';

let now = 1_800_000_000_000;
const clock = { now: () => now, monotonic: () => 0 };
const canary = new UriCanary({ secret: randomBytes(32), clock, random: randomBytes });

describe('UriCanary', () => {
  it('gives back the bytes that arrived, to whoever holds the question', () => {
    const question = canary.question();
    const body = JSON.parse(canary.answer('GET', question.target) ?? 'null');
    expect(readCanaryAnswer(question, body)).toBe(question.target);
    expect(canaryChanges(question.target, question.target)).toEqual([]);
  });

  it('holds what proxies like to tidy up, in path and query', () => {
    const [path = '', query = ''] = canary.question().target.split('?');
    for (const piece of ['%2F', '%2f', '%25', '%7e', '%20', '//', "'", '+', ';', '%E2%98%83', '%c3%a9']) {
      expect(path).toContain(piece);
      expect(query).toContain(piece);
    }
    expect(path).toMatch(/^\/_matrix\/[\x21-\x7e]+$/);
  });

  it('answers no stranger', () => {
    const { target } = canary.question();
    const other = new UriCanary({ secret: randomBytes(32), clock, random: randomBytes });
    const flipped = target.replace(/-([0-9a-f])/, (_, digit: string) => `-${digit === '0' ? '1' : '0'}`);
    for (const wrong of [
      other.question().target,
      flipped,
      target.replace(/-[0-9a-f]{64}/, `-${'0'.repeat(64)}`),
      target.replace('/_matrix/portico/canary/', '/_matrix/portico/'),
      target.slice(0, 60),
      '/_matrix/portico/canary/',
      '/_matrix/portico/canary/x',
      target + 'x'.repeat(1024),
    ]) {
      expect(canary.answer('GET', wrong)).toBeNull();
    }
    expect(canary.answer('POST', target)).toBeNull();
  });

  it('answers for five minutes only', () => {
    const { target } = canary.question();
    now += 4 * 60_000;
    expect(canary.answer('GET', target)).not.toBeNull();
    now += 2 * 60_000;
    expect(canary.answer('GET', target)).toBeNull();
  });

  it('answers nothing that anybody makes up', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(canary.answer('GET', `/_matrix/portico/canary/${text}`)).toBeNull();
      }),
    );
  });

  it('gives each question a token of its own', () => {
    expect(canary.question().target).not.toBe(canary.question().target);
  });
});

describe('readCanaryAnswer', () => {
  it('believes nobody else', () => {
    const question = canary.question();
    const received = Buffer.from(question.target).toString('base64url');
    const body = JSON.parse(canary.answer('GET', question.target) ?? 'null') as Record<string, unknown>;
    for (const forged of [null, [], {}, { received }, { received, proof: '' }, { ...body, received: 'AAAA' }, 'x']) {
      expect(readCanaryAnswer(question, forged)).toBeNull();
    }
    expect(readCanaryAnswer(canary.question(), body)).toBeNull();
  });
});

describe('canaryChanges', () => {
  it.for<[string, (target: string) => string, readonly string[]]>([
    [
      'a decoded slash',
      (target) => target.replaceAll('%2F', '/').replaceAll('%2f', '/'),
      ['%2F became /', '%2f became /'],
    ],
    ['merged slashes', (target) => target.replaceAll('//', '/'), ['// became /']],
    [
      'hex in upper case',
      (target) => target.replaceAll('%c3%a9', '%C3%A9').replaceAll('%2f', '%2F').replaceAll('%7e', '%7E'),
      ['%7e became %7E', '%c3%a9 became %C3%A9', '%2f became %2F'],
    ],
    ['an unreserved character decoded', (target) => target.replaceAll('%7e', '~'), ['%7e became ~']],
    ['a space as plus', (target) => target.replaceAll('%20', '+'), ['%20 became +']],
    ['escaped twice', (target) => target.replaceAll('%25', '%2525'), ['%25 became %2525']],
    ['cut at the semicolon', (target) => target.replaceAll(';', ''), ['; became nothing']],
  ])('%s', ([, tidy, expected]) => {
    const { target } = canary.question();
    const arrived = canary.answer('GET', tidy(target));
    expect(arrived).not.toBeNull();
    const inPathAndQuery = expected.flatMap((text) => [text, `${text} in the query`]);
    expect(canaryChanges(target, tidy(target)).toSorted()).toEqual(inPathAndQuery.toSorted());
  });

  it('says something of every difference', () => {
    const { target } = canary.question();
    expect(canaryChanges(target, `${target}&x=1`)).toHaveLength(1);
    expect(canaryChanges(target, target.split('?')[0] ?? '').length).toBeGreaterThan(0);
  });
});
