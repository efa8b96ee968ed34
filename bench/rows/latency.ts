/** How long answers take at a rate that leaves room: 40 % of what nginx with the Matrix job can carry on this machine. */
import { runLoader } from '../load/loader.ts';
import type { Figure, Row } from './row.ts';
import { GET_TARGET } from './small.ts';

const SHARE = 0.4;
/** So many that a request hardly ever has to wait for one. */
const CONNECTIONS = 256;
/** Requests may leave so much after their time (ms) before the loader is part of what is measured. */
const MOST_LATE_MS = 3;
/** Slower than this, and the contender did not carry the rate. */
const SLACK = 1.1;
const DRAIN_SECONDS = 1;

function milliseconds(id: string, title: string, more: Partial<Figure> = {}): Figure {
  return { id, title, unit: 'ms', digits: 2, ...more };
}

/** The row. */
export const LATENCY_ROW: Row = {
  id: 'latency',
  title: 'latency at 40 % of nginx, HTTP/1.1',
  needs: 'h1',
  backend: 'fast',
  quick: false,
  fresh: false,
  figures: [
    milliseconds('p50', 'p50, ms'),
    milliseconds('p99', 'p99, ms'),
    milliseconds('p999', 'p99.9, ms', { atMostNginx: 1.2 }),
    milliseconds('worst', 'worst, ms'),
    milliseconds('late', "the loader's own delay, p99, ms", { aside: true }),
  ],
  run: async (turn) => {
    const capacity = await turn.capacity();
    const rate = Math.round(capacity * SHARE);
    const seconds = Math.max(3, turn.seconds);
    const { report, ...outcome } = await runLoader(turn.stand, 'rate', turn.instance.port, {
      path: GET_TARGET,
      flags: ['-rate', String(rate), '-seconds', String(seconds), '-connections', String(CONNECTIONS)],
      limitMs: seconds * 1000 + 90_000,
    });
    const { p50 = 0, p99 = 0, p999 = 0, worst = 0, late = 0, seconds: took = 0 } = report;
    if (outcome.errors === 0 && took > seconds * SLACK + DRAIN_SECONDS) {
      return { ...outcome, errors: 1, problem: `it cannot carry ${String(rate)} requests a second`, figures: {} };
    }
    return { ...outcome, figures: { p50, p99, p999, worst, late }, unsound: late > MOST_LATE_MS };
  },
};
