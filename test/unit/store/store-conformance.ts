/** What every store must do; a backend joins in a few lines. See the contract in src/store/store.ts. */
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Store, StoreLock } from '../../../src/store/store.ts';

/** One place to store in, empty at first. */
export interface StoreFixture {
  /** Another handle of the same place, as another process would have it. */
  open(): Store;
  /** Removes the place. */
  remove(): Promise<void>;
}

export function runStoreTests(name: string, newFixture: () => Promise<StoreFixture>): void {
  describe(`${name} as a store`, () => {
    let fixture: StoreFixture;
    let store: Store;
    let lock: StoreLock;

    beforeEach(async () => {
      fixture = await newFixture();
      store = fixture.open();
      lock = await store.lock();
    });

    afterEach(async () => {
      await lock.release();
      await fixture.remove();
    });

    it('gives back what was put', async () => {
      const value = randomBytes(5000);
      await store.put('area/name.bin', value);
      expect(await store.get('area/name.bin')).toEqual(value);
    });

    it('takes text and gives bytes', async () => {
      await store.put('area/text', 'grüß dich\n');
      expect((await store.get('area/text'))?.toString()).toBe('grüß dich\n');
    });

    it('keeps an empty value apart from none', async () => {
      await store.put('area/empty', '');
      expect(await store.get('area/empty')).toEqual(Buffer.alloc(0));
      expect(await store.get('area/none')).toBeNull();
      expect(await store.get('nowhere/none')).toBeNull();
    });

    it('replaces', async () => {
      await store.put('area/name', 'a longer value');
      await store.put('area/name', 'short');
      expect((await store.get('area/name'))?.toString()).toBe('short');
    });

    it('copies values on the way in and out', async () => {
      const value = Buffer.from('before');
      await store.put('area/name', value);
      value.fill('x');
      (await store.get('area/name'))?.fill('y');
      expect((await store.get('area/name'))?.toString()).toBe('before');
    });

    it('deletes, and finds nothing wrong with deleting again', async () => {
      await store.put('area/name', 'x');
      await store.delete('area/name');
      await store.delete('area/name');
      await store.delete('nowhere/name');
      expect(await store.get('area/name')).toBeNull();
      expect(await store.list('')).toEqual([]);
    });

    it('lists whole folders, at any depth, sorted', async () => {
      for (const key of ['b/2', 'a/z', 'a/b/c/d', 'a/b/x', 'ab/c', 'a/b-c']) await store.put(key, '');
      expect(await store.list('')).toEqual(['a/b-c', 'a/b/c/d', 'a/b/x', 'a/z', 'ab/c', 'b/2']);
      expect(await store.list('a')).toEqual(['a/b-c', 'a/b/c/d', 'a/b/x', 'a/z']);
      expect(await store.list('a/b')).toEqual(['a/b/c/d', 'a/b/x']);
      expect(await store.list('nowhere')).toEqual([]);
      expect(await store.list('a/z')).toEqual([]);
    });

    it('answers for a folder and a key of the same name', async () => {
      await store.put('a/b/c', 'x');
      expect(await store.get('a/b')).toBeNull();
    });

    it.for([
      '',
      'one',
      '/a/b',
      'a/b/',
      'a//b',
      'a/../b',
      './a/b',
      'a/.hidden',
      'a/.',
      'A/b',
      'a/B',
      'a/b\n',
      'a/b\0',
      'a\\b/c',
      'a/b c',
      'a/ü',
      'a/-x',
      'a/*',
      `a/${'x'.repeat(201)}`,
      '../../etc/passwd',
    ])('refuses the key %j', async (key) => {
      await expect(store.get(key)).rejects.toMatchObject({ code: 'STORE_KEY_INVALID' });
      await expect(store.put(key, 'x')).rejects.toMatchObject({ code: 'STORE_KEY_INVALID' });
      await expect(store.delete(key)).rejects.toMatchObject({ code: 'STORE_KEY_INVALID' });
    });

    it.for(['/', 'a/', '../a', 'A', '.'])('refuses to list %j', async (folder) => {
      await expect(store.list(folder)).rejects.toMatchObject({ code: 'STORE_KEY_INVALID' });
    });

    it('takes the longest and oddest keys there may be', async () => {
      for (const key of [`a/${'x'.repeat(200)}`, '_/_', '0/1..2', 'a/constructor', 'a/__proto__']) {
        await store.put(key, key);
        expect((await store.get(key))?.toString()).toBe(key);
      }
    });

    it('takes nothing so large that nobody could read it again', async () => {
      await store.put('area/name', 'old');
      const tooLarge = Buffer.alloc(16 * 1024 * 1024 + 1);
      await expect(store.put('area/name', tooLarge)).rejects.toMatchObject({ code: 'STORE_VALUE_TOO_LARGE' });
      expect((await store.get('area/name'))?.toString()).toBe('old');
    });

    it('has no problems where there are none', () => {
      expect(lock.problems).toEqual([]);
    });

    it('never shows part of a value while it is being replaced', async () => {
      const values = ['a', 'b'].map((letter) => letter.repeat(200_000));
      await store.put('area/name', values[0] ?? '');
      const seen = new Set<string>();
      for (let round = 0; round < 10; round++) {
        const write = store.put('area/name', values[round % 2] ?? '');
        const reads = Array.from({ length: 10 }, () => fixture.open().get('area/name'));
        for (const read of await Promise.all(reads)) seen.add(read?.toString() ?? 'nothing');
        await write;
      }
      for (const value of seen) expect(values).toContain(value);
    });

    it('applies writes at once to the same key one after the other', async () => {
      const values = Array.from({ length: 20 }, (_, index) => String(index).repeat(1000));
      await Promise.all(values.map((value) => store.put('area/name', value)));
      expect(values).toContain((await store.get('area/name'))?.toString());
      expect(await store.list('area')).toEqual(['area/name']);
    });

    it('shows a reader without the lock what was written', async () => {
      await store.put('area/name', 'x');
      const reader = fixture.open();
      expect((await reader.get('area/name'))?.toString()).toBe('x');
      expect(await reader.list('')).toEqual(['area/name']);
    });

    it('lets nobody write without the lock', async () => {
      const other = fixture.open();
      await expect(other.put('area/name', 'x')).rejects.toMatchObject({ code: 'STORE_NOT_LOCKED' });
      await expect(other.delete('area/name')).rejects.toMatchObject({ code: 'STORE_NOT_LOCKED' });
      await lock.release();
      await expect(store.put('area/name', 'x')).rejects.toMatchObject({ code: 'STORE_NOT_LOCKED' });
    });

    it('has one lock, and names its holder', async () => {
      await expect(fixture.open().lock()).rejects.toMatchObject({
        code: 'STORE_LOCKED',
        message: expect.stringContaining(String(process.pid)) as string,
      });
      await expect(store.lock()).rejects.toMatchObject({ code: 'STORE_LOCKED' });
    });

    it('gives the lock to the next after it was released, once', async () => {
      await lock.release();
      const other = fixture.open();
      const next = await other.lock();
      await lock.release();
      await other.put('area/name', 'x');
      await expect(fixture.open().lock()).rejects.toMatchObject({ code: 'STORE_LOCKED' });
      await next.release();
    });

    it('gives the lock to one of many who ask at once', async () => {
      await lock.release();
      const asked = await Promise.allSettled(Array.from({ length: 8 }, () => fixture.open().lock()));
      const got = asked.filter((result) => result.status === 'fulfilled');
      const refused = asked.filter((result) => result.status === 'rejected');
      expect(got).toHaveLength(1);
      for (const { reason } of refused) expect(reason).toMatchObject({ code: 'STORE_LOCKED' });
      for (const { value } of got) await value.release();
    });
  });
}
