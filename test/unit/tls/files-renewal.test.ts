/**
 * How other programs put renewed files in place, step by step on a real file system: at every step there is a certificate,
 * and at the end it is the new one.
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { link, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import type { PorticoError } from '../../../src/base/errors.ts';
import { FilesSource, type FilesSourceOptions } from '../../../src/tls/files-source.ts';
import { eventually } from '../../helpers/eventually.ts';
import { createTestCa, type TestCa, type TestCertificate } from '../../helpers/test-certificates.ts';

/** No look happens by itself: the test says when. */
const NEVER = 2 ** 30;

let ca: TestCa;
let directory: string;
let problems: PorticoError[];
let changes: number;
const sources: FilesSource[] = [];

beforeAll(async () => {
  ca = await createTestCa();
});

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'portico-files-'));
  problems = [];
  changes = 0;
});

afterEach(async () => {
  for (const source of sources.splice(0)) source.close();
  await rm(directory, { recursive: true, force: true });
});

function newPair(): Promise<TestCertificate> {
  return ca.issue(['a.example', '*.many.example']);
}

function at(...names: string[]): string {
  return join(directory, ...names);
}

/** Reads `tls.crt` and `tls.key` of the directory, unless told otherwise. */
async function newSource(options: Partial<FilesSourceOptions> = {}): Promise<FilesSource> {
  const source = new FilesSource({
    entries: [{ names: ['a.example'], chainPath: at('tls.crt'), keyPath: at('tls.key') }],
    clock: systemClock,
    onProblem: (problem) => problems.push(problem),
    pollMs: NEVER,
    settleMs: NEVER,
    ...options,
  });
  sources.push(source);
  source.onChange(() => changes++);
  await source.certificateFor('a.example');
  return source;
}

async function writePair(pair: TestCertificate, ...place: string[]): Promise<void> {
  await writeFile(at(...place, 'tls.crt'), pair.cert + ca.ca);
  await writeFile(at(...place, 'tls.key'), pair.key);
}

async function serves(source: FilesSource, pair: TestCertificate): Promise<void> {
  expect((await source.certificateFor('a.example'))?.chain.replaceAll(/\s/g, '')).toBe(
    (pair.cert + ca.ca).replaceAll(/\s/g, ''),
  );
}

describe('a renewal', () => {
  it('by certbot: each link is removed and made anew, one after the other', async () => {
    const [old, fresh] = [await newPair(), await newPair()];
    await mkdir(at('archive', 'a.example'), { recursive: true });
    await mkdir(at('live', 'a.example'), { recursive: true });
    const write = async (version: number, pair: TestCertificate): Promise<void> => {
      const files = { cert: pair.cert, privkey: pair.key, chain: ca.ca, fullchain: pair.cert + ca.ca };
      for (const [kind, text] of Object.entries(files)) {
        await writeFile(at('archive', 'a.example', `${kind}${String(version)}.pem`), text);
      }
    };
    const kinds = ['cert', 'privkey', 'chain', 'fullchain'];
    const target = (kind: string, version: number): string => `../../archive/a.example/${kind}${String(version)}.pem`;
    await write(1, old);
    for (const kind of kinds) await symlink(target(kind, 1), at('live', 'a.example', `${kind}.pem`));
    const chainPath = at('live', 'a.example', 'fullchain.pem');
    const keyPath = at('live', 'a.example', 'privkey.pem');
    const source = await newSource({ entries: [{ names: ['a.example'], chainPath, keyPath }] });
    await write(2, fresh);
    for (const kind of kinds) {
      await unlink(at('live', 'a.example', `${kind}.pem`));
      // Two looks at the same state would be a problem to tell: certbot is faster than that.
      if (chainPath.endsWith(`/${kind}.pem`) || keyPath.endsWith(`/${kind}.pem`)) await source.refresh();
      await serves(source, old);
      await symlink(target(kind, 2), at('live', 'a.example', `${kind}.pem`));
    }
    await source.refresh();
    await serves(source, fresh);
    expect(changes).toBe(1);
    expect(problems).toEqual([]);
  });

  it('by the kubelet: a new directory, one link swapped, the old directory removed', async () => {
    const [old, fresh] = [await newPair(), await newPair()];
    await mkdir(at('..2026_11_01'));
    await writePair(old, '..2026_11_01');
    await symlink('..2026_11_01', at('..data'));
    for (const file of ['tls.crt', 'tls.key']) await symlink(`..data/${file}`, at(file));
    const source = await newSource({ settleMs: 5 });
    await mkdir(at('..2026_11_28'));
    await writePair(fresh, '..2026_11_28');
    await symlink('..2026_11_28', at('..data_tmp'));
    await rename(at('..data_tmp'), at('..data'));
    await rm(at('..2026_11_01'), { recursive: true });
    await eventually(() => serves(source, fresh));
    expect(changes).toBe(1);
    expect(problems).toEqual([]);
  });

  it.for(['tls.crt', 'tls.key'])('by renames, %s first', async (first) => {
    const [old, fresh] = [await newPair(), await newPair()];
    await writePair(old);
    const source = await newSource();
    await mkdir(at('new'));
    await writePair(fresh, 'new');
    await rename(at('new', first), at(first));
    await source.refresh();
    await serves(source, old);
    const second = first === 'tls.crt' ? 'tls.key' : 'tls.crt';
    await rename(at('new', second), at(second));
    await source.refresh();
    await serves(source, fresh);
    expect(changes).toBe(1);
    expect(problems).toEqual([]);
  });

  it('whose chain comes long before its key: a warning, and it is taken with the key', async () => {
    const [old, fresh] = [await newPair(), await newPair()];
    await writePair(old);
    const source = await newSource();
    await writeFile(at('tls.crt'), fresh.cert + ca.ca);
    for (let look = 0; look < 5; look++) await source.refresh();
    await serves(source, old);
    expect(problems.map(({ code }) => code)).toEqual(['CERT_KEY_MISMATCH']);
    await writeFile(at('tls.key'), fresh.key);
    await source.refresh();
    await serves(source, fresh);
    expect(changes).toBe(1);
    expect(problems).toHaveLength(1);
  });

  it.for([
    ['in the middle of the leaf', (chain: string) => chain.slice(0, 300)],
    ['in the middle of the issuer', (chain: string) => chain.slice(0, -200)],
    ['before the first byte', () => ''],
  ] as const)('written in place, seen %s', async ([, cut]) => {
    const [old, fresh] = [await newPair(), await newPair()];
    await writePair(old);
    const source = await newSource();
    await writeFile(at('tls.key'), fresh.key);
    const chain = fresh.cert + ca.ca;
    await writeFile(at('tls.crt'), cut(chain));
    await source.refresh();
    await serves(source, old);
    await writeFile(at('tls.crt'), chain);
    await source.refresh();
    await serves(source, fresh);
    expect(changes).toBe(1);
    expect(problems).toEqual([]);
  });

  it('that is being written while it is read is read again', async () => {
    const [old, fresh] = [await newPair(), await newPair()];
    await writePair(old);
    let duringRead: () => void = () => undefined;
    const clock = {
      ...systemClock,
      now: () => {
        duringRead();
        return Date.now();
      },
    };
    const source = await newSource({ clock });
    await writePair(fresh);
    duringRead = () => {
      duringRead = () => undefined;
      appendFileSync(at('tls.crt'), '\n');
    };
    await source.refresh();
    await serves(source, old);
    await source.refresh();
    await serves(source, fresh);
    expect(changes).toBe(1);
  });

  it('after the directory was deleted: the old one stays, the new one is taken, and the new directory is watched', async () => {
    const place = at('place');
    await mkdir(place);
    const [old, fresh, next] = [await newPair(), await newPair(), await newPair()];
    await writePair(old, 'place');
    const source = await newSource({
      entries: [{ names: ['a.example'], chainPath: join(place, 'tls.crt'), keyPath: join(place, 'tls.key') }],
      settleMs: 5,
    });
    await rm(place, { recursive: true });
    await source.refresh();
    await source.refresh();
    await serves(source, old);
    expect(problems.map(({ code }) => code)).toEqual(['CERT_FILE_UNREADABLE']);
    await mkdir(place);
    await writePair(fresh, 'place');
    await source.refresh();
    await serves(source, fresh);
    await writePair(next, 'place');
    // Nobody asks any more: only the watch can tell.
    await eventually(() => serves(source, next));
    expect(changes).toBe(2);
  });
});

describe('thousands of entries in one directory', () => {
  const COUNT = 2000;

  it.runIf(process.platform === 'linux')(
    'need one watch, and a change of one is a change of that one',
    { timeout: 60_000 },
    async () => {
      const [old, fresh] = [await newPair(), await newPair()];
      await writePair(old);
      const number = (index: number): string => String(index).padStart(4, '0');
      for (let index = 0; index < COUNT; index++) {
        await link(at('tls.crt'), at(`${number(index)}.crt`));
        await link(at('tls.key'), at(`${number(index)}.key`));
      }
      const before = await inotifyWatches();
      const source = await newSource({
        entries: Array.from({ length: COUNT }, (_, index) => ({
          names: [`x${number(index)}.many.example`],
          chainPath: at(`${number(index)}.crt`),
          keyPath: at(`${number(index)}.key`),
        })),
      });
      const certificates = async (): Promise<(string | undefined)[]> =>
        Promise.all(
          Array.from(
            { length: COUNT },
            async (_, index) => (await source.certificateFor(`x${number(index)}.many.example`))?.id,
          ),
        );
      const first = await certificates();
      expect(new Set(first)).toEqual(new Set([first[0]]));
      expect((await inotifyWatches()) - before).toBe(1);

      await mkdir(at('new'));
      await writePair(fresh, 'new');
      await rename(at('new', 'tls.crt'), at('0007.crt'));
      await rename(at('new', 'tls.key'), at('0007.key'));
      await source.refresh();
      expect(changes).toBe(1);
      const second = await certificates();
      expect(second.flatMap((id, index) => (id === first[index] ? [] : [index]))).toEqual([7]);
      expect(problems).toEqual([]);
    },
  );
});

/** All watches of this process. */
async function inotifyWatches(): Promise<number> {
  let count = 0;
  for (const fd of await readdir('/proc/self/fdinfo')) {
    const info = await readFile(`/proc/self/fdinfo/${fd}`, 'utf8').catch(() => '');
    count += info.match(/^inotify wd:/gm)?.length ?? 0;
  }
  return count;
}

describe('files that are no files', () => {
  it('do not hold up a look: a pipe in place of the key', async () => {
    await writePair(await newPair());
    await unlink(at('tls.key'));
    execFileSync('mkfifo', [at('tls.key')]);
    await expect(newSource()).rejects.toMatchObject({ code: 'CERT_FILE_UNREADABLE' });
  });

  it('do not fill the memory: a chain without end', async () => {
    await writePair(await newPair());
    await unlink(at('tls.crt'));
    await symlink('/dev/zero', at('tls.crt'));
    await expect(newSource()).rejects.toMatchObject({ code: 'CERT_FILE_UNREADABLE' });
  });
});
