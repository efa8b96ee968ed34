/** A part of the plan: data for `--json` and lines for people, made from the same facts. */
import type { Config } from '../../config/index.ts';
import type { Store } from '../../store/store.ts';
import { paint } from '../terminal.ts';
import type { Terminal } from '../terminal.ts';

/** What sections are made from. */
export interface PlanContext {
  readonly config: Config;
  /** Read only: a running Portico may hold it. */
  readonly store: Pick<Store, 'get' | 'list'>;
}

/** One line, by how far it is indented. */
export interface PlanLine {
  readonly depth: 0 | 1 | 2 | 3;
  readonly text: string;
  /** `copy`: to be copied as it stands. `warn`: something stands in the way. */
  readonly kind?: 'plain' | 'copy' | 'warn';
}

/** One section. One without lines is left out of the text, never out of the JSON. */
export interface PlanSection {
  /** Its key in the JSON. */
  readonly key: string;
  readonly title: string;
  /** Plain data for the JSON. */
  readonly data: unknown;
  readonly lines: readonly PlanLine[];
}

/** Makes a section; it asks nobody but the context. */
export type PlanSectionMaker = (context: PlanContext) => PlanSection | Promise<PlanSection>;

/** Prints sections one below the other. */
export function printPlan(sections: readonly PlanSection[], terminal: Terminal): void {
  const shown = sections.filter(({ lines }) => lines.length > 0);
  for (const [index, { title, lines }] of shown.entries()) {
    if (index > 0) terminal.out('');
    terminal.out(paint(terminal, 'bold', title));
    for (const { depth, text, kind } of lines) {
      const indent = '  '.repeat(depth + 1);
      terminal.out(`${indent}${kind === 'warn' ? paint(terminal, 'yellow', text) : text}`);
    }
  }
}

/** The same as one object. */
export function planJson(sections: readonly PlanSection[]): Record<string, unknown> {
  return Object.fromEntries(sections.map(({ key, data }) => [key, data]));
}
