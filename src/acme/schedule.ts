/**
 * When to renew: a pure function of the certificate, what the CA suggests, what failed before, the time and chance. The same
 * question gets the same answer after a restart, because chance is drawn from the certificate itself.
 */
import { createHash } from 'node:crypto';
import type { AttemptState } from './attempts.ts';
import { nextAttemptAt } from './attempts.ts';
import type { RenewalInfo } from './renewal-info.ts';

/** What the decision is made from. Times are milliseconds since the epoch. */
export interface RenewalQuestion {
  readonly certificate: {
    readonly notBefore: number;
    readonly notAfter: number;
    /** When it was received; null when that is not known. */
    readonly obtainedAt: number | null;
  };
  /** The CA's suggestion (RFC 9773); null when there is none. Need not make sense. */
  readonly ari: RenewalInfo | null;
  /** Failures since the certificate was obtained; null when there were none. */
  readonly attempts: AttemptState | null;
  readonly now: number;
  /** In [0, 1), drawn once; {@link seededRandom} of the certificate makes the answer stable. */
  readonly random: () => number;
}

/** What follows. */
export interface RenewalDecision {
  /** Never before `now`; infinite when somebody must act first. */
  readonly at: number;
  /** For people: why then. */
  readonly reason: string;
  /** The CA's window was used; false also when it was garbage. */
  readonly byAri: boolean;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Certificates that live no longer than this are renewed at half their life. */
const SHORT_LIVED = 10 * DAY;
/** Around the date that follows from the lifetime, so that certificates made together are not renewed together. */
const SPREAD = 0.02;
/** So that a CA that always says "now" is not obeyed for ever: how soon after a certificate came the next may be ordered. */
const MIN_REST = 6 * HOUR;
const MIN_REST_SHARE = 1 / 20;
/** Whatever the CA suggests, this part of the life stays for failures. */
const RESERVE = 1 / 6;

/** Decides. Never throws, whatever the window and the dates are. */
export function decideRenewal(question: RenewalQuestion): RenewalDecision {
  const { certificate, ari, attempts, now } = question;
  const life = certificate.notAfter - certificate.notBefore;
  const share = question.random();
  const latest = certificate.notAfter - life * RESERVE;
  const fault = ari === null ? null : windowFault(ari, certificate);
  const wish =
    ari === null || fault !== null
      ? byLifetime(certificate.notAfter, life, share, fault)
      : rested(byWindow(ari, latest, share, now), certificate.obtainedAt, life, now);
  const allowed = nextAttemptAt(attempts, now);
  if (allowed === Infinity) {
    return { at: Infinity, reason: 'paused by the CA until `portico certs renew`', byAri: wish.byAri };
  }
  if (allowed > Math.max(wish.at, now)) {
    const count = attempts?.failures ?? 0;
    return { at: allowed, reason: `after ${String(count)} failed attempt${count === 1 ? '' : 's'}`, byAri: wish.byAri };
  }
  return { ...wish, at: Math.max(wish.at, now) };
}

/** Numbers in [0, 1) that are the same for the same text. */
export function seededRandom(seed: string): () => number {
  let round = 0;
  return () => {
    const digest = createHash('sha256')
      .update(`${String(round++)} ${seed}`)
      .digest();
    return digest.readUInt32BE(0) / 2 ** 32;
  };
}

/** What is known about the asking for renewal information. */
export interface PollQuestion {
  readonly certificate: { readonly notBefore: number; readonly notAfter: number };
  /** The last answer; null when there is none. */
  readonly ari: RenewalInfo | null;
  /** Questions in a row that failed since then. */
  readonly failures: number;
  /** When the last question was answered or failed; null when none was asked. */
  readonly lastAt: number | null;
  readonly now: number;
}

const MIN_POLL = MINUTE;
const MAX_POLL = 12 * HOUR;
const DEFAULT_POLL = 6 * HOUR;
const FIRST_POLL_RETRY = 5 * MINUTE;

/**
 * When to ask for renewal information next: what the CA's Retry-After says, between one minute and twelve hours (RFC 9773
 * §4.3.1); without it every six hours, more often for certificates of hours; after failures with growing distance.
 */
export function nextRenewalInfoPoll(question: PollQuestion): number {
  const { certificate, ari, failures, lastAt, now } = question;
  if (lastAt === null) return now;
  const life = certificate.notAfter - certificate.notBefore;
  const usual = Math.min(DEFAULT_POLL, life / 10);
  const retry = Math.min(usual, FIRST_POLL_RETRY * 2 ** Math.min(failures - 1, 10));
  const wait = failures > 0 ? retry : (ari?.retryAfterMs ?? usual);
  return Math.max(now, Math.min(lastAt, now) + clamp(wait, MIN_POLL, MAX_POLL));
}

interface Wish {
  readonly at: number;
  readonly reason: string;
  readonly byAri: boolean;
}

function byLifetime(notAfter: number, life: number, share: number, fault: string | null): Wish {
  const short = life <= SHORT_LIVED;
  const left = life * (short ? 1 / 2 : 1 / 3) - life * SPREAD * (2 * share - 1);
  const rule = `${short ? 'half' : 'a third'} of its life is left`;
  const reason = fault === null ? rule : `${rule} (${fault})`;
  // Dates that are no life at all: there is nothing to wait for.
  return { at: life > 0 ? notAfter - left : -Infinity, reason, byAri: false };
}

function byWindow(ari: RenewalInfo, latest: number, share: number, now: number): Wish {
  const point = ari.start + (ari.end - ari.start) * share;
  if (point > latest) return { at: latest, reason: 'a sixth of its life is left; the CA suggests later', byAri: true };
  const reason = ari.end < now ? 'the window that the CA suggests has passed' : 'suggested by the CA';
  return { at: point, reason, byAri: true };
}

function rested(wish: Wish, obtainedAt: number | null, life: number, now: number): Wish {
  if (obtainedAt === null) return wish;
  const earliest = Math.min(obtainedAt, now) + Math.min(MIN_REST, life * MIN_REST_SHARE);
  return wish.at >= earliest ? wish : { ...wish, at: earliest };
}

/**
 * Why a window cannot be meant; null when it can. Judged against the certificate and not against the clock, which may be
 * wrong: a window in the past is a CA's way of saying "now", but not one from before the certificate was thought of.
 */
function windowFault(ari: RenewalInfo, certificate: RenewalQuestion['certificate']): string | null {
  const life = certificate.notAfter - certificate.notBefore;
  if (!Number.isFinite(ari.start) || !Number.isFinite(ari.end)) return 'the CA suggests no readable window';
  if (ari.end <= ari.start) return 'the window that the CA suggests ends before it starts';
  if (ari.start > certificate.notAfter + life || ari.end < certificate.notBefore - life) {
    return 'the window that the CA suggests is more than a lifetime away';
  }
  return null;
}

function clamp(value: number, low: number, high: number): number {
  return Number.isNaN(value) ? high : Math.min(Math.max(value, low), high);
}
