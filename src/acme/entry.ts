/** What the manager knows of one planned certificate while it runs. */
import { coversName } from '../base/certificate.ts';
import type { PlannedCertificate } from './planned-certificates.ts';
import type { RenewalInfo } from './renewal-info.ts';
import { seededRandom } from './schedule.ts';
import type { StoredCertificate } from './stored-certificates.ts';

/** Not before `until` (monotonic clock), for a reason that is no failure. */
export interface Waiting {
  readonly until: number;
  /** Wall clock, for people. */
  readonly at: number;
  readonly reason: string;
}

/** Changed in place; only the manager holds it. */
export interface Entry {
  plan: PlannedCertificate;
  held: StoredCertificate | null;
  /** Of `held`, for its place in a window. */
  share: number;
  /** `held` is in memory only; when it is tried to be stored again, monotonic. */
  unsavedUntil: number | null;
  /** Forgets the order that `held` came from; null when that is done. Not before `held` is stored: the order has its key. */
  discard: (() => Promise<void>) | null;
  /** It may be in the store, which could not be read. */
  unread: boolean;
  ari: RenewalInfo | null;
  ariFailures: number;
  /** Null: not asked since `held` came. */
  ariAskedAt: number | null;
  waiting: Waiting | null;
  addressChecks: number;
  /** Somebody asked for a renewal now. */
  forced: boolean;
  running: { readonly abort: AbortController; readonly ordering: boolean } | null;
  /** When it was last said that it has expired, monotonic. */
  saidExpired: number | null;
}

/** Nothing is known yet. */
export function newEntry(plan: PlannedCertificate): Entry {
  return {
    plan,
    held: null,
    share: 0,
    unsavedUntil: null,
    discard: null,
    unread: false,
    ari: null,
    ariFailures: 0,
    ariAskedAt: null,
    waiting: null,
    addressChecks: 0,
    forced: false,
    running: null,
    saidExpired: null,
  };
}

/** Takes a certificate into use; what was known of the one before is void. */
export function hold(entry: Entry, held: StoredCertificate): void {
  entry.held = held;
  entry.share = seededRandom(held.certificate.id)();
  entry.unsavedUntil = null;
  entry.discard = null;
  entry.ari = null;
  entry.ariFailures = 0;
  entry.ariAskedAt = null;
  entry.waiting = null;
  entry.addressChecks = 0;
  entry.saidExpired = null;
}

/** Moments that a clock which went back made future: they count from now, or waiting for them would begin anew at every look. */
export function anchor(entry: Entry, now: number): void {
  if (entry.ariAskedAt !== null && entry.ariAskedAt > now) entry.ariAskedAt = now;
  if (entry.held !== null && entry.held.obtainedAt > now) entry.held = { ...entry.held, obtainedAt: now };
}

/** True when the certificate is for every planned name. */
export function coversAll({ certificate }: StoredCertificate, plan: PlannedCertificate): boolean {
  return plan.names.every((name) => certificate.names.includes(name) || coversName(certificate.names, name));
}
