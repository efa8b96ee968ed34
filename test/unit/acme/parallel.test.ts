import { describe, expect, it } from 'vitest';
import { inParallel } from '../../../src/acme/parallel.ts';

/** Things that end when they are told to. */
function gates(): {
  act: (item: number) => Promise<number>;
  begun: number[];
  end: (item: number, error?: Error) => Promise<void>;
} {
  const open = new Map<number, { resolve: (value: number) => void; reject: (error: Error) => void }>();
  const begun: number[] = [];
  return {
    begun,
    act: (item) => {
      begun.push(item);
      return new Promise((resolve, reject) => open.set(item, { resolve, reject }));
    },
    end: async (item, error) => {
      const gate = open.get(item);
      if (error === undefined) gate?.resolve(item * 10);
      else gate?.reject(error);
      await new Promise(setImmediate);
    },
  };
}

describe('inParallel', () => {
  it('has as many under way as it may, and gives results in the order of the items', async () => {
    const { act, begun, end } = gates();
    const all = inParallel([1, 2, 3], 2, act);
    expect(begun).toEqual([1, 2]);
    await end(2);
    expect(begun).toEqual([1, 2, 3]);
    await end(3);
    await end(1);
    expect(await all).toEqual([10, 20, 30]);
  });

  it('begins nothing new after a failure, and waits for what is under way', async () => {
    const { act, begun, end } = gates();
    let isOver = false;
    const all = inParallel([1, 2, 3], 2, act).finally(() => (isOver = true));
    const caught = all.catch((error: unknown) => error);
    await end(1, new Error('one'));
    expect(begun).toEqual([1, 2]);
    expect(isOver).toBe(false);
    await end(2);
    expect(await caught).toEqual(new Error('one'));
    expect(begun).toEqual([1, 2]);
  });

  it('does nothing with nothing', async () => {
    expect(await inParallel([], 4, async () => 1)).toEqual([]);
  });
});
