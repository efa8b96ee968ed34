import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { dnsSolvers, type DnsProviderSettings } from '../../../../src/acme/challenges/dns-solvers.ts';
import { systemClock } from '../../../../src/base/clock.ts';

const deps = { clock: systemClock, random: randomBytes, env: {} };
const typesWith = (provider: DnsProviderSettings | null): string[] =>
  dnsSolvers({ provider, resolvers: [], servers: ['192.0.2.1'] }, deps).map(({ type }) => type);

const RFC2136 = {
  kind: 'rfc2136',
  server: '[2001:db8::53]:5353',
  keyName: 'portico',
  algorithm: 'hmac-sha256',
  secret: () => Promise.resolve('AAAA'),
  ttl: 60,
} as const;

it('makes dns-01 where something makes records, and dns-persist-01 always', () => {
  expect(typesWith(null)).toEqual(['dns-persist-01']);
  expect(typesWith(RFC2136)).toEqual(['dns-01', 'dns-persist-01']);
  expect(typesWith({ kind: 'exec', path: '/bin/true' })).toEqual(['dns-01', 'dns-persist-01']);
  expect(typesWith({ kind: 'webhook', url: 'https://dns.example.com/' })).toEqual(['dns-01', 'dns-persist-01']);
});

it('refuses a server that is none', () => {
  expect(() => typesWith({ ...RFC2136, server: 'ns.example.com' })).toThrow(/is not the address of a DNS server/);
});
