/** A site and a look at it with which everything is fine, for tests to spoil. */
import { parseServerName } from '../../../../src/base/server-name.ts';
import type { DnsRecord } from '../../../../src/dns/dns-client.ts';
import type { OwnAddresses } from '../../../../src/delegation/plan/own-addresses.ts';
import type { PlanSite } from '../../../../src/delegation/plan/plan-site.ts';
import type { SiteLook } from '../../../../src/delegation/plan/site-look.ts';
import type { Asked } from '../../../../src/delegation/resolve/ask.ts';
import type { WellKnownSeen } from '../../../../src/delegation/resolve/well-known.ts';

export const OWN: OwnAddresses = { v4: ['198.51.100.7'], v6: ['2001:db8::7'] };
export const CLIENT = { 'm.homeserver': { base_url: 'https://matrix.example.com' } };

export function nameOf(text: string) {
  const name = parseServerName(text);
  if (name === null) throw new Error(text);
  return name;
}

export function planSite(changes: Partial<PlanSite> = {}): PlanSite {
  const delegation = changes.delegation ?? 'srv';
  const mServer = delegation === 'well-known' ? 'matrix.example.com:443' : null;
  return {
    name: nameOf('example.com'),
    delegation,
    baseDomain: 'elsewhere',
    delegatedName: mServer === null ? null : nameOf(mServer),
    hosts: ['matrix.example.com'],
    documents: {
      server: mServer === null ? null : JSON.stringify({ 'm.server': mServer }),
      client: JSON.stringify(CLIENT),
      support: null,
      policyServer: null,
      maxAgeSeconds: 3600,
    },
    expected: { delegation, mServer, client: CLIENT, support: null, clientBaseUrl: 'https://matrix.example.com' },
    listeners: [
      { role: 'https', port: 443 },
      { role: 'federation', port: 8448 },
      { role: 'http', port: 80 },
    ],
    issuers: [{ name: 'letsencrypt', directoryUrl: 'https://acme-v02.api.letsencrypt.org/directory' }],
    certify: [{ name: 'example.com', wildcard: false, challenges: ['http-01'] }],
    persist: [],
    ...changes,
  };
}

export function asked(...records: readonly DnsRecord[]): Asked {
  return { kind: 'records', records, aliases: [] };
}

export const address = (name: string, type: 'A' | 'AAAA', value: string): DnsRecord => ({
  name,
  ttl: 60,
  type,
  address: value,
});
export const srv = (service: string, port: number, target: string): DnsRecord => ({
  name: `${service}._tcp.example.com`,
  ttl: 60,
  type: 'SRV',
  priority: 10,
  weight: 0,
  port,
  target,
});
export const caa = (value: string, tag = 'issue') =>
  ({ name: 'example.com', ttl: 60, type: 'CAA', critical: false, tag, value }) as const;

export function wellKnown(changes: Partial<WellKnownSeen> = {}): WellKnownSeen {
  return {
    outcome: 'absent',
    mServer: null,
    problem: 'status 404',
    problemCode: null,
    urls: ['https://example.com/.well-known/matrix/server'],
    status: 404,
    contentType: null,
    expiresAt: 0,
    ...changes,
  };
}

/** The look at {@link planSite}, set up as it should be. */
export function siteLook(site: PlanSite = planSite()): SiteLook {
  const url = 'https://example.com/.well-known/matrix/client';
  return {
    dns: new Map<string, Asked>([
      ['A matrix.example.com', asked(address('matrix.example.com', 'A', '198.51.100.7'))],
      ['AAAA matrix.example.com', asked(address('matrix.example.com', 'AAAA', '2001:db8::7'))],
      ['SRV _matrix-fed._tcp.example.com', asked(srv('_matrix-fed', 8448, 'matrix.example.com'))],
      ['SRV _matrix._tcp.example.com', { kind: 'absent', why: 'NXDOMAIN', aliases: [] }],
    ]),
    caa: new Map([['example.com', { kind: 'absent' }]]),
    fronts: [],
    cutShort: false,
    evidence: {
      name: site.name,
      now: 0,
      allowPrivate: false,
      resolution: {
        serverName: site.name,
        step: '4',
        targets: [],
        delegated: null,
        wellKnown: wellKnown(),
        tried: [],
        warnings: [],
        error: null,
      },
      places: [],
      overruledSrv: [],
      serverDocuments: [],
      client: { url, hops: [{ url, status: 200, cors: '*' }], status: 200, json: CLIENT, failure: null },
      support: null,
      versions: null,
      expected: site.expected,
      exhausted: false,
      requests: 0,
    },
  };
}
