/**
 * What Let's Encrypt allows, as published at letsencrypt.org/docs/rate-limits and staging-environment (August 2026). Other
 * authorities publish nothing that could be counted; their Retry-After is all there is.
 */

/** A bucket that holds `capacity` and gets one back each `refillMs`. */
export interface RateLimit {
  readonly capacity: number;
  readonly refillMs: number;
}

/** The limits of one authority that a single Portico can meet. */
export interface IssuerLimits {
  /** New accounts for each address of this machine. */
  readonly accounts: RateLimit;
  /** New orders for each account. */
  readonly orders: RateLimit;
  /** New certificates for each registered domain. */
  readonly domain: RateLimit;
  /** New certificates for just the same set of names. */
  readonly set: RateLimit;
  /** Failed validations for each name. */
  readonly failures: RateLimit;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const WEEK = 7 * 24 * HOUR;

const PRODUCTION: IssuerLimits = {
  accounts: per(10, 3 * HOUR),
  orders: per(300, 3 * HOUR),
  domain: per(50, WEEK),
  set: per(5, WEEK),
  failures: per(5, HOUR),
};

const STAGING: IssuerLimits = {
  accounts: per(50, 3 * HOUR),
  orders: per(1500, 3 * HOUR),
  domain: per(30_000, WEEK),
  set: per(30_000, WEEK),
  failures: per(200, HOUR),
};

/** @returns null when nothing is known of the authority's limits */
export function limitsOf(directoryUrl: string): IssuerLimits | null {
  const host = URL.canParse(directoryUrl) ? new URL(directoryUrl).hostname : '';
  if (host === 'acme-v02.api.letsencrypt.org') return PRODUCTION;
  return host === 'acme-staging-v02.api.letsencrypt.org' ? STAGING : null;
}

function per(capacity: number, periodMs: number): RateLimit {
  return { capacity, refillMs: periodMs / capacity };
}
