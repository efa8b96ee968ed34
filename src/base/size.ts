/** Sizes as people write them (`50MiB`, `10MB`), as bytes. */

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};

/** The grammar as a regular expression's source, for schemas and editors. */
export const SIZE_PATTERN = '^\\d{1,15}(B|kB|KB|MB|GB|KiB|MiB|GiB)?$';

const SIZE = new RegExp(SIZE_PATTERN);

/**
 * Parses `1024`, `64KiB`, `50MiB`, `10MB`: a whole number and at most one unit. `MB` is 1,000,000 bytes, `MiB` 1,048,576.
 * @returns bytes, or null when the text is no size
 */
export function parseSize(text: string): number | null {
  const match = SIZE.exec(text);
  if (!match) return null;
  const unit = match[1] ?? '';
  const bytes = Number(text.slice(0, text.length - unit.length)) * (UNITS[unit] ?? Number.NaN);
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/** Writes bytes in the largest binary unit that divides them: 16777216 → `16MiB`, 10000 → `10000B`. */
export function formatSize(bytes: number): string {
  if (bytes > 0) {
    for (const unit of ['GiB', 'MiB', 'KiB']) {
      const size = UNITS[unit] ?? 1;
      if (bytes % size === 0) return `${String(bytes / size)}${unit}`;
    }
  }
  return `${String(bytes)}B`;
}
