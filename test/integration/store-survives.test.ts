/** What the store promises for bad days: killed writers, a second process, a full disk, a read-only disk, strange files. */
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { randomInt } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it, type TestContext } from 'vitest';
import { FileStore } from '../../src/store/file-store.ts';
import { startPortico, type ConfigInput, type Portico } from '../helpers/portico.ts';
import { mountSmallDisk, type SmallDisk } from '../helpers/small-disk.ts';
import { numberOf } from '../helpers/store-writer.ts';

const WRITER = join(import.meta.dirname, '..', 'helpers', 'store-writer.ts');
const ROUNDS = 12;

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'portico-store-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

interface Writer {
  readonly child: ChildProcessByStdio<null, Readable, null>;
  /** Number of the last acknowledged write, by key. */
  readonly acknowledged: Map<string, number>;
  /** Resolves when `count` writes were acknowledged. */
  wrote(count: number): Promise<void>;
}

/** Starts a writer and waits until it has the lock. */
async function startWriter(): Promise<Writer> {
  const child = spawn(process.execPath, [WRITER, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
  const acknowledged = new Map<string, number>();
  let text = '';
  let lines = 0;
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    const whole = text.split('\n');
    text = whole.pop() ?? '';
    for (const line of whole) {
      lines++;
      const [key = '', number] = line.split(' ');
      if (number !== undefined) acknowledged.set(key, Number(number));
    }
    child.emit('lines');
  });
  const until = async (count: number): Promise<void> => {
    while (lines < count) await once(child, 'lines');
  };
  await until(1);
  return { child, acknowledged, wrote: (count) => until(count + 1) };
}

async function kill({ child }: Writer): Promise<void> {
  const closed = once(child, 'close');
  child.kill('SIGKILL');
  await closed;
}

describe('a writer that is killed in the middle of writing', () => {
  it(`leaves every value whole and nothing acknowledged lost, ${String(ROUNDS)} times in a row`, async () => {
    let written = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const writer = await startWriter();
      await writer.wrote(randomInt(1, 12));
      await sleep(randomInt(0, 8));
      await kill(writer);

      const store = new FileStore(directory);
      const lock = await store.lock();
      expect(lock.problems).toEqual([]);
      const keys = await store.list('');
      expect(keys).toEqual(expect.arrayContaining([...writer.acknowledged.keys()]));
      for (const key of keys) {
        const number = numberOf((await store.get(key))?.toString() ?? '');
        expect(number, key).not.toBeNull();
        expect(number, key).toBeGreaterThanOrEqual(writer.acknowledged.get(key) ?? 0);
        written++;
      }
      await lock.release();
      const files = await readdir(directory, { recursive: true });
      expect(files.filter((file) => file.includes('.tmp-'))).toEqual([]);
      await rm(join(directory, 'acme'), { recursive: true });
      await rm(join(directory, 'local_ca'), { recursive: true, force: true });
    }
    expect(written).toBeGreaterThan(ROUNDS);
  });
});

describe('a second process', () => {
  it('is refused with the number of the first, and may start once that was killed', async () => {
    const writer = await startWriter();
    try {
      await expect(new FileStore(directory).lock()).rejects.toMatchObject({
        code: 'STORE_LOCKED',
        message: expect.stringContaining(`process ${String(writer.child.pid)}`) as string,
        fix: expect.stringContaining('Stop that process') as string,
      });
    } finally {
      await kill(writer);
    }
    await (await new FileStore(directory).lock()).release();
  });
});

/** What the certificate of a handshake for `example.test` is, by its fingerprint. */
async function servedBy({ https, ca }: Portico): Promise<string> {
  const socket = connect({ ...https, servername: 'example.test', ca });
  try {
    await once(socket, 'secureConnect');
    return socket.getPeerCertificate().fingerprint256;
  } finally {
    socket.destroy();
  }
}

/** The test's disk; ends the test as skipped, with the reason, where none can be mounted. */
async function withSmallDisk(context: TestContext, body: (disk: SmallDisk) => Promise<void>): Promise<void> {
  const disk = mountSmallDisk();
  if ('missing' in disk) return context.skip(disk.missing);
  try {
    await body(disk);
  } finally {
    disk.unmount();
  }
}

const UNWRITABLE = {
  code: 'STORE_UNWRITABLE',
  fix: expect.stringContaining('free space') as string,
};

describe('a full disk', () => {
  it('refuses writes with a code, keeps what is there and leaves no leftovers', (context) =>
    withSmallDisk(context, async (disk) => {
      const store = new FileStore(disk.path);
      const lock = await store.lock();
      await store.put('area/name', 'old');
      await disk.fill();
      const message = expect.stringContaining('ENOSPC') as string;
      await expect(store.put('area/name', 'new'.repeat(3000))).rejects.toMatchObject({ ...UNWRITABLE, message });
      await expect(store.put('area/other', 'new'.repeat(3000))).rejects.toMatchObject(UNWRITABLE);
      expect((await store.get('area/name'))?.toString()).toBe('old');
      expect(await store.list('')).toEqual(['area/name']);
      expect(await readdir(join(disk.path, 'area'))).toEqual(['name']);
      await truncate(join(disk.path, 'ballast'));
      await store.put('area/name', 'new');
      expect((await store.get('area/name'))?.toString()).toBe('new');
      await lock.release();
    }));

  it('lets a start read what is there, says so, and takes the lock with the first write that fits', (context) =>
    withSmallDisk(context, async (disk) => {
      const before = new FileStore(disk.path);
      const old = await before.lock();
      await before.put('area/name', 'old');
      await old.release();
      await disk.fill();

      const store = new FileStore(disk.path);
      const lock = await store.lock();
      expect(lock.problems).toMatchObject([UNWRITABLE]);
      expect((await store.get('area/name'))?.toString()).toBe('old');
      await expect(store.put('area/name', 'new')).rejects.toMatchObject(UNWRITABLE);
      await truncate(join(disk.path, 'ballast'));
      await Promise.all([store.put('area/name', 'new'), store.put('area/other', 'new')]);
      await expect(new FileStore(disk.path).lock()).rejects.toMatchObject({ code: 'STORE_LOCKED' });
      await lock.release();
      await expect(store.put('area/name', 'late')).rejects.toMatchObject({ code: 'STORE_NOT_LOCKED' });
      expect((await readdir(disk.path)).sort()).toEqual(['area', 'ballast']);
    }));

  it('gives the first write to nobody while another process has the store', (context) =>
    withSmallDisk(context, async (disk) => {
      await disk.fill();
      const [first, second] = [new FileStore(disk.path), new FileStore(disk.path)];
      const locks = [await first.lock(), await second.lock()];
      await truncate(join(disk.path, 'ballast'));
      await first.put('area/name', 'first');
      await expect(second.put('area/name', 'second')).rejects.toMatchObject({ code: 'STORE_LOCKED' });
      expect((await second.get('area/name'))?.toString()).toBe('first');
      for (const lock of locks) await lock.release();
    }));
});

describe('a disk that has become read-only', () => {
  it('refuses writes with a code, and lets a start read what is there', (context) =>
    withSmallDisk(context, async (disk) => {
      const store = new FileStore(disk.path);
      const lock = await store.lock();
      await store.put('area/name', 'old');
      disk.remount('ro');
      const message = expect.stringContaining('EROFS') as string;
      await expect(store.put('area/name', 'new')).rejects.toMatchObject({ ...UNWRITABLE, message });
      await expect(store.delete('area/name')).rejects.toMatchObject({ ...UNWRITABLE, message });
      expect((await store.get('area/name'))?.toString()).toBe('old');

      const other = new FileStore(disk.path);
      const second = await other.lock();
      expect(second.problems).toMatchObject([{ ...UNWRITABLE, message }]);
      expect((await other.get('area/name'))?.toString()).toBe('old');
      await second.release();
      disk.remount('rw');
      await store.put('area/name', 'new');
      await lock.release();
    }));
});

describe('strange things in the store', () => {
  it('neither keep it from starting nor hold up a reader', async () => {
    const place = (name: string): string => join(directory, name);
    await mkdir(place('area/folder.pem'), { recursive: true });
    execFileSync('mkfifo', [place('area/pipe.pem')]);
    await symlink('loop.pem', place('area/loop.pem'));
    await symlink('/nowhere/at/all', place('area/dangling.pem'));
    await symlink('.', place('area/circle'));
    await mkdir(place('lost+found'));
    await writeFile(place('area/.tmp-half'), 'half');
    await mkdir(place('area/.tmp-folder'));
    await writeFile(place('UPPER.txt'), '\0');
    await writeFile(place('file'), 'where a folder should be');
    const store = new FileStore(directory);
    const lock = await store.lock();
    expect(lock.problems).toEqual([]);
    expect(await store.list('')).toEqual([]);
    for (const name of ['folder', 'pipe', 'loop', 'dangling']) expect(await store.get(`area/${name}.pem`)).toBeNull();
    expect(await store.get('file/below')).toBeNull();
    await expect(store.put('file/below', 'x')).rejects.toMatchObject({ code: 'STORE_UNWRITABLE' });
    await store.put('area/loop.pem', 'now a value');
    expect((await store.get('area/loop.pem'))?.toString()).toBe('now a value');
    await lock.release();
    expect(await readFile(place('file'), 'utf8')).toBe('where a folder should be');
  });

  it('of any size are not read into memory', async () => {
    await mkdir(join(directory, 'area'));
    await writeFile(join(directory, 'area', 'huge'), '');
    // Sparse: it takes no room, but reading it would take all memory.
    await truncate(join(directory, 'area', 'huge'), 2 ** 40);
    const store = new FileStore(directory);
    await expect(store.get('area/huge')).rejects.toMatchObject({ code: 'STORE_UNREADABLE' });
    await (await store.lock()).release();
  });

  it('that are left of a lock that was never finished go away once nobody can be about to use them', async () => {
    const name = '.lock-0123456789abcdef01';
    await writeFile(join(directory, name), 'half');
    await (await new FileStore(directory).lock()).release();
    expect(await readdir(directory)).toEqual([name]);
    execFileSync('touch', ['-d', '2020-01-01', join(directory, name)]);
    await (await new FileStore(directory).lock()).release();
    expect(await readdir(directory)).toEqual([]);
  });
});

describe('a Portico whose store can no longer be written', () => {
  it.for(['full', 'read-only'])('serves on from memory, reloads and starts again: %s', (how, context) =>
    withSmallDisk(context, async (disk) => {
      const options = {
        homeserver: 'http://127.0.0.1:9',
        configure: (config: ConfigInput) => (config.store = { path: disk.path }),
      };
      const first = await startPortico(options);
      let served: string;
      try {
        served = await servedBy(first);
        if (how === 'full') await disk.fill();
        else disk.remount('ro');
        await first.reload(() => undefined);
        expect(await servedBy(first)).toBe(served);
      } finally {
        await first.close();
      }
      // Files that the first one removed at its end have made room again.
      if (how === 'full') await disk.fill();
      const second = await startPortico(options);
      try {
        expect(await servedBy(second)).toBe(served);
        if (how === 'full') expect(second.log.join('\n')).toContain('STORE_UNWRITABLE');
      } finally {
        disk.remount('rw');
        await second.close();
      }
    }),
  );
});
