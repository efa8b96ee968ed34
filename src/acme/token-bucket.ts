/**
 * Token buckets as one number each: the time at which a bucket will be full again (the "virtual scheduling" form of the leaky
 * bucket, ITU-T I.371, which Let's Encrypt counts by as well). A full bucket needs no number at all, so what is kept is
 * bounded by what was used lately.
 */
import type { RateLimit } from './rate-limits.ts';

/** When a bucket is full again; milliseconds since the epoch. Absent or past: it is full. */
export type FullAt = number;

/** A whole token is there when this is at least one; never above the capacity. */
export function tokensLeft(fullAt: FullAt | undefined, limit: RateLimit, now: number): number {
  if (fullAt === undefined || !Number.isFinite(fullAt)) return limit.capacity;
  // A clock that went back must not make the bucket emptier than empty.
  const missing = Math.min(Math.max(0, (fullAt - now) / limit.refillMs), limit.capacity);
  return limit.capacity - missing;
}

/** When there is a whole token; not after `now` when there is one already. */
export function tokenAt(fullAt: FullAt | undefined, limit: RateLimit, now: number): number {
  const left = tokensLeft(fullAt, limit, now);
  return left >= 1 ? now : now + Math.ceil((1 - left) * limit.refillMs);
}

/** Takes a token, also when there is none: what the CA has counted is counted, but never below empty. */
export function takeToken(fullAt: FullAt | undefined, limit: RateLimit, now: number): FullAt {
  const left = Math.max(0, tokensLeft(fullAt, limit, now) - 1);
  return now + (limit.capacity - left) * limit.refillMs;
}

/** Gives a token back that was taken and not used. */
export function returnToken(fullAt: FullAt | undefined, limit: RateLimit, now: number): FullAt {
  const left = Math.min(limit.capacity, tokensLeft(fullAt, limit, now) + 1);
  return now + (limit.capacity - left) * limit.refillMs;
}
