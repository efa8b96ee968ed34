/**
 * HTTP/2 with programs that others wrote: h2spec in strict mode, nghttp2, curl, Go, Python, Node, undici
 * and Chromium, against the real program in front of an honest homeserver.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { Agent, request as requestUndici } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { delay } from '../helpers/eventually.ts';
import { startHonestBackend } from '../helpers/honest-backend.ts';
import type { Echo, HonestBackend } from '../helpers/honest-backend.ts';
import { startBrowser } from './harness/browser.ts';
import { describePeers } from './harness/describe-peers.ts';
import { freePorts } from './harness/free-ports.ts';
import { PorticoProcess } from './harness/portico-process.ts';
import { findProgram } from './install/find-program.ts';
import { placeOf } from './install/place.ts';

const TARGET = '/_matrix/client/v3/probe';
const PROGRAM_LIMIT_MS = 100_000;

let backend: HonestBackend | undefined;
let portico: PorticoProcess | undefined;
let directory = '';
let caFile = '';
let base = '';
let port = 0;
let metricsPort = 0;

/** Runs a program to its end; what it wrote, also when it failed. */
async function run(command: string, ...args: string[]): Promise<{ code: number; output: string }> {
  const options = { timeout: PROGRAM_LIMIT_MS, maxBuffer: 64 * 1024 * 1024, env: { ...process.env, NO_COLOR: '1' } };
  try {
    const { stdout, stderr } = await promisify(execFile)(command, args, options);
    return { code: 0, output: stdout + stderr };
  } catch (error) {
    const { code, stdout = '', stderr = '' } = error as { code?: unknown; stdout?: string; stderr?: string };
    return {
      code: typeof code === 'number' ? code : 1,
      output: `${stdout}${stderr}${code === 'ENOENT' ? command : ''}`,
    };
  }
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** Sum of the samples of a metric whose labels hold this value. */
async function metricOf(name: string, label: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) && line.includes(`"${label}"`));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

/** A body without an end in sight, which undici takes as it is; after a few pieces the request is given up. */
async function* endless(given: AbortController): AsyncGenerator<Buffer> {
  for (let piece = 0; piece < 1000; piece += 1) {
    yield Buffer.alloc(1000);
    if (piece === 5) given.abort();
    await delay(10);
  }
}

beforeAll(async () => {
  backend = await startHonestBackend();
  directory = mkdtempSync(join(tmpdir(), 'portico-http2-'));
  const [https = 0, federation = 0, metrics = 0] = await freePorts(3);
  portico = await PorticoProcess.start({
    serverName: `localhost:${federation}`,
    kind: 'synapse',
    homeserver: backend.url,
    httpsPort: https,
    federationPort: federation,
    metricsPort: metrics,
    directory: join(directory, 'portico'),
  });
  caFile = join(directory, 'ca.pem');
  writeFileSync(caFile, portico.ca);
  base = `https://localhost:${https}`;
  port = https;
  metricsPort = metrics;
}, 90_000);
afterAll(async () => {
  await portico?.stop();
  await backend?.close();
  rmSync(directory, { recursive: true, force: true });
}, 60_000);

describePeers(['h2spec'], 'h2spec', () => {
  it('passes whole, in strict mode', async () => {
    const report = join(directory, 'h2spec.xml');
    // A path that is relayed: to requests that Portico answers itself it may answer before they break a rule, which RFC 9113
    // §8.1 allows and h2spec does not expect (its cases about trailers and content-length wait for the whole request).
    const { output } = await run(
      join(placeOf('h2spec'), 'h2spec'),
      ...['-S', '-t', '-k', '-h', 'localhost', '-p', String(port), '-P', TARGET, '-o', '5', '-j', report],
    );
    const xml = readFileSync(report, 'utf8');
    const failed = [
      ...xml.matchAll(/<testcase package="([^"]*)" classname="([^"]*)"[^>]*>\s*<(?:failure|error|skipped)/g),
    ];
    expect(failed.map(([, where, what]) => `${where ?? ''}: ${what ?? ''}`)).toEqual([]);
    // All of its cases ran: the number is that of this version.
    expect(xml.match(/<testcase /g)).toHaveLength(146);
    expect(output).toMatch(/146 tests, 146 passed, 0 skipped, 0 failed/);
  });
});

describePeers(['nghttp2'], 'nghttp2', () => {
  it('h2load: 1000 requests, ten streams at a time, all 2xx', async () => {
    const { output } = await run('h2load', '-n', '1000', '-c', '1', '-m', '10', base + TARGET);
    expect(output).toContain('1000 succeeded, 0 failed, 0 errored, 0 timeout');
    expect(output).toContain('1000 2xx, 0 3xx, 0 4xx, 0 5xx');
    expect(output).toContain('Application protocol: h2');
  });

  it('h2load: 2000 requests with a body, four connections of fifty streams, all 2xx', async () => {
    const body = join(directory, 'body');
    writeFileSync(body, Buffer.alloc(20_000, 'x'));
    const { output } = await run('h2load', '-n', '2000', '-c', '4', '-m', '50', '-d', body, base + TARGET);
    expect(output).toContain('2000 succeeded, 0 failed, 0 errored, 0 timeout');
    expect(output).toContain('2000 2xx, 0 3xx, 0 4xx, 0 5xx');
  });

  it('nghttp: tiny windows, padding, a body, many requests; no protocol error', async () => {
    const body = join(directory, 'nghttp-body');
    const bytes = Buffer.alloc(300_000, 'y');
    writeFileSync(body, bytes);
    const { code, output } = await run(
      'nghttp',
      ...['-v', '-w', '10', '-W', '12', '-b', '64', '-m', '5', '-d', body, '-H', ':method: PUT', base + TARGET],
    );
    expect(code).toBe(0);
    expect(output.match(/recv \(stream_id=\d+\) :status: 200/g)).toHaveLength(5);
    expect(output.split(sha256(bytes))).toHaveLength(6);
    expect(output).not.toMatch(/RST_STREAM|error_code=(?!NO_ERROR)/);
  });
});

describe.skipIf(findProgram('curl') === null)('curl', () => {
  it('--http2: GET and a large PUT', async () => {
    const bytes = Buffer.from(Array.from({ length: 2_000_000 }, (_, index) => (index * 31 + (index >> 9)) & 0xff));
    const file = join(directory, 'curl-body');
    writeFileSync(file, bytes);
    const common = ['-sS', '--http2', '--cacert', caFile, '-w', '\n%{http_version} %{http_code}'];
    const read = await run('curl', ...common, base + TARGET);
    expect(read.output.split('\n').at(-1)).toBe('2 200');
    const write = await run('curl', ...common, '-T', file, `${base}/_matrix/media/v3/upload`);
    const [echo = '', verdict] = write.output.split('\n');
    expect(verdict).toBe('2 200');
    expect(JSON.parse(echo)).toMatchObject({ method: 'PUT', bodyLength: bytes.length, bodySha256: sha256(bytes) });
  });
});

describe("Node's http2 client", () => {
  it('GET and PUT, a hundred at a time on one session', async () => {
    const session = connectHttp2(base, { ca: portico?.ca ?? '' });
    const failures: unknown[] = [];
    session.on('error', (error: unknown) => failures.push(error));
    try {
      const ask = (index: number): Promise<{ status: number; echo: Echo }> =>
        new Promise((resolve, reject) => {
          const body = Buffer.alloc(index * 500, index);
          const stream = session.request({ ':method': 'PUT', ':path': `${TARGET}/${index}`, cookie: ['a=1', 'b=2'] });
          let status = 0;
          const parts: Buffer[] = [];
          stream.on('response', (head) => (status = head[':status'] ?? 0));
          stream.on('data', (part: Buffer) => parts.push(part));
          stream.on('end', () => resolve({ status, echo: JSON.parse(Buffer.concat(parts).toString()) as Echo }));
          stream.on('error', reject);
          stream.end(body);
        });
      const all = await Promise.all(Array.from({ length: 100 }, (_, index) => ask(index)));
      for (const [index, { status, echo }] of all.entries()) {
        expect([status, echo.url, echo.bodyLength]).toEqual([200, `${TARGET}/${index}`, index * 500]);
        expect(echo.bodySha256).toBe(sha256(Buffer.alloc(index * 500, index)));
        expect(echo.rawHeaders.filter((_, at) => echo.rawHeaders[at - 1]?.toLowerCase() === 'cookie')).toEqual([
          'a=1; b=2',
        ]);
      }
    } finally {
      session.close();
    }
    expect(failures).toEqual([]);
  });
});

describe('undici', () => {
  it('allowH2: sixty requests at a time, with and without bodies, then one that is given up', async () => {
    const agent = new Agent({ allowH2: true, connections: 1, pipelining: 100, connect: { ca: portico?.ca ?? '' } });
    const streamsBefore = await metricOf('portico_requests_total', 'client');
    const connectionsBefore = await metricOf('portico_connections_total', 'https');
    try {
      const all = await Promise.all(
        Array.from({ length: 60 }, async (_, index) => {
          const body = Buffer.alloc(index % 2 === 1 ? index * 1000 : 0, index);
          const answer = await requestUndici(`${base}${TARGET}/${index}`, {
            dispatcher: agent,
            method: index % 2 === 1 ? 'PUT' : 'GET',
            headers: { 'x-index': String(index) },
            ...(index % 2 === 1 && { body }),
          });
          return { status: answer.statusCode, echo: (await answer.body.json()) as Echo, body };
        }),
      );
      for (const [index, { status, echo, body }] of all.entries()) {
        expect([status, echo.url, echo.bodyLength]).toEqual([200, `${TARGET}/${index}`, body.length]);
        expect(echo.bodySha256).toBe(sha256(body));
        expect(echo.rawHeaders[echo.rawHeaders.indexOf('x-index') + 1]).toBe(String(index));
      }
      // It spoke HTTP/2: one connection carried all of them at once.
      expect(await metricOf('portico_connections_total', 'https')).toBe(connectionsBefore + 1);
      expect(await metricOf('portico_requests_total', 'client')).toBe(streamsBefore + 60);
      const given = new AbortController();
      const never = requestUndici(`${base}${TARGET}`, {
        dispatcher: agent,
        method: 'PUT',
        signal: given.signal,
        body: endless(given) as unknown as Readable,
      });
      await expect(never).rejects.toThrow();
      const after = await requestUndici(`${base}${TARGET}/after`, { dispatcher: agent });
      expect([after.statusCode, ((await after.body.json()) as Echo).url]).toEqual([200, `${TARGET}/after`]);
    } finally {
      await agent.destroy();
    }
  });
});

describePeers(['h2spec'], "Go's net/http", () => {
  it('sixty requests at a time, with and without bodies', async () => {
    const { code, output } = await run(join(placeOf('h2spec'), 'go-client'), caFile, base + TARGET, '60');
    expect([code, code === 0 ? '' : output]).toEqual([0, '']);
    const all = JSON.parse(output) as { proto: string; status: number; body: string }[];
    for (const [index, seen] of all.entries()) {
      expect([seen.proto, seen.status]).toEqual(['HTTP/2.0', 200]);
      const body = Buffer.alloc(index % 2 === 1 ? index * 1000 : 0, index);
      expect(JSON.parse(seen.body)).toMatchObject({
        url: `${TARGET}/${index}`,
        bodyLength: body.length,
        bodySha256: sha256(body),
      });
    }
  });
});

describePeers(['httpx'], 'Python httpx', () => {
  const PROGRAM = `
import asyncio, hashlib, httpx, json, ssl, sys
async def main(ca, base, count):
    context = ssl.create_default_context(cafile=ca)
    async with httpx.AsyncClient(http2=True, verify=context, timeout=60) as client:
        async def ask(i):
            body = bytes([i]) * (i * 1000)
            r = await client.put(f"{base}/{i}", content=body)
            echo = r.json()
            good = echo["bodyLength"] == len(body) and echo["bodySha256"] == hashlib.sha256(body).hexdigest()
            return [r.http_version, r.status_code, good]
        print(json.dumps(await asyncio.gather(*[ask(i) for i in range(count)])))
asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
`;
  it('fifty uploads at a time', async () => {
    const python = join(placeOf('httpx'), 'bin', 'python');
    const { code, output } = await run(python, '-c', PROGRAM, caFile, base + TARGET, '50');
    expect([code, code === 0 ? '' : output]).toEqual([0, '']);
    expect(JSON.parse(output)).toEqual(Array.from({ length: 50 }, () => ['HTTP/2', 200, true]));
  });
});

describePeers(['chromium'], 'Chromium', () => {
  it('speaks h2 to the page’s own origin: forty requests at a time, an upload, a download', async () => {
    const { browser, close } = await startBrowser([portico?.ca ?? '']);
    try {
      const page = await browser.newPage();
      await page.goto(`${base}/_matrix/client/versions`);
      const seen = await page.evaluate(async (target) => {
        const ask = async (index: number): Promise<unknown> => {
          const response = await fetch(`${target}/${index}`, { method: 'PUT', body: 'x'.repeat(index * 3000) });
          const echo = (await response.json()) as { url: string; bodyLength: number };
          return [response.status, echo.url, echo.bodyLength];
        };
        const answers = await Promise.all(Array.from({ length: 40 }, (_, index) => ask(index)));
        const entries = performance.getEntries() as unknown as { nextHopProtocol?: string }[];
        const protocols = entries.flatMap((entry) => (entry.nextHopProtocol ? [entry.nextHopProtocol] : []));
        return { answers, protocols: [...new Set(protocols)] };
      }, TARGET);
      expect(seen.answers).toEqual(Array.from({ length: 40 }, (_, index) => [200, `${TARGET}/${index}`, index * 3000]));
      expect(seen.protocols).toEqual(['h2']);
    } finally {
      await close();
    }
  });
});
