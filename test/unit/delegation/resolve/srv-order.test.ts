import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { orderSrv } from '../../../../src/delegation/resolve/srv-order.ts';

const record = fc.record({ priority: fc.integer({ min: 0, max: 3 }), weight: fc.integer({ min: 0, max: 100 }) });
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('orderSrv', () => {
  it('keeps every record, by rising priority, for any records and any luck', () => {
    fc.assert(
      fc.property(
        fc.array(record, { maxLength: 12 }),
        fc.array(random, { minLength: 12, maxLength: 12 }),
        (all, luck) => {
          let next = 0;
          const ordered = orderSrv(all, () => luck[next++] ?? 0);
          expect(new Set(ordered)).toEqual(new Set(all));
          expect(ordered).toHaveLength(all.length);
          const priorities = ordered.map(({ priority }) => priority);
          expect(priorities).toEqual([...priorities].sort((a, b) => a - b));
        },
      ),
    );
  });

  it('chooses the first in proportion to its weight', () => {
    const all = [
      { priority: 0, weight: 30, name: 'a' },
      { priority: 0, weight: 70, name: 'b' },
    ];
    const first = { a: 0, b: 0 };
    // Luck spread evenly instead of drawn, so that the counts are exact: 31 of 101 draws are at or below 30.
    for (let step = 0; step < 101; step++) first[orderSrv(all, () => step / 101)[0]?.name as 'a' | 'b'] += 1;
    expect(first).toEqual({ a: 31, b: 70 });
  });

  it('gives a weight of 0 a small chance, wherever it stands', () => {
    const all = [
      { priority: 0, weight: 9, name: 'heavy' },
      { priority: 0, weight: 0, name: 'light' },
    ];
    expect(orderSrv(all, () => 0)[0]?.name).toBe('light');
    expect(orderSrv(all, () => 0.1)[0]?.name).toBe('heavy');
  });
});
