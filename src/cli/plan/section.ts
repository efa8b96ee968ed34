/** A part of the plan: data for `--json` and lines for people, made from the same facts. */
import type { OwnAddresses } from '../../delegation/plan/own-addresses.ts';
import type { PlanSite } from '../../delegation/plan/plan-site.ts';
import type { SiteLook } from '../../delegation/plan/site-look.ts';
import type { Config } from '../../config/index.ts';
import { paint } from '../terminal.ts';
import type { Style, Terminal } from '../terminal.ts';
import { wrap } from '../wrap.ts';

/** What sections are made from. */
export interface PlanContext {
  readonly config: Config;
  /** As in the config, in its order. */
  readonly sites: readonly PlanSite[];
  readonly own: OwnAddresses;
  /** By server name; null: nobody was asked. A site without one was not looked at. */
  readonly looks: ReadonlyMap<string, SiteLook> | null;
}

/** One line, by how far it is indented. */
export interface PlanLine {
  readonly depth: 0 | 1 | 2 | 3;
  readonly text: string;
  /** `copy`: to be copied as it stands. `warn`: something stands in the way. `good`: nothing to do. */
  readonly kind?: 'plain' | 'copy' | 'warn' | 'good' | 'head';
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
export type PlanSectionMaker = (context: PlanContext) => PlanSection;

const STYLES: Partial<Record<NonNullable<PlanLine['kind']>, Style>> = { warn: 'yellow', good: 'green', head: 'bold' };

/** Prints sections one below the other. */
export function printPlan(sections: readonly PlanSection[], terminal: Terminal): void {
  const shown = sections.filter(({ lines }) => lines.length > 0);
  for (const [index, { title, lines }] of shown.entries()) {
    if (index > 0) terminal.out('');
    terminal.out(paint(terminal, 'bold', title));
    for (const line of lines) for (const text of printed(line, terminal)) terminal.out(text);
  }
}

/** Folded to the width of the terminal, but for what is to be copied. */
function printed({ depth, text, kind = 'plain' }: PlanLine, terminal: Terminal): string[] {
  const indent = '  '.repeat(depth + 1);
  const style = STYLES[kind];
  const { columns } = terminal;
  const width = columns === undefined || kind === 'copy' ? null : Math.max(30, columns - indent.length - 2);
  const lines = width === null ? [text] : wrap(text, width);
  return lines.map((line, index) => {
    const hanging = index === 0 ? indent : `${indent}  `;
    return line === '' ? '' : `${hanging}${style === undefined ? line : paint(terminal, style, line)}`;
  });
}

/** The same as one object. */
export function planJson(sections: readonly PlanSection[]): Record<string, unknown> {
  return Object.fromEntries(sections.map(({ key, data }) => [key, data]));
}
