/** `portico doctor` as it is typed, against servers on loopback; and the URI canary through proxies that tidy up. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createServer, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { askAdmin } from '../../src/admin/client.ts';
import { systemClock } from '../../src/base/clock.ts';
import { runCli } from '../../src/cli/index.ts';
import { UriCanary } from '../../src/delegation/canary/uri-canary.ts';
import { diagnose } from '../../src/delegation/doctor/diagnose.ts';
import { gather } from '../../src/delegation/doctor/probes/gather.ts';
import { eventually } from '../helpers/eventually.ts';
import { homeserverStub } from '../helpers/homeserver-stub.ts';
import { reply, startInternet } from '../helpers/internet.ts';
import { createTestCa } from '../helpers/test-certificates.ts';
import type { TestCertificate } from '../helpers/test-certificates.ts';
import { recordingTerminal } from '../unit/cli/recording-terminal.ts';
import { startCli } from './cli-process.ts';

let directory: string;
let caFile: string;
let name: string;
let pair: TestCertificate;
let close: () => Promise<void>;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'portico-doctor-'));
  caFile = join(directory, 'ca.pem');
  const ca = await createTestCa();
  await writeFile(caFile, ca.ca);
  pair = await ca.issue(['127.0.0.1']);
  const server = createServer(pair, (request, response) => {
    homeserverStub({ serverName: name })(request, response);
  });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  name = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  close = async () => {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  };
});

afterAll(async () => {
  await close();
  await rm(directory, { recursive: true });
});

async function run(...argv: string[]) {
  const terminal = recordingTerminal();
  const code = await runCli(['doctor', ...argv], terminal);
  return { code, out: terminal.outLines.join('\n'), err: terminal.errLines.join('\n') };
}

const inside = () => ['--allow-private', '--ca-file', caFile];

describe('portico doctor', () => {
  it('a healthy server: exit code 0', async () => {
    const { code, out, err } = await run(name, ...inside());
    expect(err).toBe('');
    expect(out).toMatch(/✓ everything is fine/);
    expect(out).toMatch(/Stub 1\.163\.0/);
    expect(code).toBe(0);
  });

  it('a CA that is not trusted: exit code 1, with the cause first', async () => {
    const { code, out } = await run(name, '--allow-private');
    expect(code).toBe(1);
    expect(out).toMatch(/^127\.0\.0\.1:\d+ {2}✗ 1 error\n\n {2}✗ certificate-/);
  });

  it('a private address without leave: not connected to, exit code 1', async () => {
    const { code, out } = await run(name, '--ca-file', caFile);
    expect(code).toBe(1);
    expect(out).toMatch(/✗ private-address/);
  });

  it('--json', async () => {
    const { code, out } = await run(name, '--json', ...inside());
    const printed = JSON.parse(out);
    expect(printed).toMatchObject({
      ok: true,
      servers: [{ server_name: name, ok: true, findings: [], report: { FederationOK: true } }],
    });
    expect(code).toBe(0);
  });

  it('--tap, two names', async () => {
    const { code, out } = await run(name, '127.0.0.1:1', '--tap', ...inside());
    expect(out).toMatch(/^TAP version 13\n1\.\.18\n/);
    expect(out).toContain(`ok 9 - federation_ok ${name}\n`);
    expect(out).toContain('not ok 18 - federation_ok 127.0.0.1:1\n');
    expect(out).toContain('# error no-address-answers: 127.0.0.1:1: ECONNREFUSED.');
    expect(code).toBe(1);
  });

  it('without a name: the sites of the config', async () => {
    const config = join(directory, 'portico.yaml');
    await writeFile(
      config,
      `sites:\n  - {server_name: "${name}", homeserver: "http://127.0.0.1:8008", client: {base_url: "https://${name}"}}\ncertificates:\n  - {names: ["127.0.0.1"], local_ca: true}\n`,
    );
    const { code, out, err } = await run('--config', config, ...inside());
    // Nothing runs that could answer a canary, and the report does not pretend otherwise.
    expect(err.split('\n')).toEqual([
      expect.stringMatching(/^portico doctor: No URI canary was sent, .* No Portico answers at .*portico\.sock\.$/),
    ]);
    expect(out).not.toContain('URIs unchanged');
    expect(out.split('\n')[0]).toBe(`${name}  ✓ everything is fine`);
    expect(code).toBe(0);
  });

  it.for<[readonly string[], RegExp]>([
    [['not a name'], /"not a name" is not a server name/],
    [['--json', '--tap', 'a.test'], /--json and --tap do not go together/],
    [['--max-requests', 'many', 'a.test'], /--max-requests is a number/],
    [['--config', '/does/not/exist.yaml'], /Fix: Run `portico check`/],
    [Array.from({ length: 21 }, (_, n) => `s${n}.test`), /unexpected argument: s20\.test/],
  ])('refuses %j with exit code 2', async ([argv, why]) => {
    const { code, out, err } = await run(...argv);
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(why);
  });
});

describe('portico doctor beside a running Portico', () => {
  it.for<[string, (url: string) => string, string | null]>([
    ['nothing that tidies up', (url) => url, null],
    ['a proxy that decodes %2F', (url) => url.replaceAll('%2F', '/'), '%2F became /'],
    ['a proxy that merges slashes', (url) => url.replaceAll('//', '/'), '// became /'],
  ])('has it answer a canary, through %s', async ([, tidy, change]) => {
    await using site = await startSite(tidy);
    const { code, out, err } = await run('--config', site.config, '--json', ...inside());
    expect(err).toBe('');
    const [{ findings, places }] = JSON.parse(out).servers;
    if (change === null) {
      expect(findings).toEqual([]);
      expect((await run('--config', site.config, ...inside())).out).toContain('URIs unchanged');
    } else {
      expect(findings).toMatchObject([{ code: 'uri-changed', seen: expect.stringContaining(change) }]);
    }
    expect(places).toHaveLength(1);
    expect(code).toBe(change === null ? 0 : 1);
  });
});

/** `portico run` behind a web server that ends TLS, as its config has it: the server name is the web server's address. */
async function startSite(tidy: (url: string) => string) {
  const stack = new AsyncDisposableStack();
  try {
    const home = await mkdtemp(join(tmpdir(), 'portico-doctor-site-'));
    stack.defer(() => rm(home, { recursive: true }));
    let port = 0;
    const front = createServer(pair, (request, response) => {
      const { method, headers } = request;
      const onward = httpsRequest(
        // The proxy's own trust is not what is tested.
        { host: '127.0.0.1', port, path: tidy(request.url ?? ''), method, headers, rejectUnauthorized: false },
        (answer) => answer.pipe(response.writeHead(answer.statusCode ?? 502, answer.headers)),
      );
      onward.on('error', () => response.destroy());
      request.pipe(onward);
    });
    front.on('tlsClientError', () => {});
    const homeserver = createHttpServer((request, response) => {
      homeserverStub({ serverName })(request, response);
    });
    for (const server of [front, homeserver]) {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      stack.defer(() => {
        server.close();
        server.closeAllConnections();
      });
    }
    const portOf = (server: { address(): unknown }): number => (server.address() as AddressInfo).port;
    const serverName = `127.0.0.1:${portOf(front)}`;
    const config = join(home, 'portico.yaml');
    await writeFile(
      config,
      stringify({
        sites: [
          {
            server_name: serverName,
            homeserver: `http://127.0.0.1:${portOf(homeserver)}`,
            client: { base_url: `https://${serverName}` },
          },
        ],
        listeners: [{ address: '127.0.0.1:0', role: 'https' }],
        certificates: [{ names: ['127.0.0.1'], local_ca: true }],
        metrics: { listen: 'off' },
        doctor: { self_check: false },
      }),
    );
    const running = stack.use(startCli(['run', '--config', config]));
    await running.seen(/"msg":"serving"/);
    const socket = join(home, 'certs', 'portico.sock');
    const status = await eventually(() => askAdmin(socket, 'status'));
    port = status.listeners[0]?.port ?? 0;
    const owned = stack.move();
    return { config, [Symbol.asyncDispose]: () => owned.disposeAsync() };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

describe('the URI canary', () => {
  it.for<[string, (url: string) => string, string | null]>([
    ['nothing in between', (url) => url, null],
    ['a proxy that decodes %2F', (url) => url.replaceAll('%2F', '/'), '%2F became /'],
    ['a proxy that merges slashes', (url) => url.replaceAll('//', '/'), '// became /'],
    ['a proxy that parses URLs as browsers do', (url) => url.replaceAll("'", '%27'), "' became %27"],
  ])('through %s', async ([, tidy, change]) => {
    await using net = await startInternet([{ name: 'a.test', type: 'A', data: '203.0.113.1' }]);
    const canary = new UriCanary({ secret: randomBytes(32), clock: systemClock, random: randomBytes });
    const documents = { client: { 'm.homeserver': { base_url: 'https://a.test' } } };
    const homeserver = homeserverStub({ serverName: 'a.test', documents });
    const certificates = { 'a.test': await net.certificate(['a.test']) };
    for (const port of [443, 8448]) {
      await net.serve(`203.0.113.1 ${port}`, {
        certificates,
        answer: (request, response) => {
          const body = canary.answer(request.method ?? '', tidy(request.url ?? ''));
          if (body === null) homeserver(request, response);
          else reply(response, 200, body);
        },
      });
    }
    const { dns, clock, random } = net.resolve;
    const deps = { dns, clock, random, dial: net.dial, maxRequests: 100, canary: async () => canary.question() };
    const expected = {
      delegation: 'none',
      mServer: null,
      client: documents.client,
      support: null,
      clientBaseUrl: '',
    } as const;
    const { findings } = diagnose(await gather('a.test', expected, deps, AbortSignal.timeout(20_000)));
    if (change === null) expect(findings).toEqual([]);
    else expect(findings).toMatchObject([{ code: 'uri-changed', seen: expect.stringContaining(change) }]);
  });

  it('is not sent to strangers', async () => {
    await using net = await startInternet([{ name: 'a.test', type: 'A', data: '203.0.113.1' }]);
    const { dns, clock, random } = net.resolve;
    const asked: string[] = [];
    const canary = async () => {
      asked.push('canary');
      return null;
    };
    await gather(
      'a.test',
      null,
      { dns, clock, random, dial: net.dial, maxRequests: 100, canary },
      AbortSignal.timeout(9000),
    );
    expect(asked).toEqual([]);
  });
});
