/** The figure of most rows: CPU time of the contender, user and system, divided by what it did. */
import type { Outcome } from '../load/outcome.ts';
import { cpuMicros } from '../measure/proc.ts';
import type { Figure, Sample, Turn } from './row.ts';

/** The figure, with its limits. */
export function cpuFigure(limits: Pick<Figure, 'atMostNginx' | 'atMostCaddy'>, per = 'request'): Figure {
  return { id: 'cpu', title: `CPU µs per ${per}`, unit: 'µs', digits: 1, ...limits };
}

/** How much passed in a second; depends on load generator and backend as well. */
export const RATE: Figure = { id: 'rate', title: 'requests per second', unit: '/s', digits: 0, aside: true };

/** Runs load and divides. */
export async function withCpu(turn: Turn, load: () => Promise<Outcome>): Promise<Sample> {
  const { pid } = turn.instance.running;
  const [before, started] = [cpuMicros(pid), performance.now()];
  const outcome = await load();
  const [cpu, seconds] = [cpuMicros(pid) - before, (performance.now() - started) / 1000];
  if (outcome.requests === 0) return { ...outcome, errors: Math.max(1, outcome.errors), figures: {} };
  return { ...outcome, figures: { cpu: cpu / outcome.requests, rate: outcome.requests / seconds } };
}
