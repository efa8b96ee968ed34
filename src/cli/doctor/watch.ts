/** `portico doctor --watch`: looks again and again, and prints only what is different. */
import { codeOf, messageOf } from '../../base/errors.ts';
import type { Clock } from '../../base/clock.ts';
import type { Diagnosis } from '../../delegation/doctor/diagnose.ts';
import { changes } from '../../delegation/doctor/facts.ts';
import { paint } from '../terminal.ts';
import type { Terminal } from '../terminal.ts';

/** What the watch works with. */
export interface WatchOptions {
  /** One look at all names. */
  readonly examine: () => Promise<readonly Diagnosis[]>;
  /** Resolves when it is time for the next look, to false when there is to be none. */
  readonly wait: () => Promise<boolean>;
  readonly clock: Clock;
  readonly terminal: Terminal;
}

/** Watches, from a first look on. A look that fails is told, and the next one compared with the last that did not. */
export async function watch(first: readonly Diagnosis[], options: WatchOptions): Promise<readonly Diagnosis[]> {
  const { examine, wait, clock, terminal } = options;
  let last = first;
  while (await wait()) {
    const now = new Date(clock.now()).toISOString().slice(0, 19);
    try {
      const next = await examine();
      for (const diagnosis of next) {
        const before = last.find(({ serverName }) => serverName === diagnosis.serverName);
        if (before === undefined) continue;
        for (const line of changeLines(before, diagnosis, terminal)) terminal.out(`${now}  ${line}`);
      }
      last = next;
    } catch (error) {
      terminal.err(`${now}  ${codeOf(error)}: ${messageOf(error)}`);
    }
  }
  return last;
}

function changeLines(before: Diagnosis, after: Diagnosis, terminal: Terminal): string[] {
  return changes(before, after).map(({ kind, what, before: was, after: is }) => {
    if (kind === 'fact') return `${after.serverName}  ${what}: ${was ?? 'none'} → ${is ?? 'none'}`;
    const [style, word] = is === null ? (['green', 'gone'] as const) : (['yellow', 'new'] as const);
    return `${after.serverName}  ${paint(terminal, style, `${word} ${what}`)}: ${is ?? was ?? ''}`;
  });
}
