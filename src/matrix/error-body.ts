/** Matrix error bodies (Matrix C-S "Standard error response"). */

/**
 * The JSON text of an error.
 * @param errcode - such as `M_UNRECOGNIZED`
 * @param error - one sentence for people; tells nothing about the inside
 * @param retryAfterMs - for `M_LIMIT_EXCEEDED`; clients older than Matrix 1.10 read it instead of Retry-After
 */
export function matrixErrorBody(errcode: string, error: string, retryAfterMs?: number): string {
  return JSON.stringify({ errcode, error, retry_after_ms: retryAfterMs });
}
