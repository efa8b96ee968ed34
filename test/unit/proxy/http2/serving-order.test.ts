import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePriority } from '../../../../src/proxy/http2/request-head.ts';
import { isWhole, servingOrder, type Waiting } from '../../../../src/proxy/http2/serving-order.ts';

const waiting: fc.Arbitrary<Waiting[]> = fc.uniqueArray(
  fc.record({
    id: fc.nat({ max: 1000 }).map((n) => 2 * n + 1),
    priority: fc.record({ urgency: fc.integer({ min: 0, max: 7 }), incremental: fc.boolean() }),
    ordered: fc.boolean(),
  }),
  { selector: ({ id }) => id, maxLength: 30 },
);

describe('the order in which streams are served', () => {
  it('has each of them once, the more urgent first', () => {
    fc.assert(
      fc.property(waiting, (streams) => {
        const order = servingOrder(streams);
        expect(new Set(order)).toEqual(new Set(streams));
        expect(order).toHaveLength(streams.length);
        const urgencies = order.map(({ priority }) => priority.urgency);
        expect(urgencies).toEqual(urgencies.toSorted((a, b) => a - b));
      }),
    );
  });

  it('keeps turns among those that share, and ids among those that come whole, within an urgency', () => {
    fc.assert(
      fc.property(waiting, fc.integer({ min: 0, max: 7 }), (streams, urgency) => {
        const level = (list: readonly Waiting[]): Waiting[] =>
          list.filter(({ priority }) => priority.urgency === urgency);
        const [before, after] = [level(streams), level(servingOrder(streams))];
        const sharing = (list: readonly Waiting[]): Waiting[] => list.filter((stream) => !isWhole(stream));
        expect(sharing(after)).toEqual(sharing(before));
        // Whole ones change places only among themselves.
        expect(after.map(isWhole)).toEqual(before.map(isWhole));
        const ids = after.filter(isWhole).map(({ id }) => id);
        expect(ids).toEqual(ids.toSorted((a, b) => a - b));
      }),
    );
  });
});

describe('a Priority field', () => {
  it.each([
    ['', 3, false],
    ['u=0', 0, false],
    ['i', 3, true],
    ['u=5, i', 5, true],
    ['i,u=5', 5, true],
    ['u=1;x=2, i;y', 1, true],
    ['i=?0', 3, false],
    ['i=?1', 3, true],
    ['i=?1, i=?0', 3, false],
    ['u=1, u=6', 6, false],
    ['u=1, u=9', 1, false],
    ['u=8', 3, false],
    ['u', 3, false],
    ['u=1.0', 3, false],
    ['i=1', 3, false],
    ['uu=1, ii', 3, false],
    ['foo="a", u=2', 2, false],
  ])('%j', (value, urgency, incremental) => {
    expect(parsePriority(value)).toEqual({ urgency, incremental });
  });

  it('of any text is some priority', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const { urgency, incremental } = parsePriority(text);
        expect([0, 1, 2, 3, 4, 5, 6, 7]).toContain(urgency);
        expect(incremental).toBeTypeOf('boolean');
      }),
    );
  });
});
