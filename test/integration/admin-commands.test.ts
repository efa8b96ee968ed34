/** The commands that talk to a running `portico run` through its admin socket. */
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import { createTestCa } from '../helpers/test-certificates.ts';
import { runCliProcess, startCli } from './cli-process.ts';
import type { CliProcess } from './cli-process.ts';

let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'portico-admin-'));
  path = join(directory, 'portico.yaml');
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** Two sites, one with the local CA and one with files. */
async function writeConfig({ extra = '', listener = '127.0.0.1:0' } = {}): Promise<void> {
  await writeFile(
    path,
    `sites:
  - {server_name: localhost, homeserver: "http://127.0.0.1:1"}
  - {server_name: files.test, homeserver: "http://127.0.0.1:1"}
listeners:
  - {address: "${listener}", role: https}
certificates:
  - {names: [localhost], local_ca: true}
  - {names: [files.test], files: {chain: chain.pem, key: key.pem}}
metrics: {listen: "127.0.0.1:0"}
${extra}`,
  );
}

async function writeFiles(): Promise<void> {
  const { cert, key } = await (await createTestCa()).issue(['files.test']);
  await writeFile(join(directory, 'chain.pem'), cert);
  await writeFile(join(directory, 'key.pem'), key, { mode: 0o600 });
}

async function startPortico(): Promise<CliProcess> {
  const portico = startCli(['run', '--config', path]);
  await portico.seen(/"msg":"serving"/);
  // It serves before it can be asked.
  await eventually(() => stat(join(directory, 'certs', 'portico.sock')));
  return portico;
}

function command(...args: string[]) {
  return runCliProcess([...args, '--config', path]);
}

function portOf(portico: CliProcess): number {
  return Number(/"role":"https","host":"127\.0\.0\.1","port":(\d+)/.exec(portico.stdout())?.[1]);
}

/** The leaf that is served for a name. */
function leafOf(port: number, servername: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername, rejectUnauthorized: false }, () => {
      resolve(new X509Certificate(socket.getPeerX509Certificate()!.raw).fingerprint256);
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

describe('with a running Portico', () => {
  beforeEach(async () => {
    await writeFiles();
    await writeConfig();
  });

  it('the socket is for its user alone, and gone when the process has ended', async () => {
    await using portico = await startPortico();
    const socket = join(directory, 'certs', 'portico.sock');
    expect((await stat(socket)).mode & 0o777).toBe(0o600);
    expect((await stat(socket)).isSocket()).toBe(true);
    portico.kill('SIGTERM');
    expect(await portico.ended).toBe(0);
    await expect(stat(socket)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('status: the process, its ports, its certificates', async () => {
    await using portico = await startPortico();
    const { code, stdout } = await command('status', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      pid: portico.pid,
      config: path,
      draining: false,
      ready: true,
      listeners: [{ role: 'https', host: '127.0.0.1', port: portOf(portico) }],
      sites: ['localhost', 'files.test'],
      certificates: { count: 2, first_expiry: expect.stringMatching(/^20\d\d-.*Z$/) },
    });
    const text = await command('status');
    expect(text).toMatchObject({ code: 0, stderr: '' });
    expect(text.stdout).toMatch(/^Portico \S+ is serving\n/);
    expect(text.stdout).toContain(`127.0.0.1:${portOf(portico)}`);
  });

  it('reload: a good config is taken; a broken one is told with its places, exit code 2, and the old state serves', async () => {
    await using portico = await startPortico();
    await writeConfig({ extra: 'shutdown_timeout: 1s\n' });
    expect(await command('reload')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/reloaded, snapshot version 2/),
    });
    expect(portico.stdout()).toContain('"msg":"reloaded"');

    const socket = join(directory, 'certs', 'portico.sock');
    await writeConfig({ extra: 'log: {level: loud}\n' });
    // The command finds the socket in the broken config all the same, and it is the process that says what is wrong.
    for (const args of [
      ['--config', path],
      ['--socket', socket],
    ]) {
      const text = await runCliProcess(['reload', ...args]);
      expect(text).toMatchObject({ code: 2, stdout: '' });
      expect(text.stderr).toMatch(/portico\.yaml:10:\d+ CONFIG_NOT_ONE_OF /);
      const json = await runCliProcess(['reload', '--json', ...args]);
      expect(json.code).toBe(2);
      expect(JSON.parse(json.stdout)).toMatchObject({
        ok: false,
        error: { code: 'CONFIG_INVALID' },
        problems: [{ file: path, line: 10, code: 'CONFIG_NOT_ONE_OF', fix: expect.any(String) }],
      });
    }
    expect(portico.stdout()).toContain('old state keeps serving');
    expect(await leafOf(portOf(portico), 'localhost')).toMatch(/^[0-9A-F:]+$/);
    const status = await command('status', '--json');
    expect(JSON.parse(status.stdout)).toMatchObject({ ready: true, snapshot_version: 2 });

    // Where not even the socket can be found in it, the command says what keeps it from that.
    await writeFile(path, 'sites: [');
    const unreadable = await command('reload');
    expect(unreadable).toMatchObject({ code: 2, stderr: expect.stringContaining('CONFIG_YAML_SYNTAX') });
    expect(await runCliProcess(['reload', '--socket', socket])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('CONFIG_YAML_SYNTAX'),
    });
  });

  it('reload: what cannot be put in place is exit code 1, with its fix', async () => {
    await using portico = await startPortico();
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    try {
      await writeConfig({ listener: `127.0.0.1:${(taken.address() as AddressInfo).port}` });
      const { code, stderr } = await command('reload');
      expect(code).toBe(1);
      expect(stderr).toMatch(/^LISTEN_ADDRESS_IN_USE .*\n {2}fix: \S/);
      expect(await leafOf(portOf(portico), 'localhost')).not.toBe('');
    } finally {
      await new Promise((resolve) => taken.close(resolve));
    }
  });

  it('reload: the socket moves with its key, and the question that moved it is answered', async () => {
    await using _portico = await startPortico();
    await writeConfig({ extra: 'admin: {socket: other.sock}\n' });
    const old = join(directory, 'certs', 'portico.sock');
    expect(await runCliProcess(['reload', '--socket', old])).toMatchObject({ code: 0 });
    expect(await command('status')).toMatchObject({ code: 0 });
    await eventually(() => expect(stat(old)).rejects.toMatchObject({ code: 'ENOENT' }));
  });

  it('drain: it ends with exit code 0', async () => {
    await using portico = await startPortico();
    const { code, stdout } = await command('drain', '--wait');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ending: .*\n. ended\n$/);
    expect(await portico.ended).toBe(0);
    expect(portico.stdout()).toMatch(/"msg":"stopped"/);
    const again = await command('drain');
    expect(again).toMatchObject({ code: 1, stderr: expect.stringMatching(/^ADMIN_NOT_RUNNING /) });
  });

  it('certs list: both, in the shape that was promised, and as a table', async () => {
    await using _portico = await startPortico();
    const { code, stdout } = await command('certs', 'list', '--json');
    expect(code).toBe(0);
    const { running, certificates } = JSON.parse(stdout);
    expect(running).toBe(true);
    expect(certificates).toHaveLength(2);
    expect(certificates).toContainEqual({
      names: ['localhost'],
      source: 'local_ca',
      issuer: expect.stringMatching(/^Portico local CA /),
      profile: null,
      not_after: expect.stringMatching(/Z$/),
      days_left: 89,
      next_renewal: expect.stringMatching(/Z$/),
      reason: expect.any(String),
      last_problem: null,
    });
    expect(certificates).toContainEqual(
      expect.objectContaining({
        names: ['files.test'],
        source: 'files',
        issuer: 'Test upstream CA',
        next_renewal: null,
      }),
    );
    const text = await command('certs');
    expect(text).toMatchObject({ code: 0, stderr: '' });
    expect(text.stdout).toMatch(
      /^NAMES +SOURCE +ISSUER +DAYS +RENEWAL +WHY\nfiles\.test +files .*\nlocalhost +local_ca .*\n$/,
    );
  });

  it('certs list: files that went bad are named as its last problem, exit code 1', async () => {
    await using portico = await startPortico();
    await writeFile(join(directory, 'chain.pem'), 'no certificate');
    await portico.seen(/CERT_UNPARSABLE/);
    const { code, stdout } = await command('certs', '--json');
    expect(code).toBe(1);
    expect(JSON.parse(stdout).certificates).toContainEqual(
      expect.objectContaining({
        names: ['files.test'],
        last_problem: expect.objectContaining({ code: 'CERT_UNPARSABLE', fix: expect.any(String) }),
      }),
    );
  });

  it('certs renew: a new certificate is served, and seen to be served', async () => {
    await using portico = await startPortico();
    const before = await leafOf(portOf(portico), 'localhost');
    const { code, stdout } = await command('certs', 'renew', 'localhost', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ names: ['localhost'], source: 'local_ca', state: 'renewed' });
    await eventually(async () => {
      expect(await leafOf(portOf(portico), 'localhost')).not.toBe(before);
    });
  });

  it('certs renew: an unknown name and one that others renew are refused with what to do', async () => {
    await using _portico = await startPortico();
    const unknown = await command('certs', 'renew', 'unknown.test');
    expect(unknown).toMatchObject({ code: 1, stdout: '' });
    expect(unknown.stderr).toMatch(/^RENEW_NAME_UNKNOWN .*unknown\.test.*\n {2}fix: \S/);
    const files = await command('certs', 'renew', 'files.test', '--json');
    expect(files.code).toBe(1);
    expect(JSON.parse(files.stdout)).toMatchObject({ ok: false, error: { code: 'RENEW_NOT_OURS' } });
  });
});

describe('without a running Portico', () => {
  it('certs list reads files and store, and says so', async () => {
    await writeFiles();
    await writeConfig();
    {
      await using portico = await startPortico();
      portico.kill('SIGTERM');
      await portico.ended;
    }
    const { code, stdout, stderr } = await command('certs', 'list', '--json');
    expect(code).toBe(0);
    const { running, certificates } = JSON.parse(stdout);
    expect(running).toBe(false);
    expect(
      certificates.map(({ names, days_left: days }: { names: string[]; days_left: number }) => [names, days]),
    ).toEqual([
      [['localhost'], 89],
      [['files.test'], 29],
    ]);
    expect(stderr).toBe('');
    const text = await command('certs');
    expect(text.stderr).toBe('No Portico runs; this is what files and store hold.\n');
  });

  it('makes nothing in a store that is not there yet', async () => {
    await writeFiles();
    await writeConfig();
    const { stdout } = await command('certs', '--json');
    expect(JSON.parse(stdout).certificates).toContainEqual(
      expect.objectContaining({ names: ['localhost'], days_left: null, reason: 'made at the next start' }),
    );
    await expect(stat(join(directory, 'certs'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it.for([['status'], ['reload'], ['drain'], ['certs', 'renew', 'localhost']])(
    '%j: exit code 1, with a fix',
    async (args) => {
      await writeFiles();
      await writeConfig();
      const { code, stderr } = await command(...args);
      expect(code).toBe(1);
      expect(stderr).toMatch(/^ADMIN_NOT_RUNNING .*portico\.sock.*\n {2}fix: \S/);
    },
  );

  it('a socket that another process answers at keeps a second Portico from starting', async () => {
    await writeFiles();
    const socket = join(directory, 'shared.sock');
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(socket, resolve));
    try {
      await writeConfig({ extra: 'admin: {socket: shared.sock}\n' });
      const { code, stderr } = await runCliProcess(['run', '--config', path]);
      expect(code).toBe(2);
      expect(stderr).toContain('ADMIN_SOCKET_IN_USE');
      expect(await readFile(path, 'utf8')).toContain('shared.sock');
    } finally {
      await new Promise((resolve) => other.close(resolve));
    }
  });
});
