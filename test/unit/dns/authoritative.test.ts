/** Zones, their servers and aliases, from the answers of a client that is told what to say. */
import { describe, expect, it } from 'vitest';
import { PorticoError } from '../../../src/base/errors.ts';
import { findZone, followAliases, queryEach, zoneServers } from '../../../src/dns/authoritative.ts';
import type { DnsAnswer, DnsClient, DnsRecord } from '../../../src/dns/dns-client.ts';

type Script = Readonly<Record<string, Partial<DnsAnswer> | PorticoError>>;

/** Answers by `NAME TYPE`; NXDOMAIN for everything else. Says what it was asked. */
function scripted(script: Script): DnsClient & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    query: (name, type) => {
      asked.push(`${name} ${type}`);
      const said = script[`${name} ${type}`] ?? { rcode: 'NXDOMAIN' };
      if (said instanceof PorticoError) return Promise.reject(said);
      return Promise.resolve({
        rcode: 'NOERROR',
        answers: [],
        authority: [],
        authoritative: true,
        server: '192.0.2.1:53',
        ...said,
      });
    },
  };
}

const soa = (name: string): DnsRecord => ({ name, ttl: 1, type: 'SOA', primary: `ns.${name}`, serial: 1, minimum: 1 });
const ns = (name: string, target: string): DnsRecord => ({ name, ttl: 1, type: 'NS', target });
const cname = (name: string, target: string): DnsRecord => ({ name, ttl: 1, type: 'CNAME', target });
const a = (name: string, address: string): DnsRecord => ({ name, ttl: 1, type: 'A', address });

describe('the zone of a name', () => {
  it('is the name itself when it has the SOA', async () => {
    const client = scripted({ 'example.test SOA': { answers: [soa('example.test')] } });
    expect(await findZone('Example.test.', client)).toBe('example.test');
    expect(client.asked).toEqual(['example.test SOA']);
  });

  it('is that of the SOA which says that there is nothing', async () => {
    const nothing = { rcode: 'NXDOMAIN', authority: [soa('example.test')] } as const;
    expect(await findZone('a.b.example.test', scripted({ 'a.b.example.test SOA': nothing }))).toBe('example.test');
  });

  it('is further up than an alias, whatever zone that leads into', async () => {
    const client = scripted({
      'x.example.test SOA': { answers: [cname('x.example.test', 'other.test'), soa('other.test')] },
      'example.test SOA': { answers: [soa('example.test')] },
    });
    expect(await findZone('x.example.test', client)).toBe('example.test');
  });

  it('is the one delegated to when a server above only refers to it', async () => {
    const referral = { authority: [ns('sub.example.test', 'ns.elsewhere.test')], authoritative: false };
    expect(await findZone('x.sub.example.test', scripted({ 'x.sub.example.test SOA': referral }))).toBe(
      'sub.example.test',
    );
  });

  it('is not taken from records of other names, from the root, or from failures', async () => {
    const client = scripted({
      'x.example.test SOA': { authority: [soa('evil.test'), ns('', 'a.root.test')] },
      'example.test SOA': { rcode: 'SERVFAIL', authority: [soa('example.test')] },
      'test SOA': { rcode: 'REFUSED' },
    });
    await expect(findZone('x.example.test', client)).rejects.toMatchObject({
      code: 'DNS_NO_ZONE',
      message: expect.stringMatching(/x\.example\.test.*REFUSED from 192\.0\.2\.1:53/),
    });
    expect(client.asked).toEqual(['x.example.test SOA', 'example.test SOA', 'test SOA']);
  });
});

describe('the servers of a zone', () => {
  const zone = { 'example.test SOA': { answers: [soa('example.test')] } };

  it('are all addresses of all names, each once; what cannot be looked up counts as none', async () => {
    const client = scripted({
      ...zone,
      'example.test NS': { answers: ['ns1.test', 'ns2.test', 'gone.test'].map((name) => ns('example.test', name)) },
      'ns1.test A': { answers: [a('ns1.test', '192.0.2.1'), a('ns1.test', '192.0.2.2')] },
      'ns1.test AAAA': { answers: [{ name: 'ns1.test', ttl: 1, type: 'AAAA', address: '2001:db8::1' }] },
      'ns2.test A': { answers: [a('ns2.test', '192.0.2.2')] },
      'gone.test A': new PorticoError('DNS_TIMEOUT', 'No answer.'),
      'gone.test AAAA': { rcode: 'SERVFAIL' },
    });
    expect(await zoneServers('example.test', client)).toEqual({
      zone: 'example.test',
      servers: ['192.0.2.1', '192.0.2.2', '2001:db8::1'].map((address) => ({ address, port: 53 })),
      withoutAddress: ['gone.test'],
    });
  });

  it('are bounded, however many the zone names', async () => {
    const names = Array.from({ length: 100 }, (_, i) => `ns${i}.test`);
    const client = scripted({
      ...zone,
      'example.test NS': { answers: names.map((name) => ns('example.test', name)) },
      ...Object.fromEntries(
        names.map((name, i) => [
          `${name} A`,
          { answers: Array.from({ length: 100 }, (_, j) => a(name, `10.0.${i}.${j}`)) },
        ]),
      ),
    });
    const { servers } = await zoneServers('example.test', client);
    expect(servers).toHaveLength(32);
    expect(client.asked.length).toBeLessThan(40);
  });

  it.each<[string, Partial<DnsAnswer>, string]>([
    ['no NS records', {}, 'DNS_NO_SERVERS'],
    ['only names without address', { answers: [ns('example.test', 'gone.test')] }, 'DNS_NO_SERVERS'],
    ['SERVFAIL', { rcode: 'SERVFAIL' }, 'DNS_SERVER_FAILURE'],
  ])('are none with %s', async (_, answer, code) => {
    const client = scripted({ ...zone, 'example.test NS': answer });
    await expect(zoneServers('example.test', client)).rejects.toMatchObject({ code });
  });
});

describe('aliases', () => {
  it('are followed to their end', async () => {
    const client = scripted({
      'a.test CNAME': { answers: [cname('a.test', 'b.test')] },
      'b.test CNAME': { answers: [cname('b.test', 'c.test')] },
      'c.test CNAME': { answers: [cname('other.test', 'd.test')] },
    });
    expect(await followAliases('A.test.', client)).toBe('c.test');
  });

  it('that lead in a circle or on and on are an error', async () => {
    const circle = scripted({
      'a.test CNAME': { answers: [cname('a.test', 'b.test')] },
      'b.test CNAME': { answers: [cname('b.test', 'a.test')] },
    });
    await expect(followAliases('a.test', circle)).rejects.toMatchObject({ code: 'DNS_ALIAS_LOOP' });
    const endless: DnsClient & { count: number } = {
      count: 0,
      query: (name) => {
        endless.count++;
        const answers = [cname(name, `${name}x`)];
        return Promise.resolve({ rcode: 'NOERROR', answers, authority: [], authoritative: true, server: '' });
      },
    };
    await expect(followAliases('a.test', endless)).rejects.toMatchObject({ code: 'DNS_ALIAS_LOOP' });
    expect(endless.count).toBeLessThan(20);
  });

  it('are not guessed when the server fails', async () => {
    const client = scripted({ 'a.test CNAME': { rcode: 'SERVFAIL' } });
    await expect(followAliases('a.test', client)).rejects.toMatchObject({ code: 'DNS_SERVER_FAILURE' });
  });
});

it('asking each server hands on what is no failure of DNS', async () => {
  const server = { address: '192.0.2.1', port: 53 };
  const broken: DnsClient = { query: () => Promise.reject(new TypeError('a mistake of ours')) };
  await expect(queryEach([server], () => broken, 'a.test', 'A')).rejects.toThrow('a mistake of ours');
});
