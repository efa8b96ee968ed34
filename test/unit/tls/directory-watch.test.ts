import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { DirectoryWatch } from '../../../src/tls/directory-watch.ts';
import { eventually } from '../../helpers/eventually.ts';

let directory: string;
let watch: DirectoryWatch | undefined;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'portico-watch-'));
});

afterEach(async () => {
  watch?.close();
  await rm(directory, { recursive: true, force: true });
});

it('watches each directory once, and one that appears later with the next renewal', async () => {
  const later = join(directory, 'later');
  let events = 0;
  watch = new DirectoryWatch([directory, later, directory], () => events++);
  await watch.renew();
  expect(watch.size).toBe(1);
  await mkdir(later);
  await watch.renew();
  expect(watch.size).toBe(2);
  await eventually(() => expect(events).toBeGreaterThan(0));
  await rm(later, { recursive: true });
  await watch.renew();
  expect(watch.size).toBe(1);
});

it('watches the directory that has the name now', async () => {
  const place = join(directory, 'place');
  await mkdir(place);
  let events = 0;
  watch = new DirectoryWatch([place], () => events++);
  await watch.renew();
  await rename(place, join(directory, 'old'));
  await mkdir(place);
  await watch.renew();
  events = 0;
  await writeFile(join(place, 'file'), '');
  await eventually(() => expect(events).toBeGreaterThan(0));
});

it('leaves room for the watches of other programs', async () => {
  const many = Array.from({ length: 1200 }, (_, index) => join(directory, String(index)));
  for (const path of many) await mkdir(path);
  watch = new DirectoryWatch(many, () => undefined);
  await watch.renew();
  expect(watch.size).toBe(1000);
});

it('watches nothing once it is closed, not even when a renewal is under way', async () => {
  watch = new DirectoryWatch([directory], () => undefined);
  const renewal = watch.renew();
  watch.close();
  await renewal;
  expect(watch.size).toBe(0);
});
