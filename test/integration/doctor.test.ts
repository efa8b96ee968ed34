/** The doctor against real sockets: good servers in every form of delegation, and broken ones whose cause it must name first. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { diagnose } from '../../src/delegation/doctor/diagnose.ts';
import type { Expected } from '../../src/delegation/doctor/evidence.ts';
import { gather } from '../../src/delegation/doctor/probes/gather.ts';
import { createSigningKey } from '../../src/matrix/signing.ts';
import type { FakeRecord } from '../helpers/dns-server.ts';
import { homeserverStub } from '../helpers/homeserver-stub.ts';
import { startInternet } from '../helpers/internet.ts';
import type { Internet } from '../helpers/internet.ts';

const A = (name: string, data: string): FakeRecord => ({ name, type: 'A', data });
const SRV = (name: string, target: string, port = 8448): FakeRecord => ({
  name,
  type: 'SRV',
  data: { priority: 10, weight: 0, port, target },
});

const ZONE: FakeRecord[] = [
  A('none.test', '203.0.113.1'),
  A('wk.test', '203.0.113.2'),
  A('hs.wk.test', '203.0.113.3'),
  A('srv.test', '203.0.113.4'),
  A('hs.srv.test', '203.0.113.5'),
  SRV('_matrix-fed._tcp.srv.test', 'hs.srv.test'),
  A('old.test', '203.0.113.6'),
  SRV('_matrix._tcp.old.test', 'hs.old.test'),
  A('hs.old.test', '203.0.113.6'),
  A('target-cert.test', '203.0.113.7'),
  SRV('_matrix-fed._tcp.target-cert.test', 'hs.target-cert.test'),
  A('hs.target-cert.test', '203.0.113.7'),
  A('overruled.test', '203.0.113.2'),
  SRV('_matrix-fed._tcp.overruled.test', 'hs.srv.test'),
  A('alias.test', '203.0.113.8'),
  SRV('_matrix-fed._tcp.alias.test', 'cname.alias.test'),
  { name: 'cname.alias.test', type: 'CNAME', data: 'hs.alias.test' },
  A('hs.alias.test', '203.0.113.8'),
  A('dead.test', '203.0.113.9'),
  { name: 'dead.test', type: 'AAAA', data: '2001:db8::9' },
  A('split.test', '203.0.113.10'),
  A('split.test', '203.0.113.11'),
  A('no-cors.test', '203.0.113.12'),
  A('on-443.test', '203.0.113.13'),
  A('gone.test', '203.0.113.99'),
  A('strict-host.test', '203.0.113.14'),
  A('tls13.test', '203.0.113.15'),
  A('default.test', '203.0.113.16'),
];

const EXPECTED: Expected = {
  delegation: 'srv',
  mServer: null,
  client: { 'm.homeserver': { base_url: 'https://overruled.test' } },
  support: null,
  clientBaseUrl: 'https://overruled.test',
};

const KEY = createSigningKey();

let net: Internet;

async function examine(name: string, expected: Expected | null = null, maxRequests = 100) {
  const { dns, clock, random } = net.resolve;
  const deps = { dns, clock, random, dial: { ...net.dial, timeoutMs: 2000 }, maxRequests, canary: null };
  return diagnose(await gather(name, expected, deps, AbortSignal.timeout(20_000)));
}

beforeAll(async () => {
  net = await startInternet(ZONE);
  const documents = (name: string) => ({ client: { 'm.homeserver': { base_url: `https://${name}` } } });
  /** A homeserver at an address, on these ports, with a certificate for these names. */
  const serve = async (
    address: string,
    ports: readonly number[],
    name: string,
    { certificate = [name], ...options }: { certificate?: readonly string[]; [option: string]: unknown } = {},
  ) => {
    const pair = await net.certificate(certificate);
    const key = createSigningKey();
    const answer = homeserverStub({ serverName: name, key, documents: documents(name), ...options });
    for (const port of ports) {
      await net.serve(`${address} ${port}`, { certificates: { [certificate[0]!]: pair }, answer });
    }
  };
  await serve('203.0.113.1', [443, 8448], 'none.test');
  await serve('203.0.113.2', [443], 'wk.test', {
    certificate: ['wk.test', 'overruled.test'],
    documents: { ...documents('wk.test'), server: { 'm.server': 'hs.wk.test:443' } },
  });
  await serve('203.0.113.3', [443], 'wk.test', { certificate: ['hs.wk.test'] });
  await serve('203.0.113.4', [443], 'srv.test', {
    documents: { client: { 'm.homeserver': { base_url: 'https://srv.test' } } },
  });
  await serve('203.0.113.5', [8448], 'srv.test');
  await serve('203.0.113.6', [443, 8448], 'old.test');
  await serve('203.0.113.7', [443, 8448], 'target-cert.test', { certificate: ['hs.target-cert.test'] });
  await serve('203.0.113.8', [443, 8448], 'alias.test');
  await serve('203.0.113.9', [443, 8448], 'dead.test');
  await serve('203.0.113.10', [443, 8448], 'split.test');
  await serve('203.0.113.11', [443, 8448], 'split.test');
  await serve('203.0.113.12', [443, 8448], 'no-cors.test', { noCors: true });
  await serve('203.0.113.13', [443], 'on-443.test');
  await serve('203.0.113.14', [443, 8448], 'strict-host.test', { hosts: ['strict-host.test'] });
  await serve('203.0.113.20', [8448], '203.0.113.20');
  for (const port of [443, 8448]) {
    const at = (name: string) => homeserverStub({ serverName: name, documents: documents(name), key: KEY });
    await net.serve(`203.0.113.15 ${port}`, {
      certificates: { 'tls13.test': await net.certificate(['tls13.test']) },
      answer: at('tls13.test'),
      tls: { minVersion: 'TLSv1.3' },
    });
    await net.serve(`203.0.113.16 ${port}`, {
      certificates: {
        'traefik.default': await net.certificate(['traefik.default']),
        'default.test': await net.certificate(['default.test']),
      },
      answer: at('default.test'),
    });
  }
});

afterAll(() => net[Symbol.asyncDispose]());

describe('a healthy server', () => {
  it.for([
    ['none.test', '6'],
    ['wk.test', '3.2'],
    ['srv.test', '4'],
    ['203.0.113.20', '1'],
  ] as const)('%s by step %s', async ([name, step]) => {
    const { findings, evidence, ok } = await examine(name);
    expect(findings).toEqual([]);
    expect(ok).toBe(true);
    expect(evidence.resolution.step).toBe(step);
  });

  it('is asked with the SNI and Host of its form, with and without port, and once without SNI', async () => {
    net.seen.length = 0;
    await examine('srv.test');
    const federation = net.seen.filter(({ place }) => place === '203.0.113.5 8448');
    expect(federation.map(({ sni, host, url }) => [sni, host, url])).toEqual([
      ['srv.test', 'srv.test', '/_matrix/key/v2/server'],
      ['srv.test', 'srv.test', '/_matrix/federation/v1/version'],
      ['srv.test', 'srv.test:8448', '/_matrix/federation/v1/version'],
    ]);
  });

  it('at an IP address gets no SNI', async () => {
    net.seen.length = 0;
    await examine('203.0.113.20');
    expect(new Set(net.seen.map(({ sni }) => sni))).toEqual(new Set([null]));
  });

  it('is asked no more than the limit allows', async () => {
    const { evidence, findings } = await examine('none.test', null, 4);
    expect(evidence.requests).toBe(4);
    expect(findings.map(({ code }) => code)).toContain('not-everything-checked');
  });
});

describe('the first finding names the cause', () => {
  it.for([
    ['old.test', 'srv-service-deprecated', null, /_matrix\._tcp\.old\.test/],
    ['target-cert.test', 'certificate-wrong-name', null, /is for hs\.target-cert\.test: that is the target of the SRV/],
    ['overruled.test', 'server-document-overrules-srv', EXPECTED, /says "hs\.wk\.test:443"/],
    ['alias.test', 'srv-target-is-cname', null, /cname\.alias\.test, which is a CNAME for hs\.alias\.test/],
    ['dead.test', 'address-dead', null, /^\[2001:db8::9\]:8448: ECONNREFUSED/],
    ['split.test', 'split-brain', null, /203\.0\.113\.10:8448 .* 203\.0\.113\.11:8448/],
    ['no-cors.test', 'client-document-cors', null, /no-cors\.test/],
    ['on-443.test', 'port-8448-closed', null, /port 443 of the same address answers/],
    ['gone.test', 'no-address-answers', null, /203\.0\.113\.99:8448: ECONNREFUSED/],
    ['nowhere.test', 'name-does-not-resolve', null, /NXDOMAIN/],
    ['tls13.test', 'tls12-refused', null, /no TLS handshake/],
    ['default.test', 'without-sni-wrong-certificate', null, /is for traefik\.default/],
    ['strict-host.test', 'host-form-refused', null, /strict-host\.test:8448 gives status 421/],
  ] as const)('%s: %s', async ([name, code, expected, seen]) => {
    const { findings } = await examine(name, expected);
    expect(findings[0]).toMatchObject({ code, seen: expect.stringMatching(seen) });
  });

  it('a CA that nobody knows', async () => {
    const { dns, clock, random } = net.resolve;
    const { createTrust } = await import('../../src/delegation/outbound/dial.ts');
    const dial = { ...net.dial, trust: createTrust(null) };
    const deps = { dns, clock, random, dial, maxRequests: 100, canary: null };
    const { findings } = diagnose(await gather('none.test', null, deps, AbortSignal.timeout(20_000)));
    expect(findings[0]?.code).toMatch(/^certificate-(chain-incomplete|untrusted)$/);
  });

  it('a private address', async () => {
    const { dns, clock, random } = net.resolve;
    const deps = { dns, clock, random, dial: { ...net.dial, allowPrivate: false }, maxRequests: 100, canary: null };
    net.seen.length = 0;
    const { findings } = diagnose(await gather('none.test', null, deps, AbortSignal.timeout(20_000)));
    expect(findings[0]?.code).toBe('private-address');
    expect(net.seen).toEqual([]);
  });
});
