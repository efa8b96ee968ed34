/** What must be reached, against what was. */
import { medianOf } from '../measure/rounds.ts';
import type { RowResult } from '../measure/rounds.ts';
import { YARDSTICK, formatNumber } from './table.ts';

/** One limit of one figure. */
export interface Verdict {
  readonly row: string;
  /** `at most 0.75 × nginx`. */
  readonly limit: string;
  /** What Portico has; empty when it or the other has none. */
  readonly reached: string;
  readonly met: boolean | null;
}

/** Judges every limit of a row. */
export function verdicts({ row, entries }: RowResult): Verdict[] {
  return row.figures.flatMap((figure) => {
    const own = medianOf(entries.get('portico'), figure.id);
    const name = row.figures.length > 2 ? `${row.title}: ${figure.title}` : row.title;
    const ratio = (limit: number | undefined, other: string, title: string): Verdict[] => {
      if (limit === undefined) return [];
      const base = medianOf(entries.get(other), figure.id);
      const text = `${String(limit)} × ${title}`;
      if (own === null || base === null || base === 0) return [{ row: name, limit: text, reached: '', met: null }];
      // Judged as it is printed.
      const reached = (own / base).toFixed(2);
      return [{ row: name, limit: text, reached: `${reached} ×`, met: Number(reached) <= limit }];
    };
    const absolute = (limit: number | undefined): Verdict[] => {
      if (limit === undefined) return [];
      const text = `${formatNumber(limit, 0)} ${figure.unit}`;
      if (own === null) return [{ row: name, limit: text, reached: '', met: null }];
      return [
        { row: name, limit: text, reached: `${formatNumber(own, figure.digits)} ${figure.unit}`, met: own <= limit },
      ];
    };
    return [
      ...ratio(figure.atMostNginx, YARDSTICK, 'nginx'),
      ...ratio(figure.atMostCaddy, 'caddy', 'Caddy'),
      ...absolute(figure.atMost),
    ];
  });
}

/** `met`, `MISSED` or why neither. */
export function formatVerdict({ met }: Verdict): string {
  if (met === null) return 'not measured';
  return met ? 'met' : 'MISSED';
}
