import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseChallenges, needsNoAddress } from '../../../src/acme/challenge-choice.ts';
import type { ChallengeWorld, NameFacts } from '../../../src/acme/challenge-choice.ts';
import type { ChallengeType } from '../../../src/acme/challenge.ts';

const ALL: readonly ChallengeType[] = ['tls-alpn-01', 'http-01', 'dns-01', 'dns-persist-01'];
const WORLD: ChallengeWorld = {
  configured: ALL,
  chosen: true,
  dns: true,
  listeners: [
    { role: 'https', port: 443 },
    { role: 'federation', port: 8448 },
    { role: 'http', port: 80 },
  ],
};
const HERE: NameFacts = { name: 'example.com', elsewhere: false, ourHost: 'matrix.example.com' };

function possible(facts: Partial<NameFacts>, world: Partial<ChallengeWorld> = {}): ChallengeType[] {
  return chooseChallenges({ ...HERE, ...facts }, { ...WORLD, ...world }).possible.map(({ type }) => type);
}

describe('chooseChallenges', () => {
  it('keeps the configured order where everything works', () => {
    expect(possible({})).toEqual(ALL);
    expect(possible({}, { configured: ['http-01', 'tls-alpn-01'] })).toEqual(['http-01', 'tls-alpn-01']);
  });

  it('leaves DNS alone for a wildcard, and nothing but DNS out for an address', () => {
    expect(possible({ name: '*.example.com' })).toEqual(['dns-01', 'dns-persist-01']);
    expect(possible({ name: '192.0.2.1' })).toEqual(['tls-alpn-01', 'http-01']);
    expect(possible({ name: '2001:db8::1' })).toEqual(['tls-alpn-01', 'http-01']);
  });

  it('takes HTTP-01 for a base domain elsewhere only when it was chosen, through a redirect', () => {
    const byDefault = chooseChallenges(
      { ...HERE, elsewhere: true },
      { ...WORLD, configured: ['tls-alpn-01', 'http-01'], chosen: false },
    );
    expect(byDefault.possible).toEqual([]);
    expect(byDefault.impossible.map(({ type }) => type)).toEqual(['tls-alpn-01', 'http-01']);
    expect(byDefault.impossible[1]?.help).toContain('http://matrix.example.com/.well-known/acme-challenge/');
    const chosen = chooseChallenges({ ...HERE, elsewhere: true }, WORLD);
    expect(chosen.possible.map(({ type }) => type)).toEqual(['http-01', 'dns-01', 'dns-persist-01']);
    expect(chosen.possible[0]?.provided).toContain('redirects http://example.com/.well-known/acme-challenge/*');
  });

  it('leaves DNS alone where only 8448 is listened on', () => {
    expect(possible({}, { listeners: [{ role: 'federation', port: 8448 }] })).toEqual(['dns-01', 'dns-persist-01']);
    expect(possible({}, { listeners: [{ role: 'https', port: 8448 }] })).toEqual(['dns-01', 'dns-persist-01']);
  });

  it('takes federation on 443 for TLS-ALPN-01', () => {
    expect(possible({}, { listeners: [{ role: 'federation', port: 443 }] })).toContain('tls-alpn-01');
  });

  it('says that another port must be what 80 or 443 is forwarded to', () => {
    const choice = chooseChallenges(HERE, {
      ...WORLD,
      listeners: [
        { role: 'https', port: 8443 },
        { role: 'http', port: 8080 },
      ],
    });
    expect(choice.possible.map(({ provided }) => provided)).toEqual([
      expect.stringContaining('Port 443 is forwarded to port 8443'),
      expect.stringContaining('Port 80 is forwarded to port 8080'),
      null,
      expect.any(String),
    ]);
  });

  it('needs something that makes DNS records for dns-01', () => {
    expect(possible({}, { dns: false })).not.toContain('dns-01');
  });

  it('puts every configured challenge into exactly one list, with a sentence wherever it is refused', () => {
    const facts = fc.record({
      name: fc.constantFrom('example.com', '*.example.com', '192.0.2.1', '::1'),
      elsewhere: fc.boolean(),
      ourHost: fc.constantFrom(null, 'matrix.example.com'),
    });
    const world = fc.record({
      configured: fc.subarray([...ALL], { minLength: 1 }),
      chosen: fc.boolean(),
      dns: fc.boolean(),
      listeners: fc.array(
        fc.record({
          role: fc.constantFrom('https' as const, 'federation' as const, 'http' as const),
          port: fc.constantFrom(0, 80, 443, 8443, 8448),
        }),
      ),
    });
    fc.assert(
      fc.property(facts, world, (each, around) => {
        const choice = chooseChallenges(each, around);
        const both = [...choice.possible, ...choice.impossible].map(({ type }) => type);
        expect([...both].sort()).toEqual([...around.configured].sort());
        for (const { why, help } of choice.impossible) {
          expect(why).toMatch(/^[A-Z].*\.$/);
          expect(help).toMatch(/^[A-Z].*\.$/);
        }
        const dns = choice.possible.some(({ type }) => type.startsWith('dns'));
        expect(needsNoAddress(choice)).toBe(dns);
        if (each.name.startsWith('*.')) expect(choice.possible.every(({ type }) => type.startsWith('dns'))).toBe(true);
        if (/\d$|:/.test(each.name)) expect(dns).toBe(false);
      }),
    );
  });
});
