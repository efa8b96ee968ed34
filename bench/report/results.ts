/** Results as they are kept in docs/benchmarks/results.json: every row with the run that it comes from. */
import { readFileSync } from 'node:fs';
import type { Entry, RowResult } from '../measure/rounds.ts';
import type { Row } from '../rows/row.ts';

/** Where and with what a row was measured. */
export interface Provenance {
  /** Day, YYYY-MM-DD. */
  readonly day: string;
  /** Short commit; ends with `+` when there were changes that were not committed. */
  readonly commit: string;
  readonly machine: string;
  readonly kernel: string;
  readonly rounds: number;
  readonly seconds: number;
  /** By contender. */
  readonly versions: Readonly<Record<string, string>>;
}

/** One row as it is kept. */
export interface KeptRow {
  readonly from: Provenance;
  readonly entries: Readonly<Record<string, Entry>>;
}

/** All of them, by id. */
export type Kept = Readonly<Record<string, KeptRow>>;

/** Reads what is there; nothing when there is no file yet. */
export function readKept(path: string): Kept {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
  return JSON.parse(text) as Kept;
}

/** Puts the rows of a run beside those that are there; a row that was measured again is replaced as a whole. */
export function merge(kept: Kept, results: readonly RowResult[], from: Provenance): Kept {
  const fresh = results.map(({ row, entries }): [string, KeptRow] => [
    row.id,
    { from, entries: Object.fromEntries([...entries].map(([id, entry]) => [id, rounded(entry)])) },
  ]);
  return { ...kept, ...Object.fromEntries(fresh) };
}

/** Seven digits are more than any figure has. */
function rounded(entry: Entry): Entry {
  if ('void' in entry) return entry;
  const round = (value: number): number => Number(value.toPrecision(7));
  const figures = Object.entries(entry.figures).map(([id, { median, min, max, rounds }]) => [
    id,
    { median: round(median), min: round(min), max: round(max), rounds },
  ]);
  return { ...entry, figures: Object.fromEntries(figures) as Extract<Entry, { figures: unknown }>['figures'] };
}

/** The kept rows that are still defined, in their order. */
export function resultsOf(kept: Kept, rows: readonly Row[]): RowResult[] {
  return rows.flatMap((row) => {
    const entry = kept[row.id];
    return entry === undefined ? [] : [{ row, entries: new Map(Object.entries(entry.entries)), foreign: 0 }];
  });
}
