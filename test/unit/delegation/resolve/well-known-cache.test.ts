import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { errorPeriod, validPeriod } from '../../../../src/delegation/resolve/well-known-cache.ts';
import type { CacheFields } from '../../../../src/delegation/resolve/well-known-cache.ts';

const NOW = Date.parse('Tue, 01 Dec 2026 00:00:00 GMT');
const HOUR = 3_600_000;

describe('validPeriod', () => {
  it.for<[string, CacheFields, number]>([
    ['no headers: 24 hours', {}, 24 * HOUR],
    ['max-age', { 'cache-control': 'public, max-age=3600' }, HOUR],
    ['max-age in other spellings', { 'cache-control': 'Public ,Max-Age="3600"' }, HOUR],
    ['the first max-age of two', { 'cache-control': 'max-age=3600, max-age=7200' }, HOUR],
    ['never more than 48 hours', { 'cache-control': 'max-age=31536000' }, 48 * HOUR],
    ['less what it is old already', { 'cache-control': 'max-age=3600', age: '600' }, HOUR - 600_000],
    ['not below 0', { 'cache-control': 'max-age=60', age: '600' }, 0],
    ['no-store', { 'cache-control': 'no-store, max-age=3600' }, 0],
    ['no-cache', { 'cache-control': 'no-cache' }, 0],
    ['a max-age that is no number is stale', { 'cache-control': 'max-age=soon' }, 0],
    ['s-maxage is for shared caches', { 'cache-control': 's-maxage=60' }, 24 * HOUR],
    [
      'Expires against Date',
      { expires: 'Tue, 01 Dec 2026 03:00:00 GMT', date: 'Tue, 01 Dec 2026 01:00:00 GMT' },
      2 * HOUR,
    ],
    ['Expires against our clock', { expires: 'Tue, 01 Dec 2026 03:00:00 GMT' }, 3 * HOUR],
    ['Expires in the past', { expires: 'Mon, 30 Nov 2026 00:00:00 GMT' }, 0],
    ['Expires: 0', { expires: '0' }, 0],
    ['Expires: -1', { expires: '-1' }, 0],
    ['max-age before Expires', { 'cache-control': 'max-age=60', expires: 'Tue, 01 Dec 2026 03:00:00 GMT' }, 60_000],
  ])('%s', ([, fields, expected]) => {
    expect(validPeriod(fields, NOW)).toBe(expected);
  });

  it('lies between 0 and 48 hours for any headers', () => {
    const field = fc.option(fc.oneof(fc.string(), fc.constantFrom('max-age=1e9', 'max-age=-1', '9'.repeat(40))), {
      nil: undefined,
    });
    fc.assert(
      fc.property(fc.record({ 'cache-control': field, expires: field, date: field, age: field }), (fields) => {
        const period = validPeriod(fields, NOW);
        expect(period).toBeGreaterThanOrEqual(0);
        expect(period).toBeLessThanOrEqual(48 * HOUR);
      }),
    );
  });
});

describe('errorPeriod', () => {
  it.for([
    [1, 60_000],
    [2, 120_000],
    [6, 1_920_000],
    [7, HOUR],
    [1000, HOUR],
    [0, 60_000],
  ] as const)('after %i failures: %i ms', ([failures, expected]) => {
    expect(errorPeriod(failures)).toBe(expected);
  });
});
