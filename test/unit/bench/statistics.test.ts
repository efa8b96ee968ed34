import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { median, summarise, turnOrder } from '../../../bench/measure/statistics.ts';

describe('median', () => {
  it.for([
    [[3], 3],
    [[9, 1, 5], 5],
    [[4, 1, 3, 2], 2.5],
    [[10, 9, 100], 10],
  ] as const)('of %j is %d', ([values, expected]) => {
    expect(median(values)).toBe(expected);
  });

  it('refuses to make one up', () => {
    expect(() => median([])).toThrow(/no values/);
  });

  it('has as many values below as above, and leaves its argument alone', () => {
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: 1 }), (values) => {
        const before = [...values];
        const middle = median(values);
        expect(values).toEqual(before);
        const below = values.filter((value) => value < middle).length;
        const above = values.filter((value) => value > middle).length;
        expect(Math.max(below, above)).toBeLessThanOrEqual(values.length / 2);
      }),
    );
  });
});

it('summarise tells median, least, most and how many', () => {
  expect(summarise([5, 1, 3])).toEqual({ median: 3, min: 1, max: 5, rounds: 3 });
});

describe('turnOrder', () => {
  it('starts each round with another one', () => {
    const items = ['a', 'b', 'c'];
    expect([0, 1, 2, 3].map((round) => turnOrder(items, round).join(''))).toEqual(['abc', 'bca', 'cab', 'abc']);
  });

  it('has nothing to order when there is nobody', () => {
    expect(turnOrder([], 3)).toEqual([]);
  });
});
