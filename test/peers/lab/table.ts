/** The result of a run: one row for each form and homeserver, one column for each check; and one row for each mistake. */
import type { BrokenVariant, SeenByPeers } from './broken.ts';
import { CHECKS, type Outcomes } from './checks.ts';
import type { Finding } from './commands.ts';

/** A row. */
export interface Row {
  readonly form: string;
  readonly homeserver: string;
  readonly outcomes: Outcomes;
}

/** A row of the broken ones; a text instead of what was seen when it could not be started. */
export interface BrokenRow {
  readonly variant: BrokenVariant;
  readonly seen: SeenByPeers | string;
  /** The doctor's findings, worst first. */
  readonly findings: readonly Finding[];
  readonly withoutConfig: readonly Finding[];
}

/** A check that was not reached counts as failed. */
export function tableOf(rows: readonly Row[]): string {
  return textOf(
    ['form', 'homeserver', ...CHECKS],
    rows.map(({ form, homeserver, outcomes }) => [
      form,
      homeserver,
      ...CHECKS.map((name) => (outcomes.get(name) === null ? 'ok' : outcomes.has(name) ? 'FAILED' : 'not run')),
    ]),
  );
}

/** What peers see of each mistake. */
export function brokenTableOf(rows: readonly BrokenRow[]): string {
  const word = (works: boolean): string => (works ? 'works' : 'fails');
  return textOf(
    ['mistake', 'profile', 'join', "doctor's first finding", 'without the config', 'cause'],
    rows.map(({ variant, seen, findings, withoutConfig }) => [
      variant.title,
      ...(typeof seen === 'string' ? ['not run', 'not run'] : [word(seen.profile), word(seen.join)]),
      findings[0]?.code ?? 'none',
      withoutConfig[0]?.code ?? 'none',
      variant.cause,
    ]),
  );
}

function textOf(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const widths = head.map((title, at) => Math.max(title.length, ...lines.map((line) => line[at]?.length ?? 0)));
  const lineOf = (cells: readonly string[]): string =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`;
  return [lineOf(head), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...lines.map(lineOf)].join('\n');
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

/** Mistakes that peers, or the doctor, see otherwise than said. */
export function brokenFailuresOf(rows: readonly BrokenRow[]): string[] {
  return rows.flatMap(({ variant, seen, findings, withoutConfig }) => {
    if (typeof seen === 'string') return [`${variant.title}: ${seen}`];
    const { profile, join } = variant.seen;
    const problems: string[] = [];
    if (seen.profile !== profile || seen.join !== join) {
      problems.push(`${variant.title}: seen ${JSON.stringify(seen)}, expected ${JSON.stringify(variant.seen)}`);
    }
    for (const [how, found, wanted] of [
      ['first', findings, variant.finding],
      ['first without the config', withoutConfig, variant.withoutConfig],
    ] as const) {
      if ((found[0]?.code ?? null) === wanted) continue;
      const said = found.map(({ code, seen: what }) => `${code}: ${what}`).join(' ');
      problems.push(`${variant.title}: the doctor says ${said || 'nothing'} instead of ${wanted ?? 'nothing'} ${how}`);
    }
    return problems;
  });
}
