/** `portico run` as a service manager sees it: signals, exit codes, and what it says when it cannot start. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { Server, ServerResponse } from 'node:http';
import { request } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCliProcess, startCli } from './cli-process.ts';
import type { CliProcess } from './cli-process.ts';

let directory: string;
let homeserver: Server;
/** Responses of the homeserver to `/_matrix/client/v3/sync`, left open for the test to end. */
let polls: ServerResponse[];
let onPoll: () => void;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'portico-run-'));
  polls = [];
  onPoll = () => undefined;
  homeserver = createServer((message, response) => {
    if (message.url?.startsWith('/_matrix/client/v3/sync') === true) {
      polls.push(response);
      onPoll();
    } else {
      response.setHeader('Content-Type', 'application/json').end('{"versions":["v1.15"]}');
    }
  });
  await new Promise<void>((resolve) => homeserver.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  homeserver.closeAllConnections();
  await new Promise((resolve) => homeserver.close(resolve));
  await rm(directory, { recursive: true, force: true });
});

/** Writes a config into the test's directory and returns its path. */
async function writeConfig(extra = '', address = '127.0.0.1:0'): Promise<string> {
  const path = join(directory, 'portico.yaml');
  const { port } = homeserver.address() as AddressInfo;
  await writeFile(
    path,
    `sites:
  - {server_name: localhost, homeserver: "http://127.0.0.1:${port}"}
listeners:
  - {address: "${address}", role: https}
certificates:
  - {names: [localhost], local_ca: true}
metrics: {listen: "127.0.0.1:0"}
${extra}`,
  );
  return path;
}

/** Waits for the log line that says it serves; returns the port of its https listener. */
async function servingPort(portico: CliProcess): Promise<number> {
  const [line = ''] = await portico.seen(/^\{.*"msg":"serving".*\}$/m);
  return JSON.parse(line).listeners.find((listener: { role: string }) => listener.role === 'https').port;
}

/** GET over TLS, verified against the local CA; resolves to the status, rejects when the exchange is cut. */
async function get(port: number, path: string): Promise<number> {
  const ca = await localCa();
  return new Promise((resolve, reject) => {
    request(
      { host: '127.0.0.1', port, path, servername: 'localhost', headers: { Host: 'localhost' }, ca, agent: false },
      (response) => {
        response.resume().on('error', reject);
        response.on('end', () => resolve(response.statusCode ?? 0));
      },
    )
      .on('error', reject)
      .end();
  });
}

/** Opens a long poll and waits until the homeserver has it; resolves to its end: the status, or why it was cut. */
async function openPoll(port: number): Promise<{ end: Promise<number | Error> }> {
  const arrived = new Promise<void>((resolve) => (onPoll = resolve));
  const end = get(port, '/_matrix/client/v3/sync?timeout=30000').catch((error: unknown) => error as Error);
  const first = await Promise.race([arrived, end]);
  if (first !== undefined) throw new Error(`the poll did not arrive: ${String(first)}`);
  return { end };
}

async function localCa(): Promise<string> {
  return readFile(join(directory, 'certs', 'local_ca', 'ca.pem'), 'utf8');
}

describe('portico run', () => {
  it('SIGTERM: an open long poll is finished, new connections are refused, exit code 0', async () => {
    await using portico = startCli(['run', '--config', await writeConfig()]);
    const port = await servingPort(portico);
    const poll = await openPoll(port);
    portico.kill('SIGTERM');
    await portico.seen(/"msg":"stopping/);
    await expect(get(port, '/_matrix/client/versions')).rejects.toThrow();
    polls[0]!.end('{}');
    expect(await poll.end).toBe(200);
    expect(await portico.ended).toBe(0);
    expect(portico.stdout()).toMatch(/"msg":"stopped"/);
  });

  it('SIGTERM: what is not finished at the deadline is cut, exit code 0', async () => {
    await using portico = startCli(['run', '--config', await writeConfig('shutdown_timeout: 100ms')]);
    const port = await servingPort(portico);
    const poll = await openPoll(port);
    portico.kill('SIGINT');
    expect(await portico.ended).toBe(0);
    expect(await poll.end).not.toBe(200);
  });

  it('a second signal ends at once, exit code 1', async () => {
    await using portico = startCli(['run', '--config', await writeConfig()]);
    const port = await servingPort(portico);
    const poll = await openPoll(port);
    portico.kill('SIGTERM');
    await portico.seen(/"msg":"stopping/);
    portico.kill('SIGTERM');
    expect(await portico.ended).toBe(1);
    expect(await poll.end).toBeInstanceOf(Error);
  });

  it('SIGHUP: a bad config is logged with its place and the old state serves; a good one is taken', async () => {
    const path = await writeConfig();
    await using portico = startCli(['run', '--config', path]);
    const port = await servingPort(portico);
    await writeFile(path, 'sites: []\n');
    portico.kill('SIGHUP');
    const [line = ''] = await portico.seen(/^\{.*"code":"CONFIG_OUT_OF_RANGE".*\}$/m);
    expect(JSON.parse(line)).toMatchObject({ level: 50, file: path, line: 1, fix: expect.any(String) });
    await portico.seen(/"code":"CONFIG_INVALID".*old state keeps serving/);
    expect(await get(port, '/_matrix/client/versions')).toBe(200);
    expect(await get(port, '/elsewhere')).toBe(404);

    const good = await readFile(await writeConfig(), 'utf8');
    await writeFile(path, good.replace('server_name: localhost,', 'server_name: localhost, fallback: {status: 410},'));
    portico.kill('SIGHUP');
    await portico.seen(/"msg":"reloaded"/);
    // The listener with port 0 is the same one, so it keeps its port.
    expect(await get(port, '/elsewhere')).toBe(410);
    portico.kill('SIGTERM');
    expect(await portico.ended).toBe(0);
  });

  it('an uncaught error is logged with its code and ends with exit code 1; then it starts again with what it had', async () => {
    const path = await writeConfig();
    const thrower = `data:text/javascript,process.on('SIGUSR2',()=>{throw Object.assign(new Error('on purpose'),{code:'ON_PURPOSE'})})`;
    await using first = startCli(['run', '--config', path], { nodeArgs: ['--import', thrower] });
    await servingPort(first);
    const ca = await localCa();
    first.kill('SIGUSR2');
    expect(await first.ended).toBe(1);
    const [line = ''] = await first.seen(/^\{.*"code":"ON_PURPOSE".*\}$/m);
    expect(JSON.parse(line)).toMatchObject({ level: 60 });

    await using second = startCli(['run', '--config', path]);
    expect(await get(await servingPort(second), '/_matrix/client/versions')).toBe(200);
    expect(await localCa()).toBe(ca);
    second.kill('SIGTERM');
    expect(await second.ended).toBe(0);
  });

  it('a config with errors is not started: every problem on stderr, exit code 2', async () => {
    const path = join(directory, 'portico.yaml');
    await writeFile(path, 'sites:\n  - {server_name: "Bad Name"}\nlog: {level: loud}\n');
    const { code, stdout, stderr } = await runCliProcess(['run', '--config', path]);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/portico\.yaml:2:\d+ CONFIG_SERVER_NAME /);
    expect(stderr).toMatch(/portico\.yaml:3:\d+ CONFIG_NOT_ONE_OF /);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it('a port in use: code, address and fix on stderr, exit code 2', async () => {
    const taken = createTcpServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    try {
      const address = `127.0.0.1:${(taken.address() as AddressInfo).port}`;
      const { code, stderr } = await runCliProcess(['run', '--config', await writeConfig('', address)]);
      expect(code).toBe(2);
      expect(stderr).toContain('LISTEN_ADDRESS_IN_USE');
      expect(stderr).toContain(address);
      expect(stderr).toMatch(/^ {2}fix: \S/m);
      expect(stderr).not.toMatch(/^\s+at /m);
    } finally {
      await new Promise((resolve) => taken.close(resolve));
    }
  });

  it('a store that cannot be used: code and fix on stderr, exit code 2', async () => {
    await writeFile(join(directory, 'certs'), 'a file where the directory should be');
    const { code, stderr } = await runCliProcess(['run', '--config', await writeConfig()]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/STORE_[A-Z]+|CONFIG_STORE_[A-Z]+/);
    expect(stderr).toMatch(/fix: \S/);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it('a second Portico on the same store is refused, exit code 2', async () => {
    const path = await writeConfig();
    await using first = startCli(['run', '--config', path]);
    await servingPort(first);
    const second = await runCliProcess(['run', '--config', path]);
    expect(second).toMatchObject({ code: 2, stderr: expect.stringContaining('STORE_LOCKED') });
    first.kill('SIGTERM');
    expect(await first.ended).toBe(0);
  });
});
