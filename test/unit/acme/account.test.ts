import { beforeEach, describe, expect, it } from 'vitest';
import { AcmeAccount } from '../../../src/acme/account.ts';
import type { AccountDesk, AccountOptions } from '../../../src/acme/account.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { MemoryStore } from '../../../src/store/memory-store.ts';

const signal = new AbortController().signal;

/** An authority that knows keys, and a crash before or after any of its acts or any write. */
class Authority {
  /** Key → account URL. */
  readonly keys = new Map<string, string>();
  made = 0;
  readonly desk: AccountDesk = {
    register: async (key) => {
      this.act('register');
      const url = this.keys.get(key) ?? `https://ca.example/account/${(this.made += 1)}`;
      this.keys.set(key, url);
      this.act('registered');
      return url;
    },
    find: async (key) => this.keys.get(key) ?? null,
    changeContact: async () => {},
    changeKey: async ({ key, url }, newKey) => {
      this.act('change');
      if (this.keys.get(key) !== url) throw new Error('signed with a key that is not the account’s');
      this.keys.delete(key);
      this.keys.set(newKey, url);
      this.act('changed');
    },
  };
  act: (name: string) => void = () => {};
}

let store: MemoryStore;
let authority: Authority;
let options: AccountOptions;

beforeEach(async () => {
  store = new MemoryStore();
  await store.lock();
  authority = new Authority();
  options = {
    store,
    clock: systemClock,
    issuerId: 'ca',
    directoryUrl: 'https://ca.example/',
    contact: null,
    desk: authority.desk,
  };
});

/** Counts acts and writes, and lets the one of that number be the last. */
function crashAt(number: number): { restore: () => void } {
  let count = 0;
  const step = (): void => {
    count += 1;
    if (count === number) throw new Error('crash');
  };
  authority.act = step;
  const put = store.put.bind(store);
  store.put = async (key, value) => {
    step();
    await put(key, value);
    step();
  };
  return {
    restore: () => {
      authority.act = () => {};
      store.put = put;
    },
  };
}

describe('an account', () => {
  it.each(Array.from({ length: 6 }, (_, index) => index + 1))(
    'made with a crash at moment %i is one account in the end',
    async (moment) => {
      const { restore } = crashAt(moment);
      await expect(AcmeAccount.open(options, signal)).rejects.toThrow('crash');
      restore();
      const account = await AcmeAccount.open(options, signal);
      expect(authority.keys.get(account.current.key)).toBe(account.current.url);
      expect(authority.made).toBe(1);
    },
  );

  it.each(Array.from({ length: 6 }, (_, index) => index + 1))(
    'rolled over with a crash at moment %i is usable in the end',
    async (moment) => {
      const account = await AcmeAccount.open(options, signal);
      const { url } = account.current;
      const { restore } = crashAt(moment);
      await expect(account.rollOver(signal)).rejects.toThrow('crash');
      restore();
      const again = await AcmeAccount.open(options, signal);
      expect(again.current.url).toBe(url);
      expect(authority.keys.get(again.current.key)).toBe(url);
      expect(authority.made).toBe(1);
    },
  );

  it('replaced with a crash at any moment keeps the old key aside', async () => {
    for (let moment = 1; moment <= 8; moment += 1) {
      authority.keys.clear();
      store = new MemoryStore();
      await store.lock();
      options = { ...options, store };
      const account = await AcmeAccount.open(options, signal);
      const old = account.current.key;
      authority.keys.clear();
      const { restore } = crashAt(moment);
      await expect(account.replaceLost(signal)).rejects.toThrow('crash');
      restore();
      const values = await Promise.all(
        (await store.list('acme')).map(async (key) => (await store.get(key))?.toString()),
      );
      const kept = values.map((value) => (JSON.parse(value ?? '{}') as { key: string }).key);
      expect(kept).toContain(old);
    }
  });
});
