/** New connections: a TLS 1.3 handshake and one GET, the connection closed after it. */
import { runLoader } from '../load/loader.ts';
import { RATE, cpuFigure, withCpu } from './cpu.ts';
import type { Row } from './row.ts';
import { GET_TARGET } from './small.ts';

function handshake(id: string, title: string, resume: boolean, atMostNginx: number): Row {
  return {
    id,
    title,
    needs: 'h1',
    backend: 'fast',
    quick: true,
    fresh: false,
    figures: [cpuFigure({ atMostNginx }, 'connection'), RATE],
    run: (turn) =>
      withCpu(turn, () =>
        runLoader(turn.stand, 'handshakes', turn.instance.port, {
          path: GET_TARGET,
          flags: ['-seconds', String(turn.seconds), ...(resume ? ['-resume'] : [])],
          limitMs: turn.seconds * 1000 + 60_000,
        }),
      ),
  };
}

/** Full and resumed. */
export const HANDSHAKE_ROWS: readonly Row[] = [
  handshake('handshake-full', 'full handshake + one GET', false, 1.15),
  handshake('handshake-resumed', 'resumed handshake + one GET', true, 1.2),
];
