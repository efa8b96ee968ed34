/** `portico certs export` and `import` as people type them, and exports of a running Portico. */
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { runCli } from '../../src/cli/index.ts';
import { FileStore } from '../../src/store/file-store.ts';
import { eventually } from '../helpers/eventually.ts';
import { startPortico } from '../helpers/portico.ts';
import { createTestCa, type TestCa } from '../helpers/test-certificates.ts';
import { recordingTerminal, type RecordingTerminal } from '../unit/cli/recording-terminal.ts';

let ca: TestCa;
let directory: string;
let terminal: RecordingTerminal;

beforeAll(async () => {
  ca = await createTestCa();
});

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'portico-certs-'));
  terminal = recordingTerminal();
});

afterEach(() => rm(directory, { recursive: true, force: true }));

function at(...names: string[]): string {
  return join(directory, ...names);
}

async function writePair(names: readonly string[], place = directory): Promise<void> {
  const { cert, key } = await ca.issue(names);
  await mkdir(place, { recursive: true });
  await writeFile(join(place, 'fullchain.pem'), cert + ca.ca);
  await writeFile(join(place, 'privkey.pem'), key, { mode: 0o600 });
}

/** A config whose names come from files, the local CA and (by what is stored) ACME. */
async function writeConfig(certificates: Record<string, unknown>[]): Promise<string> {
  const sites = [{ server_name: 'a.example', homeserver: 'http://127.0.0.1:9' }];
  await writeFile(at('portico.yaml'), stringify({ sites, certificates, store: { path: 'store' } }));
  return at('portico.yaml');
}

const FILES = [{ names: ['a.example'], files: { chain: 'fullchain.pem', key: 'privkey.pem' } }];

function exportTo(...rest: string[]): Promise<number> {
  const paths = ['--chain', at('out.pem'), '--key', at('out.key')];
  const args = ['a.example', '--config', at('portico.yaml'), ...paths, ...rest];
  return runCli(['certs', 'export', ...args], terminal);
}

describe('portico certs export', () => {
  it('writes the pair of files once, with its mode, and runs the hook only then', async () => {
    await writePair(['a.example']);
    await writeConfig(FILES);
    const hook = ['--hook', `cp ${at('out.pem')} ${at('hooked.pem')}`, '--mode', '0640'];
    expect(await exportTo(...hook)).toBe(0);
    expect(terminal.errLines).toEqual([]);
    expect(terminal.outLines[0]).toMatch(/^a\.example: written, valid until 20/);
    expect((await stat(at('out.key'))).mode & 0o777).toBe(0o640);
    expect(await readFile(at('hooked.pem'), 'utf8')).toBe(await readFile(at('out.pem'), 'utf8'));
    await rm(at('hooked.pem'));
    expect(await exportTo(...hook, '--json')).toBe(0);
    expect(JSON.parse(terminal.outLines.at(-1) ?? '')).toMatchObject({ name: 'a.example', written: false });
    await expect(stat(at('hooked.pem'))).rejects.toThrow();
  });

  it('finds what was imported, also while the store is in use; an import then names who uses it', async () => {
    await writePair(['b.example'], at('certbot', 'live', 'b.example'));
    await writePair(['a.example']);
    await writeConfig(FILES);
    const args = [at('certbot'), '--from', 'certbot', '--config', at('portico.yaml')];
    expect(await runCli(['certs', 'import', ...args], terminal)).toBe(0);
    expect(terminal.outLines.at(-1)).toBe('1 taken, 0 already there, 0 not taken');
    const lock = await new FileStore(at('store')).lock();
    try {
      const place = ['--chain', at('b.pem'), '--key', at('b.key'), '--config', at('portico.yaml')];
      expect(await runCli(['certs', 'export', 'b.example', ...place], terminal)).toBe(0);
      const plain = async (path: string): Promise<string> => (await readFile(path, 'utf8')).replaceAll(/\s/g, '');
      expect(await plain(at('b.pem'))).toBe(await plain(at('certbot', 'live', 'b.example', 'fullchain.pem')));
      expect(await runCli(['certs', 'import', ...args], terminal)).toBe(2);
      expect(terminal.errLines.join('\n')).toContain(
        `STORE_LOCKED: The store is in use by process ${String(process.pid)}`,
      );
    } finally {
      await lock.release();
    }
  });

  it('takes what ACME is to obtain from what was imported, as the list shows it too', async () => {
    const names = ['a.example', 'www.a.example'];
    await writePair(names, at('certbot', 'live', 'a.example'));
    const sites = [{ server_name: 'a.example', homeserver: 'http://127.0.0.1:9' }];
    const acme = { agree_to_terms: true, email: 'admin@a.example' };
    const config = { sites, certificates: [{ names, acme: true }], acme, store: { path: 'store' } };
    await writeFile(at('portico.yaml'), stringify(config));
    expect(await exportTo()).toBe(1);
    expect(terminal.errLines.join('\n')).toContain('EXPORT_NAME_UNKNOWN');
    const args = [at('certbot'), '--from', 'certbot', '--config', at('portico.yaml')];
    expect(await runCli(['certs', 'import', ...args], terminal)).toBe(0);
    expect(await exportTo()).toBe(0);
    const plain = async (path: string): Promise<string> => (await readFile(path, 'utf8')).replaceAll(/\s/g, '');
    expect(await plain(at('out.pem'))).toBe(await plain(at('certbot', 'live', 'a.example', 'fullchain.pem')));
    // As it stands for a name that is planned alone.
    await writeFile(at('portico.yaml'), stringify({ ...config, certificates: [] }));
    const listed = recordingTerminal();
    await runCli(['certs', 'list', '--json', '--config', at('portico.yaml')], listed);
    const { certificates } = JSON.parse(listed.outLines.join('\n'));
    expect(certificates).toMatchObject([{ source: 'acme', not_after: expect.stringMatching(/^20/) as string }]);
  });

  it('says when there is nothing, and what is wrong with the flags', async () => {
    await writeConfig([{ names: ['a.example'], local_ca: true }]);
    expect(await exportTo()).toBe(1);
    expect(terminal.errLines.join('\n')).toContain('EXPORT_NAME_UNKNOWN');
    const wrong = [
      [],
      ['a.example'],
      ['a.example', '--chain', 'x'],
      ['a.example', '--chain', 'x', '--key', './x'],
      ['a.example', '--chain', 'x', '--key', 'y', '--mode', '0644'],
      ['a.example', '--chain', 'x', '--key', 'y', '--owner', ':x'],
      ['a.example', '--chain', 'x', '--key', 'y', '--hook', 'a && b'],
      ['a.example', 'b.example', '--chain', 'x', '--key', 'y'],
      ['', '--chain', 'x', '--key', 'y'],
      ['a.example', '--chain', 'x', '--key', 'y', '--moode', '0600'],
    ];
    for (const args of wrong) {
      const other = recordingTerminal();
      expect(await runCli(['certs', 'export', ...args], other), args.join(' ')).toBe(2);
      expect(other.errLines[0]).toMatch(/^portico certs export: /);
    }
    expect(await runCli(['certs', 'export', '--help'], terminal)).toBe(0);
    expect(terminal.outLines.join('\n')).toContain('portico certs export NAME');
  });
});

describe('portico certs import', () => {
  it('prints what was taken and what not, writes nothing in a dry run, and never lets names steer the terminal', async () => {
    await writePair(['a.example']);
    await writeConfig(FILES);
    await writePair(['good.example'], at('certbot', 'live', 'good.example'));
    await writePair(['x.example'], at('certbot', 'live', 'bad\u001b[31m\r'));
    await rm(at('certbot', 'live', 'bad\u001b[31m\r', 'privkey.pem'));
    const args = [at('certbot'), '--from', 'certbot', '--config', at('portico.yaml')];
    expect(await runCli(['certs', 'import', ...args, '--dry-run'], terminal)).toBe(1);
    expect(terminal.outLines.join('\n')).toContain('✓ certificate live/good.example: good.example, valid until');
    expect(terminal.outLines.at(-1)).toBe('1 would be taken, 0 already there, 1 not taken');
    // eslint-disable-next-line no-control-regex -- control characters are what this looks for
    expect(terminal.outLines.join('')).not.toMatch(/[\u0000-\u001f]/);
    await expect(stat(at('store'))).rejects.toThrow();
    expect(await runCli(['certs', 'import', ...args, '--json'], terminal)).toBe(1);
    const { results } = JSON.parse(terminal.outLines.at(-1) ?? '');
    expect(results.map(({ outcome }: { outcome: string }) => outcome).sort()).toEqual(['refused', 'taken']);
    expect(terminal.outLines.join('')).not.toContain('PRIVATE KEY');
    const [key = ''] = await new FileStore(at('store')).list('acme');
    expect((await stat(at('store', key))).mode & 0o777).toBe(0o600);
  });

  it.for([
    [['x']],
    [['x', '--from', 'nginx']],
    [['x', '--from', 'traefik', '--directory', 'http://ca']],
    [[]],
  ] as const)('refuses wrong usage: %j', async ([args]) => {
    expect(await runCli(['certs', 'import', ...args], terminal)).toBe(2);
    expect(terminal.errLines[0]).toMatch(/^portico certs import: /);
  });
});

describe('exports of a running Portico', () => {
  it('are written at the start, after a renewal and after a reload', async () => {
    await writePair(['example.test', 'matrix.example.test']);
    const target = { name: 'example.test', chain: at('out.pem'), key: at('out.key'), hook: ['sh', '-c', `echo run >> ${at('runs')}`] }; // prettier-ignore
    const portico = await startPortico({
      homeserver: 'http://127.0.0.1:9',
      configure: (config) => {
        config.certificates[0] = {
          names: ['example.test', 'matrix.example.test'],
          files: { chain: at('fullchain.pem'), key: at('privkey.pem') },
        };
        config.exports = [target];
      },
    });
    const runs = async (): Promise<number> => (await readFile(at('runs'), 'utf8')).split('\n').length - 1;
    const same = async (): Promise<void> => {
      const plain = async (path: string): Promise<string> => (await readFile(path, 'utf8')).replaceAll(/\s/g, '');
      expect(await plain(at('out.pem'))).toBe(await plain(at('fullchain.pem')));
    };
    try {
      await eventually(same);
      await eventually(async () => expect(await runs()).toBe(1));
      await writePair(['example.test', 'matrix.example.test']);
      await eventually(same);
      await eventually(async () => expect(await runs()).toBe(2));
      await portico.reload((config) => {
        config.exports = [target, { name: 'other.test', chain: at('other.pem'), key: at('other.key') }];
      });
      await eventually(() => stat(at('other.pem')));
      expect(await runs()).toBe(2);
      expect(portico.log.join('\n')).toContain('certificate exported');
      expect(portico.log.join('\n')).not.toContain('PRIVATE KEY');
    } finally {
      await portico.close();
    }
  });
});
