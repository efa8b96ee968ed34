/** How long an exchange waits for what, beyond what the class limits say by themselves. Pure. */
import type { LimitsData } from '../policy/class-limits.ts';
import type { RelayRoute } from './route.ts';

/** After this long without a word from the upstream, Portico itself tells a waiting client to go on (ms). */
export const CONTINUE_AFTER_MS = 1000;
/** Silence in both directions after which a tunnel ends (ms); WebSocket users send pings well below. */
export const TUNNEL_IDLE_MS = 15 * 60_000;
/** Rates of senders are judged after this long (ms). */
const RATE_GRACE_MS = 10_000;
/** A client that takes nothing is given at least this long (ms). */
const STALL_GRACE_MS = 30_000;
/** What a long poll may take beyond the `timeout` that it asked for (ms). */
const SYNC_MARGIN_MS = 60_000;
/** The longest `timeout` that is believed (ms); homeservers cap it lower. */
const MAX_SYNC_TIMEOUT_MS = 60 * 60_000;

/**
 * The longest wait for a response head (ms): that of the class; for a long poll at least what it asked for and a minute; for
 * a first sync, which collects a whole account, as long as for joining a large room.
 */
export function responseHeadPatience(route: RelayRoute, target: string, limits: LimitsData): number {
  const { responseHeadMs } = route.limits;
  if (route.requestClass !== 'sync') return responseHeadMs;
  const asked = requestedTimeout(target) + SYNC_MARGIN_MS;
  return Math.max(responseHeadMs, asked, isFirstSync(target) ? limits.classes.join.responseHeadMs : 0);
}

/** True when a sender is slower than it may be. @param elapsedMs - without the time in which we did not listen */
export function sendsTooSlowly(bytes: number, elapsedMs: number, minRate: number): boolean {
  return elapsedMs > RATE_GRACE_MS && (bytes * 1000) / elapsedMs < minRate;
}

/** True when a client has left what waits for it for longer than the slowest rate allows. */
export function takesTooSlowly(pendingBytes: number, stalledMs: number, minRate: number): boolean {
  return stalledMs > Math.max(STALL_GRACE_MS, minRate === 0 ? Infinity : (pendingBytes * 1000) / minRate);
}

/** The `timeout` of a long poll in ms, 0 when there is none; a stranger's number, so it is capped. */
function requestedTimeout(target: string): number {
  const match = /[?&]timeout=(\d{1,9})(?:&|$)/.exec(target);
  return match === null ? 0 : Math.min(Number(match[1]), MAX_SYNC_TIMEOUT_MS);
}

/** A sync that starts from nothing: no `since` (sync), `from` (events) or `pos` (sliding sync). */
function isFirstSync(target: string): boolean {
  return !/[?&](?:since|from|pos)=/.test(target);
}
