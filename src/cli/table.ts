/** Rows as a person reads them: aligned columns where they fit, else one paragraph a row. */
import { paint, plain, type Style, type Terminal } from './terminal.ts';

/** One cell; text of others is made harmless here. */
export interface Cell {
  readonly text: string;
  readonly style?: Style;
}

/** One column; the first names the row and heads its paragraph on a narrow terminal. */
export interface Column {
  readonly title: string;
  /** Numbers are right-aligned. */
  readonly align?: 'right';
}

const GAP = '  ';
/** A paragraph is indented by this and its values stand in a column of their own. */
const INDENT = '  ';

/** The lines to print; each row has a cell for each column. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  terminal: Terminal,
): string[] {
  const texts = rows.map((row) => row.map((cell) => ({ ...cell, text: plain(cell.text) })));
  // A column that is empty in every row would only take room.
  const shown = columns.flatMap((column, index) =>
    index === 0 || texts.some((row) => (row[index]?.text ?? '') !== '')
      ? [{ ...column, index, width: widest([column.title, ...texts.map((row) => row[index]?.text ?? '')]) }]
      : [],
  );
  const total = shown.reduce((sum, { width }) => sum + width + GAP.length, -GAP.length);
  if (terminal.columns !== undefined && total > terminal.columns) return paragraphs(columns, texts, terminal);
  const line = (cells: readonly Cell[]): string =>
    shown
      .map(({ index, width, align }, place) => {
        const { text, style } = cells[index] ?? { text: '' };
        const last = place === shown.length - 1;
        const padding = ' '.repeat(width - lengthOf(text));
        const painted = style === undefined ? text : paint(terminal, style, text);
        if (align === 'right') return padding + painted;
        return last ? painted : painted + padding;
      })
      .join(GAP)
      .trimEnd();
  return [line(columns.map(({ title }) => ({ text: title, style: 'bold' as const }))), ...texts.map(line)];
}

function paragraphs(columns: readonly Column[], rows: readonly (readonly Cell[])[], terminal: Terminal): string[] {
  const width = widest(columns.slice(1).map(({ title }) => title));
  return rows.flatMap((row, place) => [
    ...(place === 0 ? [] : ['']),
    paint(terminal, 'bold', row[0]?.text ?? ''),
    ...columns.slice(1).flatMap(({ title }, at) => {
      const { text, style } = row[at + 1] ?? { text: '' };
      if (text === '') return [];
      const value = style === undefined ? text : paint(terminal, style, text);
      return [`${INDENT}${title.toLowerCase().padEnd(width)}${GAP}${value}`];
    }),
  ]);
}

/** In code points; the names and words here have no wide characters. */
function lengthOf(text: string): number {
  return Array.from(text).length;
}

function widest(texts: readonly string[]): number {
  return texts.reduce((most, text) => Math.max(most, lengthOf(text)), 0);
}
