import { describe, expect, it } from 'vitest';
import { hasAddress } from '../../../src/acme/name-address.ts';
import { PorticoError } from '../../../src/base/errors.ts';
import type { DnsAnswer, DnsClient, DnsRcode, DnsRecord } from '../../../src/dns/dns-client.ts';

const A: DnsRecord = { name: 'example.com', ttl: 60, type: 'A', address: '192.0.2.1' };
const CNAME: DnsRecord = { name: 'example.com', ttl: 60, type: 'CNAME', target: 'example.net' };

function answer(rcode: DnsRcode, ...answers: DnsRecord[]): DnsAnswer {
  return { rcode, answers, authority: [], authoritative: false, server: '127.0.0.1:53' };
}

function clientWith(a: DnsAnswer | null, aaaa: DnsAnswer | null): DnsClient {
  return {
    query: async (_, type) => {
      const found = type === 'A' ? a : aaaa;
      if (found === null) throw new PorticoError('DNS_TIMEOUT', 'nobody answered');
      return found;
    },
  };
}

describe('hasAddress', () => {
  it.for([
    ['an A record', answer('NOERROR', A), answer('NOERROR'), true],
    ['an A record behind an alias, and no word about AAAA', answer('NOERROR', CNAME, A), null, true],
    ['no records', answer('NOERROR'), answer('NOERROR'), false],
    ['no such name', answer('NXDOMAIN'), answer('NXDOMAIN'), false],
    ['an alias to a name that is not there', answer('NXDOMAIN', CNAME), answer('NXDOMAIN', CNAME), false],
    ['an alias that was not followed', answer('NOERROR', CNAME), answer('NOERROR', CNAME), null],
    ['a failing server', answer('SERVFAIL'), answer('NOERROR'), null],
    ['no server', null, null, null],
  ] as const)('with %s', async ([, a, aaaa, expected]) => {
    expect(await hasAddress(clientWith(a, aaaa), 'example.com', AbortSignal.timeout(1000))).toBe(expected);
  });
});
