/** How much of the machine others take while something is measured: a figure from a busy machine is a figure of that business. */
import { readFileSync } from 'node:fs';
import { parseBusyMicros } from './busy.ts';
import { familyMicros } from './proc.ts';

/** Others may take so much of a CPU before a round counts as disturbed. */
export const MOST_FOREIGN = 0.2;
const PROBE_MS = 400;

/** A moment, to look back to. */
export interface Moment {
  readonly at: number;
  readonly busyMicros: number;
  readonly ownMicros: number;
}

/** Now. */
export function moment(): Moment {
  return {
    at: performance.now(),
    busyMicros: parseBusyMicros(readFileSync('/proc/stat', 'utf8')),
    ownMicros: familyMicros(process.pid),
  };
}

/** CPUs that others kept busy since then; 0.1 is a tenth of one. Our own are this process, what it started and what that started. */
export function foreignSince(before: Moment): number {
  const now = moment();
  const foreign = now.busyMicros - before.busyMicros - (now.ownMicros - before.ownMicros);
  return Math.max(0, foreign / ((now.at - before.at) * 1000));
}

/** Waits for the machine to be ours, for so long at most; true when it is. */
export async function untilCalm(limitMs: number): Promise<boolean> {
  const end = performance.now() + limitMs;
  for (;;) {
    const before = moment();
    await new Promise((resolve) => setTimeout(resolve, PROBE_MS));
    if (foreignSince(before) <= MOST_FOREIGN) return true;
    if (performance.now() >= end) return false;
  }
}
