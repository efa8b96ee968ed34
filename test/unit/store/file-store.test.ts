import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, link, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileStore } from '../../../src/store/file-store.ts';
import { runStoreTests } from './store-conformance.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'portico-store-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

runStoreTests('FileStore', async () => {
  const place = await mkdtemp(join(tmpdir(), 'portico-store-'));
  return {
    open: () => new FileStore(place),
    remove: () => rm(place, { recursive: true, force: true }),
  };
});

async function modeOf(...path: string[]): Promise<string> {
  return ((await stat(join(directory, ...path))).mode & 0o777).toString(8);
}

/** A process number that nobody has: of a process that has ended. */
async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  return child.pid ?? 0;
}

function writeLock(lock: Record<string, unknown>): Promise<void> {
  return writeFile(join(directory, '.lock'), JSON.stringify(lock));
}

describe('files and folders', () => {
  it('are for their owner only, whatever the umask lets through', async () => {
    const store = new FileStore(join(directory, 'new', 'store'));
    const before = process.umask(0);
    try {
      const lock = await store.lock();
      await store.put('local_ca/leaves/a.pem', 'secret');
      await store.put('local_ca/leaves/a.pem', 'secret 2');
      expect(await modeOf('new', 'store')).toBe('700');
      expect(await modeOf('new', 'store', 'local_ca')).toBe('700');
      expect(await modeOf('new', 'store', 'local_ca', 'leaves')).toBe('700');
      expect(await modeOf('new', 'store', 'local_ca', 'leaves', 'a.pem')).toBe('600');
      expect(await modeOf('new', 'store', '.lock')).toBe('600');
      await lock.release();
    } finally {
      process.umask(before);
    }
  });

  it('leave nothing else behind', async () => {
    const store = new FileStore(directory);
    const lock = await store.lock();
    await store.put('area/name', 'x');
    await store.put('area/name', 'y');
    await lock.release();
    expect(await readdir(directory)).toEqual(['area']);
    expect(await readdir(join(directory, 'area'))).toEqual(['name']);
  });

  it('beside the store are neither listed nor touched', async () => {
    await writeFile(join(directory, 'README.md'), 'hello');
    await writeFile(join(directory, 'portico.sock'), '');
    await mkdir(join(directory, 'area'));
    await writeFile(join(directory, 'area', '.gitignore'), '*');
    await symlink('/etc/passwd', join(directory, 'area', 'link'));
    const store = new FileStore(directory);
    const lock = await store.lock();
    expect(await store.list('')).toEqual([]);
    await lock.release();
    expect(await readFile(join(directory, 'README.md'), 'utf8')).toBe('hello');
    expect((await readdir(join(directory, 'area'))).sort()).toEqual(['.gitignore', 'link']);
  });

  it('of a write that was cut off are removed at the next start, secrets that they are', async () => {
    await mkdir(join(directory, 'area'));
    await writeFile(join(directory, 'area', '.tmp-0123'), 'half a private key');
    await writeFile(join(directory, '.tmp-4567'), 'x');
    const lock = await new FileStore(directory).lock();
    expect(await readdir(join(directory, 'area'))).toEqual([]);
    await lock.release();
    expect(await readdir(directory)).toEqual(['area']);
  });

  it('keep the old value and no leftover when a write fails', async () => {
    const store = new FileStore(directory);
    const lock = await store.lock();
    await store.put('area/name', 'old');
    // A folder where the file should go makes the rename fail, for root too.
    await mkdir(join(directory, 'area', 'taken'));
    await expect(store.put('area/taken', 'x')).rejects.toMatchObject({ code: 'STORE_UNWRITABLE' });
    await expect(store.put('area/name/below', 'x')).rejects.toMatchObject({ code: 'STORE_UNWRITABLE' });
    expect((await store.get('area/name'))?.toString()).toBe('old');
    expect(await store.get('area/name/below')).toBeNull();
    expect((await readdir(join(directory, 'area'))).sort()).toEqual(['name', 'taken']);
    await lock.release();
  });
});

describe('a directory that cannot be used', () => {
  it('is refused when it is a file', async () => {
    const file = join(directory, 'file');
    await writeFile(file, '');
    const problem = { code: 'STORE_UNREADABLE', fix: expect.stringContaining(file) as string };
    await expect(new FileStore(file).lock()).rejects.toMatchObject(problem);
    await expect(new FileStore(join(file, 'below')).lock()).rejects.toMatchObject({ code: 'STORE_UNREADABLE' });
  });

  it.skipIf(process.getuid?.() === 0)('is refused when it may not be read or written', async () => {
    await chmod(directory, 0o500);
    await expect(new FileStore(directory).lock()).rejects.toMatchObject({ code: 'STORE_UNREADABLE' });
    await chmod(directory, 0o700);
  });

  it('reads as empty while it does not exist, and reading does not create it', async () => {
    const store = new FileStore(join(directory, 'later'));
    expect(await store.get('a/b')).toBeNull();
    expect(await store.list('')).toEqual([]);
    expect(await readdir(directory)).toEqual([]);
  });
});

describe('the lock', () => {
  it('of a live process is not taken, and that process is named', async () => {
    const script = `import { FileStore } from ${JSON.stringify(new URL('../../../src/store/file-store.ts', import.meta.url).href)};
      await new FileStore(process.argv[1]).lock(); console.log(process.pid); process.stdin.resume();`;
    const holder = spawn(process.execPath, ['--input-type=module-typescript', '-e', script, directory]);
    try {
      const [line] = (await once(holder.stdout, 'data')) as [Buffer];
      await expect(new FileStore(directory).lock()).rejects.toMatchObject({
        code: 'STORE_LOCKED',
        message: expect.stringContaining(line.toString().trim()) as string,
      });
    } finally {
      holder.kill('SIGKILL');
      await once(holder, 'exit');
    }
    await (await new FileStore(directory).lock()).release();
  });

  it('of a dead process is taken over', async () => {
    await writeLock({ pid: await deadPid(), began: '1', host: hostname(), token: 'x' });
    const lock = await new FileStore(directory).lock();
    await expect(new FileStore(directory).lock()).rejects.toMatchObject({ code: 'STORE_LOCKED' });
    await lock.release();
    expect(await readdir(directory)).toEqual([]);
  });

  it.runIf(process.platform === 'linux')('of an earlier process with the same number is taken over', async () => {
    // In a container the number is the same after each start.
    await writeLock({ pid: process.pid, began: '1', host: hostname(), token: 'x' });
    await (await new FileStore(directory).lock()).release();
  });

  it('of another machine counts while it is fresh', async () => {
    await writeLock({ pid: 1, began: '1', host: 'elsewhere', token: 'x' });
    await expect(new FileStore(directory).lock()).rejects.toMatchObject({
      code: 'STORE_LOCKED',
      message: expect.stringContaining('elsewhere') as string,
    });
    const longAgo = new Date(Date.now() - 60_000);
    await utimes(join(directory, '.lock'), longAgo, longAgo);
    await (await new FileStore(directory).lock()).release();
  });

  it.for(['', 'garbage', '{}', '{"pid":-1,"began":null,"host":"x"}', '[]', 'null', '7'])(
    'that says %j is nobody’s and is taken over',
    async (text) => {
      await writeFile(join(directory, '.lock'), text);
      await (await new FileStore(directory).lock()).release();
    },
  );

  it('of a dead process goes to exactly one of many who find it at once', async () => {
    // Twenty rounds: a takeover that is not exclusive shows in about one of fifty, so this is a watch, not a proof.
    const pid = await deadPid();
    for (let round = 0; round < 20; round++) {
      await writeLock({ pid, began: '1', host: hostname(), token: String(round) });
      const asked = await Promise.allSettled(Array.from({ length: 8 }, () => new FileStore(directory).lock()));
      const got = asked.filter((result) => result.status === 'fulfilled');
      expect(got).toHaveLength(1);
      for (const result of asked) {
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'STORE_LOCKED' });
      }
      for (const { value } of got) await value.release();
    }
  });

  it('whose takeover was cut off is taken over all the same', async () => {
    const dead = { pid: await deadPid(), began: '1', host: hostname(), token: 'x' };
    await writeLock(dead);
    await writeFile(join(directory, '.lock-takeover'), JSON.stringify(dead));
    await (await new FileStore(directory).lock()).release();
    expect(await readdir(directory)).toEqual([]);
  });

  it('that somebody else has put in its place is left to them', async () => {
    const lock = await new FileStore(directory).lock();
    await rm(join(directory, '.lock'));
    await writeFile(join(directory, 'theirs'), 'theirs');
    await link(join(directory, 'theirs'), join(directory, '.lock'));
    await lock.release();
    expect(await readFile(join(directory, '.lock'), 'utf8')).toBe('theirs');
  });
});
