/** The admin socket on a real path: who may open it, what it answers, what it refuses, and what it does with what is left over. */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AdminApi } from '../../../src/admin/api.ts';
import { AdminRefusal, askAdmin } from '../../../src/admin/client.ts';
import { startAdminServer } from '../../../src/admin/server.ts';
import type { AdminServer } from '../../../src/admin/server.ts';
import { PorticoError } from '../../../src/base/errors.ts';

let directory: string;
let path: string;
let server: AdminServer | null;
let defects: unknown[];
let calls: string[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'portico-admin-'));
  path = join(directory, 'portico.sock');
  server = null;
  defects = [];
  calls = [];
});
afterEach(async () => {
  await server?.close();
  await rm(directory, { recursive: true, force: true });
});

const STATUS = { version: '1', pid: 1 } as unknown as ReturnType<AdminApi['status']>;

async function start(api: Partial<AdminApi> = {}): Promise<void> {
  server = await startAdminServer({
    path,
    api: {
      status: () => STATUS,
      reload: async () => ({ snapshot_version: 2, warnings: [] }),
      drain: () => {
        calls.push('drain');
        return { draining: true, deadline_ms: 30_000 };
      },
      certificates: async () => [],
      renew: async (name) => {
        calls.push(`renew ${name}`);
        return { names: [name], source: 'local_ca', state: 'renewed' };
      },
      rollover: async () => ({ accounts: [{ issuer: 'ca', account_url: 'https://ca.test/1' }] }),
      canary: () => ({ target: '/a', answer_key: '00' }),
      ...api,
    },
    onDefect: (error) => defects.push(error),
  });
}

/** A request as no command sends it: status, or the code of the error. */
function raw(method: string, url: string, body = ''): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: path, method, path: url, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

describe('the socket', () => {
  it('is of mode 0600, whatever the umask, and leaves the umask as it was', async () => {
    const before = process.umask(0);
    try {
      await start();
      expect(process.umask(0)).toBe(0);
    } finally {
      process.umask(before);
    }
    const { mode } = await stat(path);
    expect(mode & 0o777).toBe(0o600);
  });

  it('is gone after close', async () => {
    await start();
    await server?.close();
    server = null;
    await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(askAdmin(path, 'status')).rejects.toMatchObject({ code: 'ADMIN_NOT_RUNNING' });
  });

  it('replaces that of a process that died', async () => {
    const code = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    expect(spawnSync(process.execPath, ['-e', code]).signal).toBe('SIGKILL');
    expect((await stat(path)).isSocket()).toBe(true);
    await expect(askAdmin(path, 'status')).rejects.toMatchObject({ code: 'ADMIN_NOT_RUNNING' });
    await start();
    expect(await askAdmin(path, 'status')).toEqual(STATUS);
  });

  it('refuses a live one, and leaves it alone', async () => {
    await start();
    const first = server;
    await expect(start()).rejects.toMatchObject({ code: 'ADMIN_SOCKET_IN_USE', fix: expect.any(String) });
    server = first;
    expect(await askAdmin(path, 'status')).toEqual(STATUS);
  });

  it('never removes what is no socket', async () => {
    await writeFile(path, 'precious');
    await expect(start()).rejects.toMatchObject({ code: 'ADMIN_SOCKET_FAILED' });
    expect((await stat(path)).size).toBe(8);
    await rm(path);
    await symlink(join(directory, 'elsewhere'), path);
    await expect(start()).rejects.toMatchObject({ code: 'ADMIN_SOCKET_FAILED' });
  });

  it.for([
    ['a path that is too long', () => join(directory, 'x'.repeat(120))],
    ['a directory that is not there', () => join(directory, 'missing', 'portico.sock')],
  ] as const)('refuses %s with a fix', async ([, place]) => {
    path = place();
    await expect(start()).rejects.toMatchObject({ code: 'ADMIN_SOCKET_FAILED', fix: expect.any(String) });
  });

  it('has no more than a few connections at once, and none for ever', async () => {
    await start();
    const idle = Array.from({ length: 40 }, () => createConnection({ path }));
    let closed = 0;
    await new Promise<void>((resolve) => {
      for (const socket of idle) {
        socket.on('error', () => undefined);
        socket.on('close', () => {
          if (++closed === 24) resolve();
        });
      }
    });
    for (const socket of idle) socket.destroy();
    expect(closed).toBe(24);
  });
});

describe('questions', () => {
  it('are answered with what the api says', async () => {
    await start();
    expect(await askAdmin(path, 'reload')).toEqual({ snapshot_version: 2, warnings: [] });
    expect(await askAdmin(path, 'certificates')).toEqual({ certificates: [] });
    expect(await askAdmin(path, 'renew', { name: 'a.example' })).toMatchObject({ state: 'renewed' });
    expect(await askAdmin(path, 'drain')).toMatchObject({ draining: true });
    expect(await askAdmin(path, 'rollover')).toEqual({
      accounts: [{ issuer: 'ca', account_url: 'https://ca.test/1' }],
    });
    expect(await askAdmin(path, 'canary')).toEqual({ target: '/a', answer_key: '00' });
    expect(calls).toEqual(['renew a.example', 'drain']);
  });

  it('that fail carry code, fix and problems', async () => {
    const problems = [{ file: 'x', line: 1, column: 1, code: 'C', severity: 'error', message: 'm', fix: 'f' }];
    await start({
      reload: async () => {
        throw Object.assign(new PorticoError('CONFIG_INVALID', 'no', { fix: 'mend it' }), { problems });
      },
    });
    const refusal = await askAdmin(path, 'reload').catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(AdminRefusal);
    expect(refusal).toMatchObject({ code: 'CONFIG_INVALID', message: 'no', fix: 'mend it', problems });
    expect(defects).toEqual([]);
  });

  it('a defect is told to the log and to the caller', async () => {
    await start({
      certificates: async () => {
        throw new TypeError('on purpose');
      },
    });
    await expect(askAdmin(path, 'certificates')).rejects.toMatchObject({ code: 'ADMIN_DEFECT' });
    expect(defects).toHaveLength(1);
  });

  it.for([
    ['GET', '/'],
    ['GET', '/v1/drain'],
    ['POST', '/v1/status'],
    ['GET', '/v1/canary'],
    ['GET', '/v1/../v1/status'],
    ['DELETE', '/v1/certificates'],
    ['POST', '/v1/certificates/renew'],
    ['GET', '/__proto__'],
  ] as const)('%s %s is refused and does nothing', async ([method, url]) => {
    await start();
    const answer = await raw(method, url);
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.text)).toMatchObject({ error: { code: 'ADMIN_REQUEST_INVALID' } });
    expect(calls).toEqual([]);
  });

  it.for(['', 'null', '[]', '{"name": 7}', '{"name"', `{"name": "${'x'.repeat(5000)}"}`])(
    'renew with the body %j is refused',
    async (body) => {
      await start();
      const answer = await raw('POST', '/v1/certificates/renew', body);
      expect(answer.status).toBe(400);
      expect(calls).toEqual([]);
    },
  );

  it('answers the question it has while it closes', async () => {
    const work = Promise.withResolvers<undefined>();
    const begun = Promise.withResolvers<undefined>();
    await start({
      reload: async () => {
        begun.resolve(undefined);
        await work.promise;
        return { snapshot_version: 3, warnings: [] };
      },
    });
    const asked = askAdmin(path, 'reload');
    await begun.promise;
    const closed = server!.close();
    server = null;
    work.resolve(undefined);
    expect(await asked).toMatchObject({ snapshot_version: 3 });
    await closed;
  });
});

it('a connection that says nothing does not hold it up', async () => {
  await start();
  const silent = createConnection({ path });
  silent.on('error', () => undefined);
  await new Promise((resolve) => silent.once('connect', resolve));
  const closed = new Promise((resolve) => silent.once('close', resolve));
  await askAdmin(path, 'status');
  await server!.close();
  server = null;
  await closed;
}, 20_000);

describe('askAdmin', () => {
  it('gives up on a process that does not answer, or not in JSON', async () => {
    let silent = true;
    const other = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.resume();
      if (!silent) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno');
    });
    await new Promise<void>((resolve) => other.listen(path, resolve));
    try {
      await expect(askAdmin(path, 'status', null, 50)).rejects.toMatchObject({ code: 'ADMIN_NO_ANSWER' });
      silent = false;
      await expect(askAdmin(path, 'status')).rejects.toMatchObject({ code: 'ADMIN_NO_ANSWER' });
    } finally {
      await new Promise((resolve) => other.close(resolve));
    }
  });
});
