/**
 * What became of the attempts for one certificate, and when the next is allowed: a ladder that a restart does not reset. A
 * CA counts failures, too, and a client that starts anew after each crash is how limits are burned.
 */

/** The last failure in the CA's words, for people. */
export interface AttemptProblem {
  /** Stable code. */
  readonly code: string;
  /** The CA's problem type without its urn (`rateLimited`); null when the CA said nothing. */
  readonly type: string | null;
  readonly message: string;
  readonly fix: string | null;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** The issuer's name; null when none was asked. */
  readonly issuer: string | null;
}

/** Failures in a row since the last certificate; immutable. */
export interface AttemptState {
  readonly failures: number;
  /** When the last one ended, by the wall clock. */
  readonly lastAt: number;
  /** How long to wait from then on. */
  readonly waitMs: number;
  /** The CA wants a person first: nothing is tried until somebody clears it. */
  readonly paused: boolean;
  readonly problem: AttemptProblem;
}

/** What a failure brings along. */
export interface Failure {
  readonly problem: AttemptProblem;
  /** The CA's Retry-After; null when it said nothing. */
  readonly retryAfterMs: number | null;
  readonly paused: boolean;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Let's Encrypt's integration guide: after one minute, after ten, after a hundred, then daily. */
const LADDER: readonly number[] = [MINUTE, 10 * MINUTE, 100 * MINUTE];
/** With an expired certificate a name is down, so a day is too long; a CA can bear four questions a day. */
const MAX_STEP_EXPIRED = 6 * HOUR;
const JITTER = 0.2;
/** A week is the longest period of any CA's limits; more is a mistake of the CA, or somebody else's. */
const MAX_RETRY_AFTER = 7 * DAY;

/**
 * The state after one more failure.
 * @param remainingMs - life left of the certificate in use, not positive when it has expired; null when there is none
 * @param random - in [0, 1)
 */
export function afterFailure(
  before: AttemptState | null,
  failure: Failure,
  now: number,
  remainingMs: number | null,
  random: () => number,
): AttemptState {
  const failures = (before?.failures ?? 0) + 1;
  const step = ladderStep(failures, remainingMs) * (1 - JITTER + 2 * JITTER * random());
  return {
    failures,
    lastAt: now,
    waitMs: Math.floor(Math.max(step, boundedRetryAfter(failure.retryAfterMs, remainingMs))),
    paused: failure.paused,
    problem: failure.problem,
  };
}

/**
 * When the next attempt is allowed; 0 when none failed, infinite while paused. A clock that went back does not make the
 * wait longer than it was meant to be.
 */
export function nextAttemptAt(state: AttemptState | null, now: number): number {
  if (state === null) return 0;
  if (state.paused) return Infinity;
  return Math.min(state.lastAt, now) + state.waitMs;
}

/** @param failures - at least 1 */
function ladderStep(failures: number, remainingMs: number | null): number {
  const step = LADDER[failures - 1] ?? DAY;
  if (remainingMs === null) return step;
  if (remainingMs <= 0) return Math.min(step, MAX_STEP_EXPIRED);
  // So that even a certificate of hours gets several attempts before it ends.
  return Math.min(step, Math.max(MINUTE, remainingMs / 4));
}

/** The CA's wish, as long as the certificate in use survives it: asking too early costs one refusal, waiting too long an outage. */
function boundedRetryAfter(retryAfterMs: number | null, remainingMs: number | null): number {
  if (retryAfterMs === null || Number.isNaN(retryAfterMs) || retryAfterMs <= 0) return 0;
  const most = remainingMs === null || remainingMs <= 0 ? MAX_RETRY_AFTER : Math.max(HOUR, remainingMs / 2);
  return Math.min(retryAfterMs, most, MAX_RETRY_AFTER);
}
