/** The curves of the results as plots, one per figure. */
import type { Contender } from '../contenders/contender.ts';
import { medianOf } from '../measure/rounds.ts';
import type { RowResult } from '../measure/rounds.ts';
import type { Plot } from './svg.ts';

/** A plot and the name of its file, without a directory. */
export interface NamedPlot {
  readonly file: string;
  readonly curve: string;
  readonly plot: Plot;
}

/** From here on, a line would hide all but the most expensive. */
const TOO_WIDE = 20;

/** All plots for which there is something to draw. */
export function plotsOf(results: readonly RowResult[], contenders: readonly Contender[]): NamedPlot[] {
  const curves = new Map(results.flatMap(({ row }) => (row.curve === undefined ? [] : [[row.curve.id, row.curve]])));
  return [...curves.values()].flatMap((curve) => {
    const rows = results.filter(({ row }) => row.curve?.id === curve.id);
    const figures = (rows[0]?.row.figures ?? []).filter(({ aside }) => aside !== true);
    return figures.flatMap((figure): NamedPlot[] => {
      const series = contenders.flatMap(({ id, title }) => {
        const points = rows.flatMap(({ row, entries }) => {
          const y = medianOf(entries.get(id), figure.id);
          return y === null || row.curve === undefined ? [] : [{ x: row.curve.x, y }];
        });
        return points.length === 0 ? [] : [{ id, title, points }];
      });
      const all = series.flatMap(({ points }) => points.map(({ y }) => y)).filter((y) => y > 0);
      if (all.length === 0) return [];
      const logarithmic = Math.max(...all) / Math.min(...all) > TOO_WIDE;
      const single = figures.length === 1;
      return [
        {
          file: single ? `${curve.id}.svg` : `${curve.id}-${figure.id}.svg`,
          curve: curve.id,
          plot: {
            title: single ? curve.title : `${curve.title}: ${figure.title.replace(/, [^,]*$/, '')}`,
            axis: curve.axis,
            unit: single ? figure.title : figure.unit,
            series,
            logarithmic,
          },
        },
      ];
    });
  });
}
