/** The result of a run: one row for each form and homeserver, one column for each check. */
import { CHECKS, type Outcomes } from './checks.ts';

/** A row. */
export interface Row {
  readonly form: string;
  readonly homeserver: string;
  readonly outcomes: Outcomes;
}

/** Text of a table; a check that was not reached counts as failed. */
export function tableOf(rows: readonly Row[]): string {
  const head = ['form', 'homeserver', ...CHECKS];
  const lines = rows.map(({ form, homeserver, outcomes }) => [
    form,
    homeserver,
    ...CHECKS.map((name) => (outcomes.get(name) === null ? 'ok' : outcomes.has(name) ? 'FAILED' : 'not run')),
  ]);
  const widths = head.map((title, at) => Math.max(title.length, ...lines.map((line) => line[at]?.length ?? 0)));
  const textOf = (cells: readonly string[]): string =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`;
  return [textOf(head), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...lines.map(textOf)].join('\n');
}

/** What went wrong, one paragraph for each. */
export function failuresOf(rows: readonly Row[]): string[] {
  return rows.flatMap(({ form, homeserver, outcomes }) =>
    CHECKS.flatMap((name) => {
      const problem = outcomes.has(name) ? outcomes.get(name) : 'not run';
      return problem === null ? [] : [`${form}, ${homeserver}, ${name}: ${problem ?? ''}`];
    }),
  );
}
