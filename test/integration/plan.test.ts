/** `portico plan` and the proposals of `portico init` against an Internet on loopback. */
import { PassThrough } from 'node:stream';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createInitCommand } from '../../src/cli/init.ts';
import { lookAtAll } from '../../src/cli/plan/look-all.ts';
import { planSites } from '../../src/cli/plan/plan-site.ts';
import { makePlan } from '../../src/cli/plan/report.ts';
import { planJson, printPlan } from '../../src/cli/plan/section.ts';
import { loadConfigText } from '../../src/config/load.ts';
import type { OwnAddresses } from '../../src/delegation/plan/own-addresses.ts';
import { MemoryStore } from '../../src/store/memory-store.ts';
import type { FakeRecord } from '../helpers/dns-server.ts';
import { reply, startInternet } from '../helpers/internet.ts';
import type { Internet } from '../helpers/internet.ts';
import { recordingTerminal } from '../unit/cli/recording-terminal.ts';

const OWN: OwnAddresses = { v4: ['203.0.113.7'], v6: ['2001:db8::7'] };
const SRV = `sites:
  - server_name: example.test
    delegation: srv
    base_domain: elsewhere
    hosts: [matrix.example.test]
    homeserver: http://127.0.0.1:8008
acme: {agree_to_terms: true, challenges: [http-01]}
`;
const a = (name: string, data: string): FakeRecord => ({ name, type: 'A', data });
const srv = (service: string, target: string): FakeRecord => ({
  name: `${service}._tcp.example.test`,
  type: 'SRV',
  data: { priority: 10, weight: 0, port: 8448, target },
});

async function config(yaml: string) {
  const loaded = await loadConfigText(yaml, { file: '/tmp/portico.yaml', env: {} });
  if (!loaded.ok) throw new Error(loaded.problems.map(({ message }) => message).join());
  return loaded.config;
}

const outside = ({ dial, resolve }: Internet) => ({
  deps: { dns: resolve.dns, clock: resolve.clock, random: resolve.random, dial: { ...dial, timeoutMs: 2000 } },
  own: OWN,
});

async function plan(net: Internet, yaml: string) {
  const sections = await makePlan(await config(yaml), new MemoryStore(), outside(net));
  const terminal = { ...recordingTerminal(), columns: 80 };
  printPlan(sections, terminal);
  const json = JSON.parse(JSON.stringify(planJson(sections)));
  const codes: string[] = json.warnings.map(({ code }: { code: string }) => code);
  return { json, codes, lines: terminal.outLines };
}

/** A base domain that answers these paths and 404 to others. */
async function webServer(net: Internet, documents: Record<string, unknown>, where = '203.0.113.80'): Promise<void> {
  await net.serve(`${where} 443`, {
    certificates: { 'example.test': await net.certificate(['example.test', 'matrix.example.test']) },
    answer: (request, response) => {
      const body = documents[request.url ?? ''];
      const fields = { 'Access-Control-Allow-Origin': '*' };
      reply(response, body === undefined ? 404 : 200, JSON.stringify(body ?? {}), fields);
    },
  });
}

const CLIENT = { '/.well-known/matrix/client': { 'm.homeserver': { base_url: 'https://matrix.example.test' } } };

describe('portico plan', () => {
  it('everything set: no warnings, and nothing left to do', async () => {
    await using net = await startInternet([
      a('example.test', '203.0.113.80'),
      a('matrix.example.test', '203.0.113.7'),
      { name: 'matrix.example.test', type: 'AAAA', data: '2001:db8::7' },
      srv('_matrix-fed', 'matrix.example.test'),
      { name: 'example.test', type: 'CAA', data: { flags: 0, tag: 'issue', value: 'letsencrypt.org' } },
    ]);
    await webServer(net, CLIENT);
    const { json, codes } = await plan(net, SRV);
    expect(codes).toEqual([]);
    expect(json.network.problems).toEqual([]);
    const states = json.dns_records.map(({ type, state }: { type: string; state: string }) => `${type} ${state}`);
    expect(states).toEqual(['A set', 'AAAA set', 'SRV set', 'SRV missing', 'CAA set']);
    expect(json.base_domains[0].documents.map(({ state }: { state: string }) => state)).toEqual(['served', 'served']);
  });

  it('all at once, the most harmful first, also SRV records that a document hides', async () => {
    await using net = await startInternet([
      a('example.test', '203.0.113.80'),
      { name: 'matrix.example.test', type: 'CNAME', data: 'proxy.example.test' },
      a('proxy.example.test', '203.0.113.99'),
      srv('_matrix', 'matrix.example.test'),
      { name: 'example.test', type: 'CAA', data: { flags: 0, tag: 'issue', value: 'sectigo.com' } },
    ]);
    await webServer(net, {
      '/.well-known/matrix/server': { 'm.server': 'Old.example.test:443' },
      '/.well-known/matrix/client': { 'm.homeserver': { base_url: 'https://old.example.test' } },
    });
    await net.serve('203.0.113.99 443', {
      certificates: { 'example.test': await net.certificate(['example.test', 'matrix.example.test']) },
      answer: (_, response) => void reply(response, 403, '{}', { 'CF-RAY': '8a-FRA' }),
    });
    const { codes, lines } = await plan(net, SRV);
    expect(codes).toEqual([
      'server-document-overrules-srv',
      'srv-target-is-cname',
      'srv-service-deprecated',
      'address-not-ours',
      'caa-forbids-issuer',
      'client-document-not-as-configured',
      'cdn-blocks-8448',
    ]);
    const prose = lines.slice(lines.indexOf('Warnings')).filter((line) => line.length > 80 && / .* /.test(line.trim()));
    expect(prose).toEqual([]);
  });

  it('DNS away: said once, and no more', async () => {
    await using net = await startInternet([]);
    net.dns.answer = () => ({ rcode: 'REFUSED' });
    const { json, codes, lines } = await plan(net, SRV);
    expect(codes).toEqual([]);
    expect(json.network.problems[0].problem).toContain('DNS cannot be asked: REFUSED');
    expect(lines.filter((line) => line.includes('REFUSED'))).toHaveLength(1);
    expect(json.dns_records[0].state).toBe('not-looked-up');
  });

  it('DNS silent: the time for all is bounded, and what was not looked at is said', async () => {
    await using net = await startInternet([]);
    net.dns.answer = () => null;
    const yaml = `sites:\n${Array.from({ length: 9 }, (_, n) => `  - {server_name: s${n}.test, homeserver: "http://127.0.0.1:8008"}\n`).join('')}acme: {agree_to_terms: true}\n`;
    const sites = await planSites(await config(yaml), new MemoryStore());
    const looks = await lookAtAll(sites, outside(net).deps, 300);
    expect(looks.size).toBe(4);
    expect([...looks.values()].every(({ cutShort }) => cutShort)).toBe(true);
  });
});

describe('portico init', () => {
  it.for<[string, readonly FakeRecord[], Record<string, unknown> | null, RegExp]>([
    ['a name that leads here', [a('example.test', '203.0.113.7')], null, /delegation: none/],
    [
      'another web server',
      [a('example.test', '203.0.113.80')],
      {},
      /well-known\n {4}delegated_name: "matrix\.example\.test:443"\n.*\n {4}base_domain: elsewhere/,
    ],
    [
      'a document that is there',
      [a('example.test', '203.0.113.80')],
      { '/.well-known/matrix/server': { 'm.server': 'hs.example.test' } },
      /delegated_name: hs\.example\.test\n/,
    ],
    [
      'an SRV record',
      [a('example.test', '203.0.113.80'), a('hs.example.test', '203.0.113.7'), srv('_matrix-fed', 'hs.example.test')],
      {},
      /delegation: srv\n.*\n {4}base_domain: elsewhere\n.*\n {4}hosts: \[hs\.example\.test\]/,
    ],
  ])('proposes by what there is: %s', async ([, records, documents, wanted]) => {
    await using net = await startInternet(records);
    if (documents !== null) await webServer(net, documents);
    const directory = await mkdtemp(join(tmpdir(), 'portico-init-'));
    try {
      const output = join(directory, 'portico.yaml');
      const streams = () => ({ input: new PassThrough(), output: new PassThrough() });
      const flags = { output, yes: true, 'server-name': 'example.test', 'agree-to-terms': true };
      const terminal = recordingTerminal();
      const code = await createInitCommand(streams, () => outside(net)).run(flags, terminal, []);
      expect([code, terminal.errLines]).toEqual([0, []]);
      expect(await readFile(output, 'utf8')).toMatch(wanted);
      expect(terminal.outLines).toContain('DNS records');
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
