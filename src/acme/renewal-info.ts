/** ACME Renewal Information as the CA suggests it (RFC 9773). */

/** A window in which to renew; milliseconds since the epoch. Not judged yet: it may be garbage. */
export interface RenewalInfo {
  readonly start: number;
  readonly end: number;
  /** A page about why, when the CA gives one. */
  readonly explanationUrl: string | null;
  /** When it was received. */
  readonly receivedAt: number;
  /** The CA's Retry-After, in milliseconds, as it was sent; null when absent or unreadable. */
  readonly retryAfterMs: number | null;
}
