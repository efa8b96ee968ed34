/** The order in which the two files of a pair are put in place; the file system is watched, not replaced. */
import type * as fs from 'node:fs/promises';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { writePair } from '../../../src/export/write-pair.ts';
import { createDataIssuer } from '../../helpers/certificate-data.ts';

const { steps } = vi.hoisted(() => ({ steps: [] as string[] }));

vi.mock('node:fs/promises', async (importActual) => {
  const actual = await importActual<typeof fs>();
  return {
    ...actual,
    rename: async (from: string, to: string) => {
      await actual.rename(from, to);
      steps.push(`rename ${basename(to)}`);
    },
    open: async (path: string, ...rest: never[]) => {
      const file = await actual.open(path, ...rest);
      const sync = file.sync.bind(file);
      file.sync = async () => {
        await sync();
        steps.push(`sync ${basename(path).startsWith('.portico-') ? 'temporary' : 'directory'}`);
      };
      return file;
    },
  };
});

it('both are on the disk before the key is put in place, and the chain is last', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'portico-export-'));
  try {
    const certificate = await (await createDataIssuer()).issue(['a.example']);
    const place = { chainPath: join(directory, 'chain.pem'), keyPath: join(directory, 'key.pem'), owner: null };
    await writePair({ ...place, mode: 0o600 }, certificate);
    expect(steps).toEqual(['sync temporary', 'sync temporary', 'rename key.pem', 'rename chain.pem', 'sync directory']);
  } finally {
    await rm(directory, { recursive: true });
  }
});
