import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { afterFailure, nextAttemptAt } from '../../../src/acme/attempts.ts';
import type { AttemptProblem, AttemptState } from '../../../src/acme/attempts.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NOW = Date.UTC(2026, 10, 28);
const PROBLEM: AttemptProblem = { code: 'ACME_X', type: null, message: 'no', fix: null, at: NOW, issuer: 'a' };
const FAILURE = { problem: PROBLEM, retryAfterMs: null, paused: false };
const middle = (): number => 0.5;

function ladder(count: number, remaining: number | null): number[] {
  let state: AttemptState | null = null;
  return Array.from({ length: count }, () => {
    state = afterFailure(state, FAILURE, NOW, remaining, middle);
    return state.waitMs;
  });
}

describe('afterFailure', () => {
  it('waits 1, 10 and 100 minutes and then a day', () => {
    expect(ladder(5, null)).toEqual([MINUTE, 10 * MINUTE, 100 * MINUTE, DAY, DAY]);
    expect(ladder(4, 60 * DAY)).toEqual([MINUTE, 10 * MINUTE, 100 * MINUTE, DAY]);
  });

  it('waits no more than a quarter of what is left', () => {
    expect(ladder(4, 40 * HOUR)).toEqual([MINUTE, 10 * MINUTE, 100 * MINUTE, 10 * HOUR]);
    expect(ladder(4, 20 * MINUTE)).toEqual([MINUTE, 5 * MINUTE, 5 * MINUTE, 5 * MINUTE]);
    expect(ladder(4, MINUTE).at(-1)).toBe(MINUTE);
  });

  it('asks four times a day for an expired certificate', () => {
    expect(ladder(5, -DAY).at(-1)).toBe(6 * HOUR);
  });

  it('spreads each step by a fifth', () => {
    expect(afterFailure(null, FAILURE, NOW, null, () => 0).waitMs).toBe(0.8 * MINUTE);
    expect(afterFailure(null, FAILURE, NOW, null, () => 0.999999).waitMs).toBeCloseTo(1.2 * MINUTE, -2);
  });

  it('takes the Retry-After as the least, but not beyond reason', () => {
    const wait = (retryAfterMs: number, remaining: number | null): number =>
      afterFailure(null, { ...FAILURE, retryAfterMs }, NOW, remaining, middle).waitMs;
    expect(wait(2 * HOUR, null)).toBe(2 * HOUR);
    expect(wait(1000, null)).toBe(MINUTE);
    expect(wait(-5, null)).toBe(MINUTE);
    expect(wait(Number.NaN, null)).toBe(MINUTE);
    expect(wait(Infinity, null)).toBe(7 * DAY);
    expect(wait(34 * HOUR, 20 * HOUR)).toBe(10 * HOUR);
  });

  it('never waits so long that the certificate could not be tried again, for all states', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 50 }),
        fc.integer({ min: HOUR, max: 398 * DAY }),
        fc.option(fc.oneof(fc.double(), fc.constantFrom(Infinity, -1, 0, 1e15)), { nil: null }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (failures, remaining, retryAfterMs, chance) => {
          const before = failures === 0 ? null : { failures, lastAt: 0, waitMs: 0, paused: false, problem: PROBLEM };
          const state = afterFailure(before, { ...FAILURE, retryAfterMs }, NOW, remaining, () => chance);
          expect(state.failures).toBe(failures + 1);
          expect(state.waitMs).toBeGreaterThanOrEqual(0.8 * MINUTE);
          expect(state.waitMs).toBeLessThanOrEqual(Math.max(HOUR, remaining / 2));
          expect(state.waitMs).toBeLessThanOrEqual(7 * DAY);
        },
      ),
    );
  });
});

describe('nextAttemptAt', () => {
  const state: AttemptState = { failures: 2, lastAt: NOW, waitMs: HOUR, paused: false, problem: PROBLEM };

  it('allows what never failed, and nothing while paused', () => {
    expect(nextAttemptAt(null, NOW)).toBe(0);
    expect(nextAttemptAt({ ...state, paused: true }, NOW)).toBe(Infinity);
  });

  it('does not wait longer after the clock went back, for all jumps', () => {
    fc.assert(
      fc.property(fc.integer({ min: -400 * DAY, max: 400 * DAY }), (jump) => {
        expect(nextAttemptAt(state, NOW + jump) - (NOW + jump)).toBeLessThanOrEqual(HOUR);
      }),
    );
    expect(nextAttemptAt(state, NOW + 30 * MINUTE)).toBe(NOW + HOUR);
  });
});
