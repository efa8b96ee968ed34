import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CertificateData } from '../../../src/base/certificate.ts';
import type { PorticoError } from '../../../src/base/errors.ts';
import {
  CertificateExporter,
  type ExporterOptions,
  type ExportEvent,
  type ExportTarget,
} from '../../../src/export/exporter.ts';
import { MemoryStore } from '../../../src/store/memory-store.ts';
import { createDataIssuer, type DataIssuer } from '../../helpers/certificate-data.ts';
import { eventually } from '../../helpers/eventually.ts';
import { mountSmallDisk } from '../../helpers/small-disk.ts';

const ENVIRONMENT = { PATH: process.env.PATH ?? '/usr/bin:/bin' };

let issuer: DataIssuer;
let directory: string;
let store: MemoryStore;
let problems: PorticoError[];
let events: ExportEvent[];
const exporters: CertificateExporter[] = [];

beforeAll(async () => {
  issuer = await createDataIssuer();
});

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'portico-export-'));
  store = new MemoryStore();
  await store.lock();
  problems = [];
  events = [];
});

afterEach(async () => {
  for (const exporter of exporters.splice(0)) await exporter.close();
  await rm(directory, { recursive: true, force: true });
});

function target(changes: Partial<ExportTarget> = {}): ExportTarget {
  return {
    name: 'a.example',
    chainPath: join(directory, 'chain.pem'),
    keyPath: join(directory, 'key.pem'),
    owner: null,
    mode: 0o600,
    hook: null,
    ...changes,
  };
}

function newExporter(targets: readonly ExportTarget[], options: Partial<ExporterOptions> = {}): CertificateExporter {
  const exporter = new CertificateExporter({
    store,
    environment: ENVIRONMENT,
    onExported: (event) => events.push(event),
    onProblem: (problem) => problems.push(problem),
    ...options,
  });
  exporter.setTargets(targets);
  exporters.push(exporter);
  return exporter;
}

async function isWritten(certificate: CertificateData, { chainPath, keyPath } = target()): Promise<void> {
  expect(await readFile(chainPath, 'utf8')).toBe(certificate.chain);
  expect(await readFile(keyPath, 'utf8')).toBe(certificate.key);
}

/** A command that appends a line to `runs`, and its exit code. */
function countingHook(exitCode = 0): readonly string[] {
  return ['sh', '-c', `echo run >> "${join(directory, 'runs')}"; exit ${String(exitCode)}`];
}

async function runs(): Promise<number> {
  const text = await readFile(join(directory, 'runs'), 'utf8').catch(() => '');
  return text.split('\n').length - 1;
}

describe('files', () => {
  it('get the pair, with the modes that were asked for whatever the umask is, and nothing else is left', async () => {
    const certificate = await issuer.issue(['a.example']);
    const before = process.umask(0o077);
    try {
      await newExporter([target({ mode: 0o640 })]).exportChanged([certificate]);
    } finally {
      process.umask(before);
    }
    expect(problems).toEqual([]);
    await isWritten(certificate);
    expect((await stat(join(directory, 'key.pem'))).mode & 0o777).toBe(0o640);
    expect((await stat(join(directory, 'chain.pem'))).mode & 0o777).toBe(0o644);
    expect((await readdir(directory)).sort()).toEqual(['chain.pem', 'key.pem']);
    expect(events).toMatchObject([{ written: true }]);
  });

  it('are left alone when they are in place, and written again when content or mode is another', async () => {
    const certificate = await issuer.issue(['a.example']);
    const exporter = newExporter([target()]);
    await exporter.exportChanged([certificate]);
    const inode = async (): Promise<number> => (await stat(join(directory, 'key.pem'))).ino;
    const first = await inode();
    await exporter.exportChanged([certificate]);
    expect(await inode()).toBe(first);
    // As a crash between the two renames leaves it.
    const next = await issuer.issue(['a.example']);
    await writeFile(join(directory, 'key.pem'), next.key);
    await exporter.exportChanged([next]);
    await isWritten(next);
    exporter.setTargets([target({ mode: 0o640 })]);
    await exporter.exportChanged([next]);
    expect((await stat(join(directory, 'key.pem'))).mode & 0o777).toBe(0o640);
    expect(events).toHaveLength(3);
  });

  it.runIf(process.getuid?.() === 0)('get their owner, by name or number', async () => {
    const certificate = await issuer.issue(['a.example']);
    await newExporter([target({ owner: { user: '12345', group: '54321' } })]).exportChanged([certificate]);
    for (const file of ['key.pem', 'chain.pem']) {
      expect(await stat(join(directory, file))).toMatchObject({ uid: 12345, gid: 54321 });
    }
    await newExporter([target({ owner: { user: 'root', group: null } })]).exportChanged([certificate]);
    expect(await stat(join(directory, 'key.pem'))).toMatchObject({ uid: 0, gid: 0 });
    expect(problems).toEqual([]);
  });

  it('replace a link and never what it leads to', async () => {
    await writeFile(join(directory, 'precious'), 'precious');
    await symlink('precious', join(directory, 'key.pem'));
    const certificate = await issuer.issue(['a.example']);
    await newExporter([target()]).exportChanged([certificate]);
    await isWritten(certificate);
    expect(await readFile(join(directory, 'precious'), 'utf8')).toBe('precious');
  });

  it('of one target that cannot be written do not keep those of another', async () => {
    const certificate = await issuer.issue(['a.example']);
    await mkdir(join(directory, 'folder.pem'));
    await newExporter([
      target({ name: 'b.example' }),
      target({ keyPath: join(directory, 'missing', 'key.pem') }),
      target({ chainPath: join(directory, 'folder.pem'), keyPath: join(directory, 'other.pem') }),
      target({ owner: { user: 'nobody-of-this-name', group: null } }),
      target(),
    ]).exportChanged([certificate]);
    await isWritten(certificate);
    expect(problems.map(({ code }) => code)).toEqual([
      'EXPORT_NAME_UNKNOWN',
      'EXPORT_UNWRITABLE',
      'EXPORT_UNWRITABLE',
      'EXPORT_OWNER_UNKNOWN',
    ]);
    for (const { fix } of problems) expect(fix).toMatch(/./);
  });

  it('stay a pair when the disk is full', async (context) => {
    const disk = mountSmallDisk();
    if ('missing' in disk) return context.skip(disk.missing);
    try {
      const place = target({ chainPath: join(disk.path, 'chain.pem'), keyPath: join(disk.path, 'key.pem') });
      const [old, fresh] = [await issuer.issue(['a.example']), await issuer.issue(['a.example'])];
      const exporter = newExporter([place]);
      await exporter.exportChanged([old]);
      await disk.fill();
      await exporter.exportChanged([fresh]);
      expect(problems.map(({ code }) => code)).toEqual(['EXPORT_UNWRITABLE']);
      await isWritten(old, place);
      expect((await readdir(disk.path)).sort()).toEqual(['ballast', 'chain.pem', 'key.pem']);
      await rm(join(disk.path, 'ballast'));
      await exporter.exportChanged([fresh]);
      await isWritten(fresh, place);
    } finally {
      disk.unmount();
    }
  });

  it('hold the latest of many changes that come at once', async () => {
    const certificates = await Promise.all(Array.from({ length: 6 }, () => issuer.issue(['a.example'])));
    const exporter = newExporter([target()]);
    await Promise.all(certificates.map((certificate) => exporter.exportChanged([certificate])));
    await isWritten(certificates.at(-1)!);
    expect(problems).toEqual([]);
  });

  it('get the certificate with that very name before a wildcard', async () => {
    const wild = await issuer.issue(['*.example']);
    const exact = await issuer.issue(['a.example']);
    const exporter = newExporter([target(), target({ name: 'b.example', chainPath: join(directory, 'b.pem'), keyPath: join(directory, 'b.key') })]); // prettier-ignore
    await exporter.exportChanged([wild, exact]);
    await isWritten(exact);
    expect(await readFile(join(directory, 'b.pem'), 'utf8')).toBe(wild.chain);
  });
});

describe('the hook', () => {
  it('runs once for each change, after both files, without a shell and with nothing of our environment', async () => {
    const script = `
      const { chain, key } = { chain: fs.readFileSync(process.env.PORTICO_CHAIN, 'utf8'), key: fs.readFileSync(process.env.PORTICO_KEY, 'utf8') };
      fs.appendFileSync('${join(directory, 'seen')}', JSON.stringify({ chain, key, args: process.argv.slice(1), env: Object.keys(process.env).sort(), cwd: process.cwd() }) + '\\n');`;
    const words = ['$(reboot)', '; true', 'two words'];
    const exporter = newExporter([target({ hook: [process.execPath, '-e', script, '--', ...words] })]);
    const [first, second] = [await issuer.issue(['a.example']), await issuer.issue(['a.example'])];
    for (const certificate of [first, first, second, second]) await exporter.exportChanged([certificate]);
    expect(problems).toEqual([]);
    const seen = (await readFile(join(directory, 'seen'), 'utf8')).trim().split('\n').map((line) => JSON.parse(line)); // prettier-ignore
    expect(seen.map(({ chain }) => chain)).toEqual([first.chain, second.chain]);
    expect(seen.map(({ key }) => key)).toEqual([first.key, second.key]);
    expect(seen[0].args).toEqual(words);
    expect(seen[0].env).toEqual(['PATH', 'PORTICO_CHAIN', 'PORTICO_KEY', 'PORTICO_NAME']);
    expect(seen[0].cwd).toBe('/');
  });

  it('that failed is run again with the next change and the next start, and then no more', async () => {
    const certificate = await issuer.issue(['a.example']);
    const exporter = newExporter([target({ hook: countingHook(3) })]);
    await exporter.exportChanged([certificate]);
    await exporter.exportChanged([certificate]);
    expect(await runs()).toBe(2);
    expect(problems.map(({ code }) => code)).toEqual(['EXPORT_HOOK_FAILED', 'EXPORT_HOOK_FAILED']);
    expect(problems[0]?.message).toContain('exit code 3');
    await exporter.close();
    const restarted = newExporter([target({ hook: countingHook() })]);
    await restarted.exportChanged([certificate]);
    await restarted.exportChanged([certificate]);
    expect(await runs()).toBe(3);
    expect(events).toMatchObject([{ written: false }]);
    expect(await store.list('')).toEqual([]);
  });

  it('is owed even when the store cannot take the note', async () => {
    const certificate = await issuer.issue(['a.example']);
    const locked = new MemoryStore();
    const exporter = newExporter([target({ hook: countingHook(1) })], { store: locked });
    await exporter.exportChanged([certificate]);
    exporter.setTargets([target({ hook: countingHook() })]);
    await exporter.exportChanged([certificate]);
    await exporter.exportChanged([certificate]);
    expect(await runs()).toBe(2);
    await isWritten(certificate);
    expect(problems.map(({ code }) => code)).toEqual(['STORE_NOT_LOCKED', 'EXPORT_HOOK_FAILED', 'STORE_NOT_LOCKED']);
  });

  it('that does not exist is a problem with a name', async () => {
    await newExporter([target({ hook: ['/nowhere/at-all'] })]).exportChanged([await issuer.issue(['a.example'])]);
    expect(problems).toMatchObject([
      { code: 'EXPORT_HOOK_FAILED', message: expect.stringContaining('/nowhere/at-all') as string },
    ]);
  });

  it('that hangs is ended at its limit, with all that it has started', async () => {
    const pidFile = join(directory, 'pid');
    const hook = ['sh', '-c', `sleep 600 & echo $! > "${pidFile}"; echo waiting for the service; wait`];
    const exporter = newExporter([target({ hook })], { hookLimitMs: 500 });
    await exporter.exportChanged([await issuer.issue(['a.example'])]);
    expect(problems).toMatchObject([
      { code: 'EXPORT_HOOK_FAILED', message: expect.stringContaining('waiting for the service') as string },
    ]);
    const pid = (await readFile(pidFile, 'utf8')).trim();
    await eventually(() => expect(isRunning(pid)).toBe(false));
  });

  it('that leaves a service behind which keeps its output open is not waited for', async () => {
    const hook = ['sh', '-c', 'sleep 5 & exit 0'];
    await newExporter([target({ hook })], { hookLimitMs: 2 ** 30 }).exportChanged([await issuer.issue(['a.example'])]);
    expect(problems).toEqual([]);
    expect(events).toHaveLength(1);
  });

  it('is ended when Portico ends, and owed at the next start', async () => {
    const started = join(directory, 'started');
    const certificate = await issuer.issue(['a.example']);
    const exporter = newExporter([target({ hook: ['sh', '-c', `touch "${started}"; sleep 600`] })]);
    const done = exporter.exportChanged([certificate]);
    await eventually(() => stat(started));
    await exporter.close();
    await done;
    expect(problems.map(({ code }) => code)).toEqual(['EXPORT_HOOK_FAILED']);
    await newExporter([target({ hook: countingHook() })]).exportChanged([certificate]);
    expect(await runs()).toBe(1);
  });
});

function isRunning(pid: string): boolean {
  try {
    return !execFileSync('ps', ['-o', 'stat=', '-p', pid], { encoding: 'utf8' }).trim().startsWith('Z');
  } catch {
    return false;
  }
}
