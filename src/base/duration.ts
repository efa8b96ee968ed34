/** Durations as people write them (`30s`, `12h`), as milliseconds. */

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The grammar as a regular expression's source, for schemas and editors. */
export const DURATION_PATTERN = '^\\d{1,12}(ms|s|m|h|d)$';

const DURATION = new RegExp(DURATION_PATTERN);

/**
 * Parses `500ms`, `30s`, `5m`, `12h`, `1d`: a whole number and one unit, nothing else.
 * @returns milliseconds, or null when the text is no duration
 */
export function parseDuration(text: string): number | null {
  const unit = DURATION.exec(text)?.[1];
  if (unit === undefined) return null;
  const milliseconds = Number(text.slice(0, -unit.length)) * (UNITS[unit] ?? Number.NaN);
  return Number.isSafeInteger(milliseconds) ? milliseconds : null;
}

/** Writes milliseconds in the largest unit that divides them: 90000 → `90s`, 3600000 → `1h`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds === 0) return '0s';
  for (const unit of ['d', 'h', 'm', 's']) {
    const size = UNITS[unit] ?? 1;
    if (milliseconds % size === 0) return `${String(milliseconds / size)}${unit}`;
  }
  return `${String(milliseconds)}ms`;
}
