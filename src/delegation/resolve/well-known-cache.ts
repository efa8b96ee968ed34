/**
 * How long a peer may keep what `/.well-known/matrix/server` said. Pure. Source: Matrix v1.19, S-S "Resolving server names",
 * step 3: the response's cache headers, else 24 hours, never more than 48 hours; failures up to 1 hour, with exponential
 * back-off; RFC 9111 §4.2 for what the headers mean.
 */

const SECOND_MS = 1000;
const HOUR_MS = 60 * 60 * SECOND_MS;
const DEFAULT_MS = 24 * HOUR_MS;
const MAX_MS = 48 * HOUR_MS;
const MAX_ERROR_MS = HOUR_MS;
/** The first failure is remembered for a minute, each further one in a row for twice as long. */
const FIRST_ERROR_MS = 60 * SECOND_MS;

/** The fields that count; names in lower case. */
export interface CacheFields {
  readonly 'cache-control'?: string | undefined;
  readonly expires?: string | undefined;
  readonly date?: string | undefined;
  readonly age?: string | undefined;
}

/**
 * How long a valid document holds.
 * @param now - milliseconds since the epoch, for an Expires without Date
 * @returns milliseconds from 0 (ask again next time) to 48 hours
 */
export function validPeriod(fields: CacheFields, now: number): number {
  return Math.min(MAX_MS, Math.max(0, lifetime(fields, now) - ageMs(fields.age)));
}

/**
 * How long a failure is remembered.
 * @param failures - in a row, this one included
 * @returns milliseconds, from a minute to an hour
 */
export function errorPeriod(failures: number): number {
  return Math.min(MAX_ERROR_MS, FIRST_ERROR_MS * 2 ** Math.max(0, Math.min(failures, 32) - 1));
}

/** Freshness lifetime (RFC 9111 §4.2.1). `s-maxage` is for shared caches, which a homeserver is not. */
function lifetime({ 'cache-control': cacheControl, expires, date }: CacheFields, now: number): number {
  const directives = parseCacheControl(cacheControl ?? '');
  if (directives.has('no-store') || directives.has('no-cache')) return 0;
  const maxAge = directives.get('max-age');
  if (maxAge !== undefined) return /^\d+$/.test(maxAge) ? Number(maxAge) * SECOND_MS : 0;
  if (expires === undefined) return DEFAULT_MS;
  const end = Date.parse(expires);
  // An unreadable date, "0" above all, means that it has expired (RFC 9111 §5.3).
  if (Number.isNaN(end) || !/[A-Za-z]/.test(expires)) return 0;
  const sent = Date.parse(date ?? '');
  return end - (Number.isNaN(sent) ? now : sent);
}

/** Directives in lower case; of two with one name the first counts (RFC 9111 §4.2.1). */
function parseCacheControl(text: string): Map<string, string> {
  const directives = new Map<string, string>();
  for (const [, name = '', quoted, plain] of text.matchAll(/([!#$%&'*+.^_`|~\w-]+)(?:=(?:"([^"]*)"|([^\s,;"]*)))?/g)) {
    const key = name.toLowerCase();
    if (!directives.has(key)) directives.set(key, quoted ?? plain ?? '');
  }
  return directives;
}

function ageMs(age: string | undefined): number {
  return age !== undefined && /^\d{1,10}$/.test(age) ? Number(age) * SECOND_MS : 0;
}
