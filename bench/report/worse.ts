/** The list that a benchmark of one's own is not believed without: where the others are better. */
import type { Contender } from '../contenders/contender.ts';
import { medianOf } from '../measure/rounds.ts';
import type { RowResult } from '../measure/rounds.ts';

/** One figure in which a contender needs less than Portico. */
export interface Worse {
  readonly row: string;
  /** Others, the best first, with Portico's figure as a multiple of theirs. */
  readonly better: readonly { readonly title: string; readonly times: number }[];
}

/** All of them, the widest gap first. */
export function whereWorse(results: readonly RowResult[], contenders: readonly Contender[]): Worse[] {
  const found = results.flatMap(({ row, entries }): Worse[] =>
    row.figures
      .filter(({ aside }) => aside !== true)
      .flatMap((figure) => {
        const own = medianOf(entries.get('portico'), figure.id);
        if (own === null) return [];
        const better = contenders
          .flatMap(({ id, title }) => {
            const other = id === 'portico' ? null : medianOf(entries.get(id), figure.id);
            // As it is printed: what is equal to two digits is equal.
            const times = other === null || other <= 0 ? 0 : Number((own / other).toFixed(2));
            return times > 1 ? [{ title, times }] : [];
          })
          .sort((a, b) => b.times - a.times);
        const several = row.figures.filter(({ aside }) => aside !== true).length > 1;
        return better.length === 0 ? [] : [{ row: several ? `${row.title}: ${figure.title}` : row.title, better }];
      }),
  );
  return found.sort((a, b) => (b.better[0]?.times ?? 0) - (a.better[0]?.times ?? 0));
}
