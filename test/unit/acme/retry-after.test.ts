import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { boundWait, parseRetryAfter } from '../../../src/acme/retry-after.ts';

const NOW = Date.UTC(2026, 10, 28, 12);

describe('parseRetryAfter', () => {
  it.each<[string | undefined, number | null]>([
    [undefined, null],
    ['', null],
    ['0', 0],
    ['120', 120_000],
    [' 7 ', 7000],
    ['-5', null],
    ['5.5', null],
    ['1e3', null],
    ['soon', null],
    ['2026-11-28T13:00:00Z', null],
    ['Sat, 28 Nov 2026 12:01:00 GMT', 60_000],
    ['Saturday, 28-Nov-26 12:01:00 GMT', 60_000],
    ['Sat, 28 Nov 2026 11:00:00 GMT', 0],
    ['Sat, 99 Nov 2026 11:00:00 GMT', null],
    ['99999999999', 99_999_999_999_000],
    ['9'.repeat(40), null],
  ])('reads %j as %j', (value, expected) => {
    expect(parseRetryAfter(value, NOW)).toBe(expected);
  });

  it('never gives a wait that is negative or no number', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.integer().map(String),
          fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
        ),
        (value) => {
          const wait = parseRetryAfter(value, NOW);
          return wait === null || (Number.isFinite(wait) && wait >= 0);
        },
      ),
    );
  });
});

describe('boundWait', () => {
  it('keeps a wait between its bounds', () => {
    expect([null, -1, 5, 50].map((wait) => boundWait(wait, 1, 10))).toEqual([null, 1, 5, 10]);
  });
});
