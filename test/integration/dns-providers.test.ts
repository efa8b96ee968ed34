/** The ways of changing DNS through others: a program, a service, and a server that does not answer as it should. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { execProvider } from '../../src/acme/challenges/providers/exec.ts';
import { webhookProvider } from '../../src/acme/challenges/providers/webhook.ts';
import { systemClock } from '../../src/base/clock.ts';
import { sendUpdate } from '../../src/dns/update.ts';
import { startDnsServer } from '../helpers/dns-server.ts';
import { eventually } from '../helpers/eventually.ts';
import { createTestCa } from '../helpers/test-certificates.ts';

const RECORD = { name: '_acme-challenge.example.test', value: '-abc_$(id);"\'', ttl: 60 };
const signal = (): AbortSignal => new AbortController().signal;

describe('exec', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'portico-exec-'));
  });
  afterAll(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  function program(name: string, body: string): string {
    const path = join(directory, name);
    writeFileSync(path, `#!/bin/sh\n${body}\n`);
    chmodSync(path, 0o700);
    return path;
  }
  const provider = (path: string, timeoutMs = 20_000) =>
    execProvider({ path, timeoutMs, env: { PATH: process.env.PATH, HOME: '/nowhere', SECRET: 'hush' } });

  it('gives the program its arguments as they are, and little of our environment', async () => {
    const seen = join(directory, 'seen');
    const path = program('record', `printf '%s\\n' "$@" > ${seen}; env >> ${seen}; pwd >> ${seen}`);
    await provider(path).add(RECORD, signal());
    const lines = readFileSync(seen, 'utf8').split('\n');
    expect(lines.slice(0, 4)).toEqual(['add', RECORD.name, RECORD.value, '60']);
    expect(lines).toContain('HOME=/nowhere');
    expect(lines.join('\n')).not.toContain('hush');
    await provider(path).remove(RECORD, signal());
    expect(readFileSync(seen, 'utf8')).toMatch(/^remove\n/);
  });

  it('says how it ended and the end of what it wrote', async () => {
    const path = program(
      'fail',
      `yes x | head -c 100000; echo; echo "zone is $(printf '\\033[31mlocked')" >&2; exit 3`,
    );
    await expect(provider(path).add(RECORD, signal())).rejects.toMatchObject({
      code: 'ACME_DNS_EXEC',
      // Without the escape that would colour a terminal, and not all 100000 octets.
      message: expect.stringMatching(/^\S+fail ended with exit code 3; its output: .{0,2000}zone is \[31mlocked$/),
    });
    const killed = program('killed', 'kill -9 $$');
    await expect(provider(killed).add(RECORD, signal())).rejects.toMatchObject({
      message: expect.stringMatching(/signal SIGKILL/),
    });
    await expect(provider(join(directory, 'absent')).add(RECORD, signal())).rejects.toMatchObject({
      code: 'ACME_DNS_EXEC',
      message: expect.stringMatching(/could not be started.*ENOENT/),
    });
  });

  it('ends one that does not end, with everything that it started', async () => {
    const pidFile = join(directory, 'pid');
    const path = program('hang', `sleep 600 & echo $! > ${pidFile}; wait`);
    // The time limit runs from its start, within which it must get as far as to write the file.
    await expect(provider(path, 2000).add(RECORD, signal())).rejects.toMatchObject({
      message: expect.stringMatching(/did not end within 2 s and was killed/),
    });
    await expectGone(pidFile);
  });

  it('ends it when the order is given up', async () => {
    const pidFile = join(directory, 'pid-abort');
    const path = program('hang-too', `sleep 600 & echo $! > ${pidFile}; wait`);
    const controller = new AbortController();
    const reason = new Error('shutting down');
    const outcome = expect(provider(path).add(RECORD, controller.signal)).rejects.toBe(reason);
    await eventually(() => {
      expect(readFileSync(pidFile, 'utf8')).toMatch(/\d\n/);
    });
    controller.abort(reason);
    await outcome;
    await expectGone(pidFile);
  });

  it('does not wait for what the program leaves running', async () => {
    const pidFile = join(directory, 'pid-daemon');
    const path = program('daemon', `sleep 600 & echo $! > ${pidFile}; exit 0`);
    await provider(path).add(RECORD, signal());
    // It is there still, with the program's output open. A signal that it ignores would throw if it were not.
    const pid = Number(readFileSync(pidFile, 'utf8'));
    process.kill(pid, 0);
    process.kill(pid, 'SIGKILL');
  });

  it('runs one program at a time', async () => {
    const lock = join(directory, 'lock');
    const path = program('alone', `mkdir ${lock} || exit 9; sleep 0.05; rmdir ${lock}`);
    const one = provider(path);
    await Promise.all(Array.from({ length: 4 }, () => one.add(RECORD, signal())));
    expect(existsSync(lock)).toBe(false);
  });

  async function expectGone(pidFile: string): Promise<void> {
    const pid = Number(readFileSync(pidFile, 'utf8'));
    // A zombie that nobody collects counts as gone.
    await eventually(() => {
      const state = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[2] : 'Z';
      expect(state).toBe('Z');
    });
  }
});

describe('webhook', () => {
  type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

  async function service(handler: Handler, tls?: { cert: string; key: string }) {
    const listener = (request: IncomingMessage, response: ServerResponse): void => {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => (body += text));
      request.on('end', () => handler(request, response, body));
    };
    const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    return {
      url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}/hook`,
      [Symbol.asyncDispose]: async () => {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      },
    };
  }

  it('posts the record as JSON, and takes any 2xx for done', async () => {
    const seen: unknown[] = [];
    await using hook = await service(({ method, url, headers }, response, body) => {
      seen.push([method, url, headers['content-type'], JSON.parse(body)]);
      response.writeHead(seen.length === 1 ? 200 : 204).end();
    });
    const provider = webhookProvider({ url: `${hook.url}?token=1` });
    await provider.add(RECORD, signal());
    await provider.remove(RECORD, signal());
    expect(seen).toEqual([
      ['POST', '/hook?token=1', 'application/json', { action: 'add', ...RECORD }],
      ['POST', '/hook?token=1', 'application/json', { action: 'remove', ...RECORD }],
    ]);
  });

  it('says what the service said, and nothing of the secrets in the URL', async () => {
    await using hook = await service((_, response) => {
      response.writeHead(422).end(`no such zone\n${'x'.repeat(5000)}`);
    });
    const url = `${hook.url}?token=hush`;
    const error: unknown = await webhookProvider({ url })
      .add(RECORD, signal())
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'ACME_DNS_WEBHOOK',
      message: expect.stringMatching(/\/hook answered 422, a refusal: no such zone x{900,1000}$/),
    });
    expect(String(error)).not.toContain('hush');
  });

  it('follows no redirect', async () => {
    let asked = 0;
    await using hook = await service((_, response) => {
      asked++;
      response.writeHead(307, { location: '/hook' }).end();
    });
    await expect(webhookProvider({ url: hook.url }).add(RECORD, signal())).rejects.toMatchObject({
      message: expect.stringMatching(/answered 307, a redirect, which is not followed/),
    });
    expect(asked).toBe(1);
  });

  it('asks nobody whose certificate is not trusted', async () => {
    let asked = 0;
    const tls = await (await createTestCa()).issue(['127.0.0.1']);
    await using hook = await service((_, response) => {
      asked++;
      response.end();
    }, tls);
    await expect(webhookProvider({ url: hook.url }).add(RECORD, signal())).rejects.toMatchObject({
      code: 'ACME_DNS_WEBHOOK',
      message: expect.stringMatching(/certificate/),
    });
    expect(asked).toBe(0);
  });

  it('waits no longer than it was told to, for the answer and for its body', async () => {
    await using silent = await service(() => undefined);
    await expect(webhookProvider({ url: silent.url, timeoutMs: 300 }).add(RECORD, signal())).rejects.toMatchObject({
      code: 'ACME_DNS_WEBHOOK',
      message: expect.stringMatching(/no answer within 0\.3 s/),
    });
    await using endless = await service((_, response) => {
      response.writeHead(500);
      response.write('never done');
    });
    await expect(webhookProvider({ url: endless.url, timeoutMs: 300 }).add(RECORD, signal())).rejects.toMatchObject({
      code: 'ACME_DNS_WEBHOOK',
    });
  });

  it('does not wait for the body of a success', async () => {
    await using hook = await service((_, response) => {
      response.writeHead(200);
      response.write('never done');
    });
    await webhookProvider({ url: hook.url, timeoutMs: 20_000 }).add(RECORD, signal());
  });

  it('rejects with the reason when the order is given up', async () => {
    const controller = new AbortController();
    const reason = new Error('shutting down');
    await using hook = await service(() => controller.abort(reason));
    await expect(webhookProvider({ url: hook.url }).add(RECORD, controller.signal)).rejects.toBe(reason);
  });

  it('says why when the service cannot be reached', async () => {
    const gone = await service(() => undefined);
    await gone[Symbol.asyncDispose]();
    const { url } = gone;
    await expect(webhookProvider({ url }).add(RECORD, signal())).rejects.toMatchObject({
      message: expect.stringMatching(/ECONNREFUSED/),
    });
  });
});

describe('a DNS server that does not answer updates as it should', () => {
  const key = { name: 'portico', algorithm: 'hmac-sha256', secret: Buffer.alloc(32, 7) } as const;
  const update = {
    zone: 'example.test',
    prerequisites: [],
    changes: [{ kind: 'add', name: 'a.example.test', text: 'x', ttl: 1 }],
  } as const;
  const deps = { random: randomBytes, clock: systemClock, timeoutMs: 10_000 };

  /** Header and zone of the update with these flags, unsigned. */
  const unsigned = (flags: number) => (message: Buffer) => {
    const response = Buffer.from(message.subarray(0, 12 + 14 + 4));
    response.writeUInt16BE(flags, 2);
    for (const count of [6, 8, 10]) response.writeUInt16BE(0, count);
    return response;
  };

  it.each<[string, (message: Buffer) => Buffer, string]>([
    ['success without a signature', unsigned(0xa800), 'DNS_UPDATE_UNVERIFIED'],
    ['a refusal without one', unsigned(0xa805), 'DNS_UPDATE_REFUSED'],
    ['a failure without one', unsigned(0xa802), 'DNS_UPDATE_REFUSED'],
    ['the update itself', (message) => message, 'DNS_UPDATE_UNVERIFIED'],
    ['garbage', (message) => createHash('sha256').update(message).digest(), 'DNS_UPDATE_UNVERIFIED'],
    [
      'our own signature',
      (message) => {
        const response = Buffer.from(message);
        response.writeUInt16BE(0xa800, 2);
        return response;
      },
      'DNS_UPDATE_UNVERIFIED',
    ],
  ])('with %s', async (_, raw, code) => {
    await using dns = await startDnsServer();
    dns.answer = () => ({ raw });
    await expect(sendUpdate(dns.server, update, key, deps)).rejects.toMatchObject({ code });
    expect(dns.seen).toMatchObject([{ transport: 'tcp' }]);
  });

  it('but is silent, closes or is not there', async () => {
    const dns = await startDnsServer();
    dns.answer = () => null;
    const late = sendUpdate(dns.server, update, key, { ...deps, timeoutMs: 200 });
    await expect(late).rejects.toMatchObject({ code: 'DNS_UPDATE_TIMEOUT' });
    dns.answer = () => 'close';
    await expect(sendUpdate(dns.server, update, key, deps)).rejects.toMatchObject({ code: 'DNS_UPDATE_UNVERIFIED' });
    await dns.close();
    await expect(sendUpdate(dns.server, update, key, deps)).rejects.toMatchObject({ code: 'DNS_UPDATE_UNREACHABLE' });
  });
});
