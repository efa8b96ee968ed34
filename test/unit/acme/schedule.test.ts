import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AttemptState } from '../../../src/acme/attempts.ts';
import type { RenewalInfo } from '../../../src/acme/renewal-info.ts';
import { decideRenewal, nextRenewalInfoPoll, seededRandom } from '../../../src/acme/schedule.ts';
import type { RenewalQuestion } from '../../../src/acme/schedule.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 10, 28);

const middle = (): number => 0.5;
const lasting = (life: number): RenewalQuestion['certificate'] => ({
  notBefore: START,
  notAfter: START + life,
  obtainedAt: null,
});
const suggested = (start: number, end: number): RenewalInfo => ({
  start,
  end,
  explanationUrl: null,
  receivedAt: START,
  retryAfterMs: null,
});
const failed = (lastAt: number, waitMs: number): AttemptState => ({
  failures: 2,
  lastAt,
  waitMs,
  paused: false,
  problem: { code: 'ACME_X', type: null, message: 'no', fix: null, at: lastAt, issuer: null },
});

const anyLife = fc.integer({ min: HOUR, max: 398 * DAY });
const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const anyTime = fc.oneof(
  fc.double(),
  fc.integer({ min: START - 800 * DAY, max: START + 800 * DAY }),
  fc.constantFrom(0, Infinity, -Infinity),
);
const anyWindow = fc.option(fc.tuple(anyTime, anyTime), { nil: null });
const anyAttempts = fc.option(
  fc.record({
    lastAt: fc.integer({ min: START - DAY, max: START + 400 * DAY }),
    waitMs: fc.integer({ min: 0, max: 7 * DAY }),
  }),
  { nil: null },
);

describe('decideRenewal without a suggestion', () => {
  const decide = (life: number, now = START): number =>
    decideRenewal({ certificate: lasting(life), ari: null, attempts: null, now, random: middle }).at;

  it('renews with a third left, short-lived certificates with half', () => {
    expect(decide(90 * DAY)).toBe(START + 60 * DAY);
    expect(decide(398 * DAY)).toBeCloseTo(START + (398 * DAY * 2) / 3, -2);
    expect(decide(160 * HOUR)).toBe(START + 80 * HOUR);
    expect(decide(10 * DAY)).toBe(START + 5 * DAY);
    expect(decide(HOUR)).toBe(START + 30 * MINUTE);
  });

  it('renews at once what is overdue, and does not hurry because the clock is behind', () => {
    expect(decide(90 * DAY, START + 80 * DAY)).toBe(START + 80 * DAY);
    expect(decide(90 * DAY, START + 100 * DAY)).toBe(START + 100 * DAY);
    expect(decide(90 * DAY, START - 2 * DAY)).toBe(START + 60 * DAY);
  });
});

describe('decideRenewal with a suggestion', () => {
  const decide = (start: number, end: number, now = START, attempts: AttemptState | null = null) =>
    decideRenewal({ certificate: lasting(90 * DAY), ari: suggested(start, end), attempts, now, random: middle });

  it('takes a point in the window, also later than a third', () => {
    expect(decide(START + 70 * DAY, START + 72 * DAY)).toEqual({
      at: START + 71 * DAY,
      reason: 'suggested by the CA',
      byAri: true,
    });
  });

  it('keeps a sixth of the life', () => {
    expect(decide(START + 80 * DAY, START + 88 * DAY)).toMatchObject({ at: START + 75 * DAY, byAri: true });
  });

  it('takes a window in the past as now, through the ladder', () => {
    const now = START + 10 * DAY;
    expect(decide(START + 8 * DAY, START + 9 * DAY, now)).toMatchObject({ at: now, byAri: true });
    expect(decide(START + 8 * DAY, START + 9 * DAY, now, failed(now - MINUTE, 10 * MINUTE))).toEqual({
      at: now + 9 * MINUTE,
      reason: 'after 2 failed attempts',
      byAri: true,
    });
  });

  it('rests after a certificate came, even when the CA says now for ever', () => {
    const certificate = { ...lasting(90 * DAY), obtainedAt: START + HOUR };
    const ari = suggested(START - 2 * DAY, START - DAY);
    const at = (now: number): number => decideRenewal({ certificate, ari, attempts: null, now, random: middle }).at;
    expect(at(START + HOUR)).toBe(START + 7 * HOUR);
    expect(at(START + 8 * HOUR)).toBe(START + 8 * HOUR);
    // The clock went back: no longer rest than that.
    expect(at(START - 10 * HOUR)).toBe(START - 4 * HOUR);
  });

  it.for([
    ['ends before it starts', START + 72 * DAY, START + 70 * DAY],
    ['is empty', START + 72 * DAY, START + 72 * DAY],
    ['is no time', Number.NaN, START + 72 * DAY],
    ['never ends', START + 70 * DAY, Infinity],
    ['is years away', START + 1000 * DAY, START + 1001 * DAY],
    ['is from 1970', 0, DAY],
  ] as const)('ignores a window that %s, and says so', ([, start, end]) => {
    const decision = decide(start, end);
    expect(decision).toMatchObject({ at: START + 60 * DAY, byAri: false });
    expect(decision.reason).toContain('the CA suggests');
  });
});

describe('decideRenewal, for all lifetimes from an hour to 398 days', () => {
  it('comes before a sixth is left, after half of the life, and never before now', () => {
    fc.assert(
      fc.property(anyLife, anyWindow, chance, fc.integer({ min: -2, max: 2 }), (life, window, share, days) => {
        const certificate = lasting(life);
        const now = START + days * DAY;
        const ari = window === null ? null : suggested(...window);
        const decision = decideRenewal({ certificate, ari, attempts: null, now, random: () => share });
        expect(decision.at).toBeGreaterThanOrEqual(now);
        expect(decision.at).toBeLessThanOrEqual(Math.max(now, certificate.notAfter - life / 6 + 1));
        // Only the CA itself can make it earlier than its lifetime says.
        if (!decision.byAri) expect(decision.at).toBeGreaterThanOrEqual(Math.max(now, START + life * 0.479));
        if (decision.byAri && ari !== null && decision.at > now) {
          expect(decision.at).toBeLessThanOrEqual(ari.end);
        }
      }),
    );
  });

  it('never comes before the ladder allows, and waits for nothing else then', () => {
    fc.assert(
      fc.property(anyLife, anyWindow, anyAttempts, chance, (life, window, attempts, share) => {
        const certificate = lasting(life);
        const ari = window === null ? null : suggested(...window);
        const now = START + life * 0.9;
        const state = attempts === null ? null : failed(attempts.lastAt, attempts.waitMs);
        const { at } = decideRenewal({ certificate, ari, attempts: state, now, random: () => share });
        const allowed = attempts === null ? 0 : Math.min(attempts.lastAt, now) + attempts.waitMs;
        expect(at).toBe(Math.max(now, allowed));
      }),
    );
  });

  it('is stable for a certificate, and spread over certificates', () => {
    const at = (seed: string): number =>
      decideRenewal({
        certificate: lasting(90 * DAY),
        ari: suggested(START + 60 * DAY, START + 62 * DAY),
        attempts: null,
        now: START,
        random: seededRandom(seed),
      }).at;
    expect(at('a')).toBe(at('a'));
    const points = Array.from({ length: 200 }, (_, index) => at(`certificate ${index}`));
    const days = points.map((point) => (point - START) / DAY);
    expect(Math.min(...days)).toBeLessThan(60.2);
    expect(Math.max(...days)).toBeGreaterThan(61.8);
  });

  it('waits for a person when the CA has paused the name', () => {
    const attempts = { ...failed(START, 0), paused: true };
    const decision = decideRenewal({ certificate: lasting(DAY), ari: null, attempts, now: START, random: middle });
    expect(decision.at).toBe(Infinity);
    expect(decision.reason).toContain('portico certs renew');
  });

  it('has an answer for dates that are no life', () => {
    const certificate = { notBefore: START, notAfter: START - 1, obtainedAt: null };
    expect(decideRenewal({ certificate, ari: null, attempts: null, now: START, random: middle }).at).toBe(START);
  });
});

describe('nextRenewalInfoPoll', () => {
  const poll = (retryAfterMs: number | null, failures = 0, life = 90 * DAY, now = START): number =>
    nextRenewalInfoPoll({
      certificate: lasting(life),
      ari: { ...suggested(START, START + DAY), retryAfterMs },
      failures,
      lastAt: START,
      now,
    }) - START;

  it('asks at once when nobody has asked', () => {
    const question = { certificate: lasting(DAY), ari: null, failures: 0, lastAt: null, now: START };
    expect(nextRenewalInfoPoll(question)).toBe(START);
  });

  it('follows the CA between a minute and twelve hours', () => {
    expect(poll(3 * HOUR)).toBe(3 * HOUR);
    expect(poll(0)).toBe(MINUTE);
    expect(poll(-1)).toBe(MINUTE);
    expect(poll(1e15)).toBe(12 * HOUR);
    expect(poll(Number.NaN)).toBe(12 * HOUR);
  });

  it('asks every six hours without a wish of the CA, more often for a certificate of hours', () => {
    expect(poll(null)).toBe(6 * HOUR);
    expect(poll(null, 0, 10 * HOUR)).toBe(HOUR);
  });

  it('asks again after failures with growing distance', () => {
    expect([1, 2, 3, 20].map((failures) => poll(null, failures))).toEqual([
      5 * MINUTE,
      10 * MINUTE,
      20 * MINUTE,
      6 * HOUR,
    ]);
  });

  it('does not wait longer after the clock went back', () => {
    expect(poll(HOUR, 0, 90 * DAY, START - 2 * DAY)).toBe(HOUR - 2 * DAY);
  });
});
