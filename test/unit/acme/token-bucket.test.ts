import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { returnToken, takeToken, tokenAt, tokensLeft } from '../../../src/acme/token-bucket.ts';

const LIMIT = { capacity: 5, refillMs: 1000 };

const moves = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('take' as const) }),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 20_000 }) }),
    fc.record({ kind: fc.constant('jump' as const), ms: fc.integer({ min: -1e9, max: 1e9 }) }),
  ),
);

describe('a token bucket', () => {
  it('gives its capacity at once and then one each interval', () => {
    let fullAt: number | undefined;
    for (let taken = 0; taken < 5; taken++) {
      expect(tokenAt(fullAt, LIMIT, 0)).toBe(0);
      fullAt = takeToken(fullAt, LIMIT, 0);
    }
    expect(tokenAt(fullAt, LIMIT, 0)).toBe(1000);
    expect(tokensLeft(fullAt, LIMIT, 2500)).toBeCloseTo(2.5);
    expect(tokensLeft(fullAt, LIMIT, 1e9)).toBe(5);
  });

  it('never allows more in any span than it holds and refills, when it is asked before each take', () => {
    fc.assert(
      fc.property(moves, (steps) => {
        let now = 1e12;
        let fullAt: number | undefined;
        const taken: number[] = [];
        for (const step of steps) {
          if (step.kind === 'wait') now += step.ms;
          else if (step.kind === 'take' && tokenAt(fullAt, LIMIT, now) <= now) {
            fullAt = takeToken(fullAt, LIMIT, now);
            taken.push(now);
          }
        }
        taken.forEach((from, index) => {
          const span = taken.slice(index).map((at, count) => ({ count: count + 1, ms: at - from }));
          for (const { count, ms } of span) expect(count).toBeLessThanOrEqual(5 + ms / 1000 + 1e-6);
        });
      }),
    );
  });

  it('never makes anybody wait longer than one interval, whatever the clock does', () => {
    fc.assert(
      fc.property(moves, (steps) => {
        let now = 1e12;
        let fullAt: number | undefined;
        for (const step of steps) {
          if (step.kind === 'take') fullAt = takeToken(fullAt, LIMIT, now);
          else now += step.ms;
          expect(tokenAt(fullAt, LIMIT, now) - now).toBeLessThanOrEqual(1000);
          expect(tokensLeft(fullAt, LIMIT, now)).toBeLessThanOrEqual(5);
        }
      }),
    );
  });

  it('takes a token back', () => {
    const one = takeToken(undefined, LIMIT, 0);
    expect(tokensLeft(returnToken(one, LIMIT, 0), LIMIT, 0)).toBe(5);
    expect(tokensLeft(returnToken(undefined, LIMIT, 0), LIMIT, 0)).toBe(5);
  });
});
