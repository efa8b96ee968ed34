import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import type { PorticoError } from '../../../src/base/errors.ts';
import { FilesSource } from '../../../src/tls/files-source.ts';
import type { FilesSourceOptions } from '../../../src/tls/files-source.ts';
import { issueCa, issueLeaf } from '../../../src/tls/issue.ts';
import type { IssuedCertificate } from '../../../src/tls/issue.ts';
import { runCertificateSourceTests } from './certificate-source-conformance.ts';
import type { CertificateSourceFixture } from './certificate-source-conformance.ts';

const DAY = 86_400_000;
/** No look happens by itself: the test says when. */
const NEVER = 2 ** 30;
const NAMES = ['a.example', '*.b.example', '192.0.2.1'];

let ca: IssuedCertificate;
let directory: string;
let problems: PorticoError[];
const sources: FilesSource[] = [];

beforeAll(async () => {
  ca = await issueCa('Test CA', { notBefore: Date.now() - DAY, notAfter: Date.now() + 90 * DAY }, randomBytes);
});

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'portico-files-'));
  problems = [];
});

afterEach(async () => {
  for (const source of sources.splice(0)) source.close();
  await rm(directory, { recursive: true, force: true });
});

async function newPair(names: readonly string[] = NAMES, days = 30): Promise<IssuedCertificate> {
  const validity = { notBefore: Date.now() - (days > 0 ? DAY : 90 * DAY), notAfter: Date.now() + days * DAY };
  return issueLeaf(ca, names, validity, randomBytes);
}

async function writePair(place: string, pair: IssuedCertificate): Promise<void> {
  await writeFile(join(place, 'chain.pem'), pair.certificate + ca.certificate);
  await writeFile(join(place, 'key.pem'), pair.key);
}

function newSource(place: string, options: Partial<FilesSourceOptions> = {}): FilesSource {
  const source = new FilesSource({
    entries: [{ names: NAMES, chainPath: join(place, 'chain.pem'), keyPath: join(place, 'key.pem') }],
    clock: systemClock,
    onProblem: (problem) => problems.push(problem),
    pollMs: NEVER,
    settleMs: NEVER,
    ...options,
  });
  sources.push(source);
  return source;
}

function changeOf(source: FilesSource): Promise<void> {
  return new Promise((resolve) => {
    source.onChange(resolve);
  });
}

async function newFixture(): Promise<CertificateSourceFixture> {
  const place = await mkdtemp(join(tmpdir(), 'portico-files-'));
  await writePair(place, await newPair());
  const source = newSource(place);
  return {
    source,
    now: () => Date.now(),
    renew: async () => {
      await writePair(place, await newPair());
      await source.refresh();
    },
    remove: () => rm(place, { recursive: true, force: true }),
  };
}

async function newBroken(): Promise<CertificateSourceFixture> {
  const fixture = await newFixture();
  await fixture.remove();
  const source = newSource(join(directory, 'nowhere'));
  return { ...fixture, source };
}

runCertificateSourceTests('FilesSource', newFixture, newBroken);

describe('files that are broken from the start', () => {
  it.for<[string, string, () => Promise<unknown>]>([
    ['missing', 'CERT_FILE_UNREADABLE', () => Promise.resolve()],
    ['a directory', 'CERT_FILE_UNREADABLE', () => mkdir(join(directory, 'chain.pem'))],
    [
      'garbage',
      'CERT_UNPARSABLE',
      () => writeFile(join(directory, 'chain.pem'), 'x').then(() => writeFile(join(directory, 'key.pem'), 'x')),
    ],
    [
      'a key of another',
      'CERT_KEY_MISMATCH',
      async () => writePair(directory, { ...(await newPair()), key: (await newPair()).key }),
    ],
    ['expired', 'CERT_EXPIRED', async () => writePair(directory, await newPair(NAMES, -1))],
    ['short of a name', 'CERT_NAME_NOT_COVERED', async () => writePair(directory, await newPair(['a.example']))],
  ])('%s: %s', async ([, code, prepare]) => {
    await prepare();
    const source = newSource(directory);
    await expect(source.certificateFor('a.example')).rejects.toMatchObject({
      code,
      message: expect.stringContaining(directory) as string,
    });
    expect(problems).toEqual([]);
    await writeFixedPair();
    const changed = changeOf(source);
    await source.refresh();
    await changed;
    expect(await source.certificateFor('a.example')).not.toBeNull();
  });

  async function writeFixedPair(): Promise<void> {
    await rm(join(directory, 'chain.pem'), { recursive: true, force: true });
    await writePair(directory, await newPair());
  }
});

describe('files that break later', () => {
  it.for<[string, string, () => Promise<unknown>]>([
    ['removed', 'CERT_FILE_UNREADABLE', () => rm(join(directory, 'key.pem'))],
    ['cut off', 'CERT_UNPARSABLE', () => writeFile(join(directory, 'chain.pem'), '-----BEGIN CERTIFICATE-----\nMII')],
    [
      'key not renewed',
      'CERT_KEY_MISMATCH',
      async () => writeFile(join(directory, 'chain.pem'), (await newPair()).certificate),
    ],
    ['an old backup', 'CERT_EXPIRED', async () => writePair(directory, await newPair(NAMES, -1))],
    [
      'a name lost',
      'CERT_NAME_NOT_COVERED',
      async () => writePair(directory, await newPair(['a.example', '192.0.2.1'])),
    ],
  ])('%s: the last good certificate stays, and the problem is told once', async ([, code, damage]) => {
    await writePair(directory, await newPair());
    const source = newSource(directory);
    const good = await source.certificateFor('a.example');
    let told = 0;
    source.onChange(() => told++);
    await damage();
    await source.refresh();
    // Between two files of one renewal: not a problem yet.
    expect(problems).toEqual([]);
    await source.refresh();
    await source.refresh();
    await source.refresh();
    expect(problems.map((problem) => problem.code)).toEqual([code]);
    expect(problems[0]?.message).toContain(directory);
    expect(await source.certificateFor('a.example')).toEqual(good);
    expect(told).toBe(0);
    await writePair(directory, await newPair());
    await source.refresh();
    expect(told).toBe(1);
    expect((await source.certificateFor('a.example'))?.id).not.toBe(good?.id);
    expect(problems).toHaveLength(1);
  });

  it('a good certificate that ends is still handed out, and it is said once', async () => {
    await writePair(directory, await newPair());
    const clock = { ...systemClock, now: () => time };
    let time = Date.now();
    const source = newSource(directory, { clock });
    const good = await source.certificateFor('a.example');
    expect(good).not.toBeNull();
    time += 31 * DAY;
    await source.refresh();
    await source.refresh();
    expect(await source.certificateFor('a.example')).toEqual(good);
    expect(problems.map((problem) => problem.code)).toEqual(['CERT_EXPIRED']);
    // A clock that is put right, and then wrong again, is news.
    time -= 31 * DAY;
    await source.refresh();
    time -= 31 * DAY;
    await source.refresh();
    expect(await source.certificateFor('a.example')).toEqual(good);
    expect(problems.map((problem) => problem.code)).toEqual(['CERT_EXPIRED', 'CERT_NOT_YET_VALID']);
  });

  it('an entry that is broken does not touch another', async () => {
    await writePair(directory, await newPair());
    const source = newSource(directory, {
      entries: [
        { names: ['broken.example'], chainPath: join(directory, 'none.pem'), keyPath: join(directory, 'none.pem') },
        { names: ['a.example'], chainPath: join(directory, 'chain.pem'), keyPath: join(directory, 'key.pem') },
      ],
    });
    await expect(source.certificateFor('broken.example')).rejects.toMatchObject({ code: 'CERT_FILE_UNREADABLE' });
    expect(await source.certificateFor('a.example')).not.toBeNull();
  });

  it('a file that is written again with the same content is no change', async () => {
    const pair = await newPair();
    await writePair(directory, pair);
    const source = newSource(directory);
    await source.certificateFor('a.example');
    let told = 0;
    source.onChange(() => told++);
    await writePair(directory, pair);
    await source.refresh();
    expect(told).toBe(0);
  });
});

describe('changes are found without being asked', () => {
  it('by the watch, when files are replaced in place', async () => {
    await writePair(directory, await newPair());
    const source = newSource(directory, { settleMs: 5 });
    const before = await source.certificateFor('a.example');
    const changed = changeOf(source);
    await writePair(directory, await newPair());
    await changed;
    expect((await source.certificateFor('a.example'))?.id).not.toBe(before?.id);
  });

  it('by the watch, when links are swapped as certbot does', async () => {
    const live = join(directory, 'live');
    await mkdir(live);
    for (const version of ['1', '2']) {
      await mkdir(join(directory, version));
      await writePair(join(directory, version), await newPair());
    }
    const point = async (version: string): Promise<void> => {
      for (const file of ['chain.pem', 'key.pem']) {
        await symlink(join('..', version, file), join(live, `${file}.new`));
        await rename(join(live, `${file}.new`), join(live, file));
      }
    };
    await point('1');
    const source = newSource(live, { settleMs: 5 });
    const before = await source.certificateFor('a.example');
    const changed = changeOf(source);
    await point('2');
    await changed;
    expect((await source.certificateFor('a.example'))?.id).not.toBe(before?.id);
    expect(problems).toEqual([]);
  });

  it('by the watch, when the directory behind them is swapped as Kubernetes does', async () => {
    for (const version of ['..1', '..2']) {
      await mkdir(join(directory, version));
      await writePair(join(directory, version), await newPair());
    }
    await symlink('..1', join(directory, '..data'));
    for (const file of ['chain.pem', 'key.pem']) await symlink(join('..data', file), join(directory, file));
    const source = newSource(directory, { settleMs: 5 });
    const before = await source.certificateFor('a.example');
    const changed = changeOf(source);
    await symlink('..2', join(directory, '..data_tmp'));
    await rename(join(directory, '..data_tmp'), join(directory, '..data'));
    await changed;
    expect((await source.certificateFor('a.example'))?.id).not.toBe(before?.id);
  });

  it('by looking, when the whole directory is another one', async () => {
    const place = join(directory, 'place');
    await mkdir(place);
    await writePair(place, await newPair());
    const source = newSource(place, { pollMs: 5 });
    const before = await source.certificateFor('a.example');
    const changed = changeOf(source);
    await rename(place, join(directory, 'gone'));
    await mkdir(join(directory, 'next'));
    await writePair(join(directory, 'next'), await newPair());
    await rename(join(directory, 'next'), place);
    await changed;
    expect((await source.certificateFor('a.example'))?.id).not.toBe(before?.id);
  });

  it('by looking, when the directory appears later', async () => {
    const place = join(directory, 'later');
    const source = newSource(place, { pollMs: 5 });
    await expect(source.certificateFor('a.example')).rejects.toMatchObject({ code: 'CERT_FILE_UNREADABLE' });
    const changed = changeOf(source);
    await mkdir(place);
    await writePair(place, await newPair());
    await changed;
    expect(await source.certificateFor('a.example')).not.toBeNull();
  });
});
