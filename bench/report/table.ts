/** Tables of results, as text for a terminal and in Markdown. */
import type { Contender } from '../contenders/contender.ts';
import { medianOf } from '../measure/rounds.ts';
import type { Entry, RowResult } from '../measure/rounds.ts';
import type { Figure } from '../rows/row.ts';

/** The contender that all others are set against. */
export const YARDSTICK = 'nginx-matrix';

/** `18.4` with so many digits, thousands apart. */
export function formatNumber(value: number, digits: number): string {
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** `18.4 (17.9–19.0) 0.91×`: median, least and most, ratio to the yardstick; `~` before it: the machine was not calm. */
export function formatEntry(entry: Entry | undefined, figure: Figure, yardstick: Entry | undefined): string {
  if (entry === undefined) return '–';
  if ('void' in entry) return 'void';
  const summary = entry.figures[figure.id];
  if (summary === undefined) return '–';
  const numbers = [summary.median, summary.min, summary.max].map((value) => formatNumber(value, figure.digits));
  const [middle = '', least = '', most = ''] = numbers;
  const base = medianOf(yardstick, figure.id);
  const ratio = base === null || base === 0 || figure.aside === true ? '' : ` ${(summary.median / base).toFixed(2)}×`;
  // Others used the machine meanwhile, and patience was at its end.
  const mark = entry.disturbed === undefined ? '' : '~';
  return `${mark}${middle}${summary.rounds > 1 ? ` (${least}–${most})` : ''}${ratio}`;
}

/** A table of plain text: columns as wide as they must be, the first to the left, the others to the right. */
export function textTable(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Cells of a table: a line per figure, a column per contender. */
export function cells(results: readonly RowResult[], contenders: readonly Contender[], aside: boolean): string[][] {
  const lines = results.flatMap(({ row, entries }) =>
    row.figures
      .filter((figure) => (figure.aside === true) === aside)
      .map((figure) => [
        row.figures.filter((other) => other.aside !== true).length > 1 || aside
          ? `${row.title}: ${figure.title}`
          : `${row.title}, ${figure.unit}`,
        ...contenders.map(({ id }) => formatEntry(entries.get(id), figure, entries.get(YARDSTICK))),
      ]),
  );
  return [['', ...contenders.map(({ title }) => title)], ...lines];
}

/** What made entries void, a line each. */
export function voids(results: readonly RowResult[], contenders: readonly Contender[]): string[] {
  return results.flatMap(({ row, entries }) =>
    contenders.flatMap(({ id, title }) => {
      const entry = entries.get(id);
      return entry !== undefined && 'void' in entry ? [`${row.title}, ${title}: ${entry.void}`] : [];
    }),
  );
}
