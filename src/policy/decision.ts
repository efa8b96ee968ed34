/**
 * What a rule says of a request. A rule is parsed once, from the snapshot, and then only compares:
 * `decide(request)` returns null to let the request pass, or a refusal.
 */

/** A refusal, as data; `proxy/answers.ts` turns it into a Matrix error body or a small page. */
export interface Refusal {
  /** Stable code for log and metrics, such as `HOST_UNKNOWN`; listed in docs/errors.md. */
  readonly code: string;
  /** HTTP status, 400 to 599. */
  readonly status: number;
  /** Matrix error code, such as `M_UNRECOGNIZED`. */
  readonly errcode: string;
  /** One sentence for the person at the other end; tells nothing about the inside. */
  readonly error: string;
  /** Sent as `Retry-After`, and as `retry_after_ms` in a 429. */
  readonly retryAfterSeconds?: number;
  /** Sent as `Allow`, which a 405 must carry (RFC 9110 §15.5.6). */
  readonly allow?: string;
  /** The connection ends after this answer: what follows on it cannot be trusted. */
  readonly close?: boolean;
}
