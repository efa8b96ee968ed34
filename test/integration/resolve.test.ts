/**
 * Server discovery with real sockets: the cases of the public suite resolvematrix.dev, played by a DNS server and web servers
 * on loopback; then what only sockets can show.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveServerName } from '../../src/delegation/resolve/resolve.ts';
import { createHttpsGet } from '../../src/delegation/resolve/https-get.ts';
import { createTrust } from '../../src/delegation/outbound/dial.ts';
import { runCli } from '../../src/cli/index.ts';
import type { FakeRecord } from '../helpers/dns-server.ts';
import { reply, startInternet } from '../helpers/internet.ts';
import type { Internet } from '../helpers/internet.ts';
import { recordingTerminal } from '../unit/cli/recording-terminal.ts';

const a = (name: string, data = '203.0.113.1'): FakeRecord => ({ name, type: 'A', data });
const srv = (name: string, port: number, target: string): FakeRecord => ({
  name,
  type: 'SRV',
  data: { priority: 10, weight: 0, port, target },
});

const ZONE: FakeRecord[] = [
  ...['2.s.test', '3b.s.test', '3c.s.test', '3d.s.test', '4.s.test', '5.s.test'].map((name) => a(name)),
  ...['3c.msc4040.s.test', '4.msc4040.s.test'].map((name) => a(name)),
  ...['wk.3b.s.test', 'wk.3d.s.test', 'srv.wk.3c.s.test', 'srv.4.s.test'].map((name) => a(name, '203.0.113.2')),
  ...['srv.wk.3c.msc4040.s.test', 'srv.4.msc4040.s.test'].map((name) => a(name, '203.0.113.2')),
  { name: '5.s.test', type: 'AAAA', data: '2001:db8::5' },
  srv('_matrix._tcp.wk.3c.s.test', 7754, 'srv.wk.3c.s.test'),
  srv('_matrix._tcp.4.s.test', 7855, 'srv.4.s.test'),
  srv('_matrix-fed._tcp.wk.3c.msc4040.s.test', 7053, 'srv.wk.3c.msc4040.s.test'),
  srv('_matrix-fed._tcp.4.msc4040.s.test', 7054, 'srv.4.msc4040.s.test'),
  ...['wrong-name.test', 'expired.test', 'stranger.test', 'large.test', 'slow.test', 'moved.test'].map((name) =>
    a(name),
  ),
  a('two.test', '203.0.113.9'),
  a('two.test', '203.0.113.1'),
];

const DOCUMENTS: Record<string, string> = {
  '3b.s.test': 'wk.3b.s.test:7753',
  '3c.s.test': 'wk.3c.s.test',
  '3d.s.test': 'wk.3d.s.test',
  '3c.msc4040.s.test': 'wk.3c.msc4040.s.test',
  'wrong-name.test': 'hs.test:443',
  'expired.test': 'hs.test:443',
  'two.test': '203.0.113.2:443',
};

let net: Internet;

beforeAll(async () => {
  net = await startInternet(ZONE);
  const names = [...new Set(ZONE.map(({ name }) => name))].filter((name) => !/^_|wrong|expired|stranger/.test(name));
  const good = await net.certificate(names);
  const certificates = Object.fromEntries(names.map((name) => [name, good]));
  await net.serve('203.0.113.1 443', {
    certificates: {
      ...certificates,
      'wrong-name.test': await net.certificate(['other.test']),
      'expired.test': await net.certificate(['expired.test'], -1),
    },
    answer: (request, response) => {
      const host = request.headers.host ?? '';
      if (host === 'moved.test' && request.url !== '/there') return reply(response, 302, '', { Location: '/there' });
      if (host === 'moved.test') return reply(response, 200, '{"m.server":"203.0.113.2"}');
      if (host === 'large.test') return reply(response, 200, `{"m.server":"203.0.113.2",${' '.repeat(60_000)}}`);
      if (host === 'slow.test') return response.writeHead(200).write('{"m.server":');
      const document = DOCUMENTS[host];
      if (document === undefined) return reply(response, 404, '{}');
      return reply(response, 200, JSON.stringify({ 'm.server': document }), { 'Content-Type': 'text/plain' });
    },
  });
});

afterAll(() => net[Symbol.asyncDispose]());

describe('the cases of resolvematrix.dev', () => {
  it.for([
    ['2.s.test:7652', '2', '2.s.test', 7652, '2.s.test:7652', '2.s.test'],
    ['3b.s.test', '3.2', 'wk.3b.s.test', 7753, 'wk.3b.s.test:7753', 'wk.3b.s.test'],
    ['3c.s.test', '3.4', 'srv.wk.3c.s.test', 7754, 'wk.3c.s.test', 'wk.3c.s.test'],
    ['3d.s.test', '3.5', 'wk.3d.s.test', 8448, 'wk.3d.s.test', 'wk.3d.s.test'],
    ['4.s.test', '5', 'srv.4.s.test', 7855, '4.s.test', '4.s.test'],
    ['5.s.test', '6', '5.s.test', 8448, '5.s.test', '5.s.test'],
    ['3c.msc4040.s.test', '3.3', 'srv.wk.3c.msc4040.s.test', 7053, 'wk.3c.msc4040.s.test', 'wk.3c.msc4040.s.test'],
    ['4.msc4040.s.test', '4', 'srv.4.msc4040.s.test', 7054, '4.msc4040.s.test', '4.msc4040.s.test'],
  ] as const)('%s: step %s', async ([name, step, addressName, port, host, sni]) => {
    const { error, ...resolution } = await resolveServerName(name, net.resolve);
    expect(error).toBeNull();
    expect(resolution.step).toBe(step);
    expect(resolution.targets).toMatchObject([{ addressName, port, host, sni, certificateName: sni }]);
    const addresses = step === '6' ? ['203.0.113.1', '2001:db8::5'] : undefined;
    if (addresses !== undefined) expect(resolution.targets[0]?.addresses).toEqual(addresses);
  });

  it('asks for the document with the name as SNI and Host', async () => {
    net.seen.length = 0;
    await resolveServerName('3b.s.test', net.resolve);
    const url = '/.well-known/matrix/server';
    expect(net.seen).toEqual([{ place: '203.0.113.1 443', sni: '3b.s.test', host: '3b.s.test', url, method: 'GET' }]);
  });
});

describe('documents over real connections', () => {
  it.for([
    ['wrong-name.test', /for other\.test, not for wrong-name\.test/],
    ['expired.test', /CERT_HAS_EXPIRED/],
    ['large.test', /larger than 51200 bytes/],
  ] as const)('%s is not believed', async ([name, why]) => {
    const resolution = await resolveServerName(name, net.resolve);
    expect(resolution).toMatchObject({ step: '6', delegated: null, wellKnown: { outcome: 'unreachable' } });
    expect(resolution.wellKnown?.problem).toMatch(why);
  });

  it('are not believed under an unknown CA', async () => {
    const get = createHttpsGet({ ...net.dial, trust: createTrust(null) });
    const resolution = await resolveServerName('3b.s.test', { ...net.resolve, get });
    expect(resolution.wellKnown?.problem).toMatch(/not trusted/);
  });

  it('that never end are given up', async () => {
    const get = createHttpsGet({ ...net.dial, timeoutMs: 300 });
    const resolution = await resolveServerName('slow.test', { ...net.resolve, get });
    expect(resolution.wellKnown?.problem).toMatch(/no answer within 300 ms/);
  });

  it('are followed where they moved', async () => {
    expect(await resolveServerName('moved.test', net.resolve)).toMatchObject({ step: '3.1' });
  });

  it('are found at the second address when the first is dead', async () => {
    expect(await resolveServerName('two.test', net.resolve)).toMatchObject({ step: '3.1' });
  });

  it('are not fetched from private addresses unless that is allowed', async () => {
    const get = createHttpsGet({ ...net.dial, allowPrivate: false });
    net.seen.length = 0;
    const resolution = await resolveServerName('3b.s.test', { ...net.resolve, get });
    expect(resolution.wellKnown?.problem).toMatch(/^127\.0\.0\.1 is in a private or reserved range/);
    expect(net.seen).toEqual([]);
  });
});

describe('portico resolve', () => {
  async function run(...argv: string[]) {
    const terminal = recordingTerminal();
    const { address, port } = net.dns.server;
    const code = await runCli(['resolve', '--dns', `${address}:${port}`, ...argv], terminal);
    return { code, out: terminal.outLines.join('\n'), err: terminal.errLines.join('\n') };
  }

  it('prints where peers end up', async () => {
    const { code, out, err } = await run('2.s.test:7652');
    expect(err).toBe('');
    expect(code).toBe(0);
    expect(out).toMatch(/^1 +the server name is an IP literal: does not apply$/m);
    expect(out).toMatch(/^ +✓ A 2\.s\.test +203\.0\.113\.1/m);
    expect(out).toMatch(/^✓ Peers connect to +203\.0\.113\.1:7652 +by step 2$/m);
    expect(out).toMatch(/^ +with SNI +2\.s\.test$/m);
    expect(out).toMatch(/^! step 2: 203\.0\.113\.1 is in a private or reserved range\.$/m);
  });

  it('prints JSON', async () => {
    const { code, out } = await run('--json', '[2606:4700::1]:443');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      server_name: '[2606:4700::1]:443',
      step: '1',
      results: [{ addresses: ['2606:4700::1'], port: 443, host: '[2606:4700::1]:443', sni: null }],
      tried: [{ step: '1' }],
    });
  });

  it('exits 1 when there is nothing to connect to', async () => {
    const { code, out } = await run('gone.test:8448');
    expect(code).toBe(1);
    expect(out).toMatch(/Nothing to connect to \(step 2\): gone\.test has no address: NXDOMAIN\./);
  });

  it.for([
    [['under_score.test'], /is not a server name/],
    [[], /missing argument: SERVER_NAME/],
    [['a.test', 'b.test'], /unexpected argument: b\.test/],
    [['a.test', '--dns', 'resolver.example'], /not the address of a DNS server/],
    [['a.test', '--ca-file', '/does/not/exist'], /--ca-file \/does\/not\/exist cannot be used/],
  ] as const)('refuses %j with exit code 2', async ([argv, why]) => {
    const { code, out, err } = await run(...argv);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toMatch(why);
  });
});
