/** Retry-After (RFC 9110 §10.2.3), which an authority may send as seconds or as a date, and may get wrong. */

/** Nothing that an authority says makes Portico wait longer than this; longer limits are met again and heard again. */
export const MAX_RETRY_AFTER_MS = 7 * 24 * 60 * 60 * 1000;

/**
 * Reads the field as it was meant.
 * @param value - the field, or undefined when there was none
 * @param now - milliseconds since the epoch
 * @returns milliseconds from now, 0 for a date in the past; null when absent or neither seconds nor a date (`-5`, `soon`)
 */
export function parseRetryAfter(value: string | undefined, now: number): number | null {
  if (value === undefined) return null;
  const text = value.trim();
  if (/^\d{1,15}$/.test(text)) return Number(text) * 1000;
  // A date has letters; without this check Date.parse takes "-5" and "5.5" for years and months.
  if (!/^[A-Za-z]{3,9},? /.test(text) || text.length > 64) return null;
  const date = Date.parse(text);
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}

/** Puts a wait between bounds; null stays null. */
export function boundWait(milliseconds: number | null, least: number, most: number): number | null {
  return milliseconds === null ? null : Math.min(most, Math.max(least, milliseconds));
}
