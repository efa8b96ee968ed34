import { describe, expect, it } from 'vitest';
import { certificateNamesOfSite, clientBaseUrl, defaultTlsName, hostsOfSite } from '../../../src/config/site-names.ts';
import type { Config } from '../../../src/config/schema.ts';
import type { Site } from '../../../src/config/sections/sites.ts';
import { configOf } from './load-yaml.ts';

async function configWith(site: string): Promise<Config> {
  const names = '[example.com, "*.example.com", example.net, localhost, 192.0.2.1, "2001:db8::1", "2001:db8::2"]';
  const config = `sites: [{homeserver: "http://127.0.0.1:8008", ${site}}]\ncertificates: [{names: ${names}, local_ca: true}]\n`;
  return await configOf(config);
}

async function siteWith(text: string): Promise<Site> {
  const [site] = (await configWith(text)).sites;
  if (site === undefined) throw new Error('no site');
  return site;
}

const WELL_KNOWN = 'server_name: example.com, delegation: well-known, delegated_name: "matrix.example.com:443"';

describe('hostsOfSite', () => {
  it.for([
    ['server_name: example.com', ['example.com']],
    ['server_name: "example.com:8449"', ['example.com:8449', 'example.com']],
    ['server_name: "[2001:db8::1]:8449"', ['[2001:db8::1]:8449', '[2001:db8::1]']],
    ['server_name: 192.0.2.1', ['192.0.2.1']],
    [WELL_KNOWN, ['example.com', 'matrix.example.com:443', 'matrix.example.com']],
    [`${WELL_KNOWN}, base_domain: elsewhere`, ['example.com', 'matrix.example.com:443', 'matrix.example.com']],
    [
      'server_name: example.com, delegation: srv, hosts: [matrix.example.com, "2001:db8::2"]',
      ['example.com', 'matrix.example.com', '[2001:db8::2]'],
    ],
    [`${WELL_KNOWN}, hosts: [matrix.example.com]`, ['example.com', 'matrix.example.com:443', 'matrix.example.com']],
  ] as const)('%s', async ([site, hosts]) => {
    expect(hostsOfSite(await siteWith(site))).toEqual(hosts);
  });
});

describe('certificateNamesOfSite', () => {
  it.for([
    ['server_name: example.com', ['example.com']],
    ['server_name: "localhost:8449"', ['localhost']],
    ['server_name: "[2001:db8::1]"', ['2001:db8::1']],
    // SRV never creates a name: the certificate is for the server name, whoever answers the base domain.
    ['server_name: example.com, delegation: srv, base_domain: elsewhere', ['example.com']],
    [
      'server_name: example.com, delegation: srv, base_domain: elsewhere, hosts: [matrix.example.com]',
      ['example.com', 'matrix.example.com'],
    ],
    [WELL_KNOWN, ['example.com', 'matrix.example.com']],
    [`${WELL_KNOWN}, base_domain: elsewhere`, ['matrix.example.com']],
    [`${WELL_KNOWN}, base_domain: elsewhere, hosts: [chat.example.com]`, ['matrix.example.com', 'chat.example.com']],
  ] as const)('%s', async ([site, names]) => {
    expect(certificateNamesOfSite(await siteWith(site))).toEqual(names);
  });
});

describe('clientBaseUrl', () => {
  it.for([
    ['server_name: example.com', 'https://example.com'],
    ['server_name: "localhost:8449"', 'https://localhost'],
    ['server_name: "[2001:db8::1]:8449"', 'https://[2001:db8::1]'],
    [WELL_KNOWN, 'https://matrix.example.com'],
    [`${WELL_KNOWN}, hosts: [chat.example.com]`, 'https://chat.example.com'],
    ['server_name: example.com, hosts: ["2001:db8::2"]', 'https://[2001:db8::2]'],
    [`${WELL_KNOWN}, client: {base_url: "https://other.example.net:8443/m/"}`, 'https://other.example.net:8443/m/'],
  ] as const)('%s', async ([site, url]) => {
    expect(clientBaseUrl(await siteWith(site))).toBe(url);
  });
});

describe('defaultTlsName', () => {
  it.for([
    ['server_name: example.com', 'example.com'],
    [WELL_KNOWN, 'example.com'],
    [`${WELL_KNOWN}, base_domain: elsewhere`, 'matrix.example.com'],
  ] as const)('%s', async ([site, name]) => {
    expect(defaultTlsName(await configWith(site))).toBe(name);
  });

  it('is what the config says', async () => {
    const config = await configWith('server_name: example.com');
    expect(defaultTlsName({ ...config, tls: { ...config.tls, default_name: 'example.net' } })).toBe('example.net');
  });
});
