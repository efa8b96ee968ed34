/** A write is durable only when its steps come in this order; the file system is watched, not replaced. */
import type * as fs from 'node:fs/promises';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { FileStore } from '../../../src/store/file-store.ts';

let directory: string;
const { steps, name } = vi.hoisted(() => ({ steps: [] as string[], name: { of: (path: string): string => path } }));

vi.mock('node:fs/promises', async (importActual) => {
  const actual = await importActual<typeof fs>();
  return {
    ...actual,
    mkdir: async (path: string, ...rest: never[]) => {
      await actual.mkdir(path, ...rest);
      steps.push(`mkdir ${name.of(path)}`);
    },
    rename: async (from: string, to: string) => {
      await actual.rename(from, to);
      steps.push(`rename ${name.of(from)} ${name.of(to)}`);
    },
    open: async (path: string, ...rest: never[]) => {
      const file = await actual.open(path, ...rest);
      const sync = file.sync.bind(file);
      file.sync = async () => {
        await sync();
        steps.push(`sync ${name.of(path)}`);
      };
      const writeFile = file.writeFile.bind(file);
      file.writeFile = async (data) => {
        await writeFile(data);
        steps.push(`write ${name.of(path)}`);
      };
      return file;
    },
  };
});

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'portico-store-'));
  name.of = (path) => (relative(directory, path) || '.').replace(/\.tmp-[0-9a-f]+/, '.tmp');
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

it('writes aside, syncs, renames and syncs the directory; a new folder is synced into its parent before', async () => {
  const store = new FileStore(directory);
  const lock = await store.lock();
  steps.length = 0;
  await store.put('area/below/name', 'x');
  expect(steps).toEqual([
    'mkdir area',
    'sync .',
    'mkdir area/below',
    'sync area',
    'write area/below/.tmp',
    'sync area/below/.tmp',
    'rename area/below/.tmp area/below/name',
    'sync area/below',
  ]);
  steps.length = 0;
  await store.delete('area/below/name');
  expect(steps).toEqual(['sync area/below']);
  await lock.release();
});
