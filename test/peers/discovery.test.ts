/**
 * Our server discovery against that of a real sender: Synapse's federation agent, in its own Python, goes through the same
 * zone and the same web servers, and must arrive at the place, with the SNI and the Host, that our resolver names; or
 * nowhere, where ours finds nothing.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { resolveServerName } from '../../src/delegation/resolve/resolve.ts';
import type { FakeRecord } from '../helpers/dns-server.ts';
import { reply, startInternet } from '../helpers/internet.ts';
import type { Internet } from '../helpers/internet.ts';
import { describePeers } from './harness/describe-peers.ts';
import { placeOf } from './install/place.ts';

const BASE = '203.0.113.1';
const HS = '203.0.113.2';
const A = (name: string, data = BASE): FakeRecord => ({ name, type: 'A', data });
const SRV = (name: string, port: number, target: string, priority = 10): FakeRecord => ({
  name,
  type: 'SRV',
  data: { priority, weight: 0, port, target },
});

/** Where each name must lead: place, SNI and Host of the request that arrives; null: nowhere. */
const CASES: Record<string, readonly [place: string, sni: string | null, host: string] | null> = {
  [HS]: [`${HS} 8448`, null, HS],
  [`${HS}:7000`]: [`${HS} 7000`, null, `${HS}:7000`],
  'port.test:7652': [`${BASE} 7652`, 'port.test', 'port.test:7652'],
  'wk-ip.test': [`${HS} 8448`, null, HS],
  'wk-ip-port.test': [`${HS} 7000`, null, `${HS}:7000`],
  'wk-port.test': [`${HS} 7753`, 'hs.test', 'hs.test:7753'],
  'wk-fed.test': [`${HS} 7053`, 'fed.hs.test', 'fed.hs.test'],
  'wk-old.test': [`${HS} 7754`, 'old.hs.test', 'old.hs.test'],
  'wk-plain.test': [`${HS} 8448`, 'hs.test', 'hs.test'],
  'wk-moved.test': [`${HS} 7753`, 'hs.test', 'hs.test:7753'],
  'wk-html.test': [`${HS} 7054`, 'wk-html.test', 'wk-html.test'],
  'wk-untrusted.test': [`${HS} 7054`, 'wk-untrusted.test', 'wk-untrusted.test'],
  'wk-large.test': [`${HS} 7054`, 'wk-large.test', 'wk-large.test'],
  'fed.test': [`${HS} 7054`, 'fed.test', 'fed.test'],
  'both.test': [`${HS} 7054`, 'both.test', 'both.test'],
  'old.test': [`${HS} 7855`, 'old.test', 'old.test'],
  'plain.test': [`${BASE} 8448`, 'plain.test', 'plain.test'],
  'alias.test': [`${BASE} 8448`, 'alias.test', 'alias.test'],
  'disabled.test': null,
  'servfail.test': null,
  'gone.test': null,
};

const DOCUMENTS: Record<string, string> = {
  'wk-ip.test': HS,
  'wk-ip-port.test': `${HS}:7000`,
  'wk-port.test': 'hs.test:7753',
  'wk-fed.test': 'fed.hs.test',
  'wk-old.test': 'old.hs.test',
  'wk-plain.test': 'hs.test',
  'wk-untrusted.test': 'hs.test:7753',
};

const ZONE: FakeRecord[] = [
  ...Object.keys(CASES)
    .filter((name) => /^[a-z-]+\.test/.test(name) && !/^(?:gone|alias)/.test(name))
    .map((name) => A(name.replace(/:\d+$/, ''))),
  { name: 'alias.test', type: 'CNAME', data: 'plain.test' },
  A('hs.test', HS),
  A('fed.hs.test', BASE),
  A('old.hs.test', BASE),
  SRV('_matrix-fed._tcp.fed.hs.test', 7053, 'hs.test'),
  SRV('_matrix._tcp.fed.hs.test', 7999, 'hs.test'),
  SRV('_matrix._tcp.old.hs.test', 7754, 'hs.test'),
  ...['wk-html', 'wk-untrusted', 'wk-large', 'fed', 'both'].map((name) =>
    SRV(`_matrix-fed._tcp.${name}.test`, 7054, 'hs.test'),
  ),
  SRV('_matrix-fed._tcp.both.test', 7999, 'hs.test', 20),
  SRV('_matrix._tcp.both.test', 7855, 'hs.test', 1),
  SRV('_matrix._tcp.old.test', 7855, 'hs.test'),
  SRV('_matrix-fed._tcp.disabled.test', 0, '.', 0),
  SRV('_matrix._tcp.disabled.test', 7855, 'hs.test'),
];

let net: Internet;

beforeAll(async () => {
  net = await startInternet(ZONE);
  net.dns.answer = (question) =>
    question.type === 'SRV' && question.name.endsWith('.servfail.test')
      ? { rcode: 'SERVFAIL' }
      : net.dns.fromRecords(question);
  const names = [...new Set(ZONE.map(({ name }) => name))].filter((name) => !name.startsWith('_'));
  const good = await net.certificate([HS, BASE, ...names]);
  const certificates = { ...Object.fromEntries([HS, ...names].map((name) => [name, good])) };
  await net.serve(`${BASE} 443`, {
    certificates: { ...certificates, 'wk-untrusted.test': await net.certificate(['other.test']) },
    answer: (request, response) => {
      const host = request.headers.host ?? '';
      if (host === 'wk-moved.test')
        return reply(response, 301, '', { Location: 'https://wk-port.test/.well-known/matrix/server' });
      if (host === 'wk-html.test') return reply(response, 200, '<html>');
      if (host === 'wk-large.test')
        return reply(response, 200, `{"m.server":"hs.test:7753",${' '.repeat(60_000)}"a":1}`);
      const document = DOCUMENTS[host];
      return document === undefined
        ? reply(response, 404, '{}')
        : reply(response, 200, JSON.stringify({ 'm.server': document }), { 'Content-Type': 'text/plain' });
    },
  });
  for (const place of [
    ...[7652, 8448].map((port) => `${BASE} ${port}`),
    ...[7000, 7053, 7054, 7753, 7754, 7855, 7999, 8448].map((port) => `${HS} ${port}`),
  ]) {
    await net.serve(place, { certificates, answer: (_, response) => reply(response, 200, '{}') });
  }
});

afterAll(() => net[Symbol.asyncDispose]());

/** Runs the script beside this file with Synapse's Python. */
async function askSynapse(names: readonly string[]): Promise<Record<string, { status?: number; error?: string }>> {
  const script = join(import.meta.dirname, 'discovery-agreement.py');
  const child = spawn(join(placeOf('synapse'), 'bin', 'python'), [script], {
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: 100_000,
  });
  const output = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  const { address, port } = net.dns.server;
  child.stdin.end(JSON.stringify({ ca: net.ca.ca, dns: [address, port], reach: net.places(), names }));
  const [printed, problems] = await output;
  expect(problems).not.toMatch(/Traceback/);
  return JSON.parse(printed) as Record<string, { status?: number; error?: string }>;
}

describePeers(['synapse'], 'server discovery and that of Synapse', () => {
  it('lead to the same places, with the same SNI and Host', async () => {
    const names = Object.keys(CASES);
    const ours: typeof CASES = {};
    for (const name of names) {
      const { targets } = await resolveServerName(name, net.resolve);
      const [first] = targets;
      ours[name] = first === undefined ? null : [`${first.addresses[0] ?? ''} ${first.port}`, first.sni, first.host];
    }
    expect(ours).toEqual(CASES);

    const theirs: typeof CASES = {};
    net.seen.length = 0;
    const answers = await askSynapse(names);
    for (const [index, name] of names.entries()) {
      // The script numbers its requests in the query.
      const arrived = net.seen.filter(({ url }) => url === `/_matrix/key/v2/server?${index}`);
      expect(arrived, name).toHaveLength(answers[name]?.status === 200 ? 1 : 0);
      theirs[name] = null;
      for (const { place, sni, host } of arrived) theirs[name] = [place, sni, host];
    }
    expect(theirs).toEqual(CASES);
  });
});
