/** Asking until something is done, at the pace that the authority names, within bounds (RFC 8555 §7.4, §7.5.1). */
import type { Clock } from '../base/clock.ts';
import { boundWait } from './retry-after.ts';

/** What was seen, and how long the authority would like to be left alone. */
export interface Polled<Resource> {
  readonly value: Resource;
  readonly retryAfterMs: number | null;
}

/** Time, for polling. */
export interface Pacing {
  readonly clock: Pick<Clock, 'monotonic'>;
  /** Waits for milliseconds. */
  readonly pause: (milliseconds: number) => Promise<void>;
}

/** Without a Retry-After: each wait twice as long as the one before, up to the second of these. */
const FIRST_MS = 500;
const MOST_MS = 10_000;
/** Bounds of a Retry-After. */
const LEAST_ASKED_MS = 500;
const MOST_ASKED_MS = 60_000;
/** In case that the clock stands still. */
const MAX_POLLS = 2000;

/**
 * Asks, at once and then again and again.
 * @param limitMs - for all of it
 * @returns the first that is `done`, or what was seen last when the time was over
 */
export async function poll<Resource>(
  read: () => Promise<Polled<Resource>>,
  done: (resource: Resource) => boolean,
  limitMs: number,
  { clock, pause }: Pacing,
): Promise<Resource> {
  const deadline = clock.monotonic() + limitMs;
  for (let round = 0; ; round += 1) {
    const { value, retryAfterMs } = await read();
    if (done(value)) return value;
    const asked = boundWait(retryAfterMs, LEAST_ASKED_MS, MOST_ASKED_MS);
    const wait = asked ?? Math.min(MOST_MS, FIRST_MS * 2 ** round);
    if (round >= MAX_POLLS || clock.monotonic() + wait > deadline) return value;
    await pause(wait);
  }
}
