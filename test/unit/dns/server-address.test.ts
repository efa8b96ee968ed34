import { describe, expect, it } from 'vitest';
import { formatDnsServer, parseDnsServer } from '../../../src/dns/server-address.ts';
import { resolverServers } from '../../../src/dns/system-servers.ts';

describe('addresses of DNS servers', () => {
  it.each([
    ['192.0.2.53', '192.0.2.53', 53],
    ['192.0.2.53:5353', '192.0.2.53', 5353],
    ['2001:db8::53', '2001:db8::53', 53],
    ['[2001:db8::53]', '2001:db8::53', 53],
    ['[2001:db8::53]:5353', '2001:db8::53', 5353],
    ['fe80::1%eth0', 'fe80::1%eth0', 53],
  ])('reads %s', (text, address, port) => {
    expect(parseDnsServer(text)).toEqual({ address, port });
  });

  it.each([
    '',
    'dns.example.com',
    '192.0.2.53:0',
    '192.0.2.53:65536',
    '[192.0.2.53]:53',
    '192.0.2',
    '[::1',
    '1.2.3.4:x',
  ])('refuses %j', (text) => {
    expect(parseDnsServer(text)).toBeNull();
  });

  it('writes them with port, as they are read', () => {
    for (const text of ['192.0.2.53:53', '[2001:db8::53]:5353']) {
      expect(formatDnsServer(parseDnsServer(text)!)).toBe(text);
    }
  });
});

describe('which servers are asked', () => {
  it('are those of the config when it names any, and at most eight', () => {
    expect(resolverServers(['192.0.2.1', '[2001:db8::1]:5353'])).toEqual([
      { address: '192.0.2.1', port: 53 },
      { address: '2001:db8::1', port: 5353 },
    ]);
    expect(resolverServers(Array<string>(20).fill('192.0.2.1'))).toHaveLength(8);
  });

  it('are else those of the system, of which there is always at least one', () => {
    expect(resolverServers([]).length).toBeGreaterThan(0);
  });
});
