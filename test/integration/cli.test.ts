/** The other commands as processes: what goes to which stream, and the exit codes. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCliProcess, startCli } from './cli-process.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'portico-cli-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const GOOD = `sites: [{server_name: localhost, homeserver: "http://127.0.0.1:8008"}]
certificates: [{names: [localhost], local_ca: true}]
`;

async function config(text: string): Promise<string> {
  const path = join(directory, 'portico.yaml');
  await writeFile(path, text);
  return path;
}

describe('portico check', () => {
  it('a good file: 0, and what it says of the sites', async () => {
    const { code, stdout, stderr } = await runCliProcess(['check', '--config', await config(GOOD)]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('localhost (delegation: none) → http://127.0.0.1:8008');
  });

  it('finds ./portico.yaml by itself, and $PORTICO_CONFIG before it', async () => {
    await config(GOOD);
    expect(await runCliProcess(['check'], { cwd: directory })).toMatchObject({ code: 0 });
    const env = { PORTICO_CONFIG: join(directory, 'nowhere.yaml') };
    expect(await runCliProcess(['check'], { cwd: directory, env })).toMatchObject({ code: 2 });
  });

  it('a file with errors: 1, each problem with place and fix', async () => {
    const path = await config('sites: [{server_name: localhost, homeserver: "ftp://x", dlegation: srv}]\n');
    const { code, stdout } = await runCliProcess(['check', '--config', path]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/portico\.yaml:1:\d+ CONFIG_UPSTREAM_URL .*\n +fix: /);
    expect(stdout).toMatch(/portico\.yaml:1:\d+ CONFIG_UNKNOWN_KEY .*delegation/s);
  });

  it('--json: the same as data', async () => {
    const bad = await runCliProcess(['check', '--json', '--config', await config('sites: []\n')]);
    expect(bad.code).toBe(1);
    expect(JSON.parse(bad.stdout)).toEqual({
      ok: false,
      problems: [
        {
          file: join(directory, 'portico.yaml'),
          line: 1,
          column: expect.any(Number),
          code: 'CONFIG_OUT_OF_RANGE',
          severity: 'error',
          message: expect.any(String),
          fix: expect.any(String),
        },
      ],
    });
    const good = await runCliProcess(['check', '--json', '--config', await config(GOOD)]);
    expect(good.code).toBe(0);
    expect(JSON.parse(good.stdout)).toEqual({ ok: true, problems: [] });
  });

  it('no file to check, or wrong usage: 2', async () => {
    expect(await runCliProcess(['check', '--config', join(directory, 'none.yaml')])).toMatchObject({ code: 2 });
    expect(await runCliProcess(['check'], { cwd: directory })).toMatchObject({
      code: 2,
      stdout: expect.stringContaining('CONFIG_NOT_FOUND'),
    });
    expect(await runCliProcess(['check', '--fast'])).toMatchObject({ code: 2, stdout: '' });
  });
});

describe('portico health', () => {
  /** Stands where the metrics port of a running Portico would be. */
  async function metricsPort(status: number, body: string) {
    const paths: (string | undefined)[] = [];
    const server = createServer((message, response) => {
      paths.push(message.url);
      response.writeHead(status).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const close = () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    return { port, paths, close };
  }

  it.for([
    [200, 'ready\n', 0],
    [503, 'not ready\nlisteners: stopping\n', 1],
  ] as const)('%i: exit code %i', async ([status, body, expected]) => {
    const { port, paths, close } = await metricsPort(status, body);
    try {
      const path = await config(`${GOOD}metrics: {listen: "127.0.0.1:${port}"}\n`);
      const { code, stdout } = await runCliProcess(['health', '--config', path]);
      expect({ code, stdout, paths }).toEqual({ code: expected, stdout: body, paths: ['/health/ready'] });
    } finally {
      await close();
    }
  });

  it('nobody there: 1, with the reason; no metrics port: 2', async () => {
    const { port, close } = await metricsPort(200, '');
    await close();
    const gone = await runCliProcess([
      'health',
      '--config',
      await config(`${GOOD}metrics: {listen: "127.0.0.1:${port}"}\n`),
    ]);
    expect(gone).toMatchObject({ code: 1, stderr: expect.stringContaining('ECONNREFUSED') });
    const off = await runCliProcess(['health', '--config', await config(`${GOOD}metrics: {listen: off}\n`)]);
    expect(off).toMatchObject({ code: 2 });
  });
});

it('a reader that leaves early is no error', async () => {
  // The shell closes the pipe after the first bytes; the schema is larger than a pipe holds.
  await using cli = startCli(['schema'], {
    nodeArgs: ['--import', `data:text/javascript,queueMicrotask(()=>process.stdout.destroy())`],
  });
  expect(await cli.ended).toBe(0);
  expect(cli.stderr()).toBe('');
});
