/** A message through a WebSocket, and its echo. */
import { runLoader } from '../load/loader.ts';
import { RATE, cpuFigure, withCpu } from './cpu.ts';
import type { Row } from './row.ts';

/** The row. */
export const WEBSOCKET_ROW: Row = {
  id: 'websocket',
  title: 'WebSocket message of 128 bytes and its echo',
  needs: 'websocket',
  backend: 'thorough',
  quick: false,
  fresh: false,
  figures: [cpuFigure({ atMostNginx: 1.1 }, 'message'), RATE],
  run: (turn) =>
    withCpu(turn, () =>
      runLoader(turn.stand, 'websocket', turn.instance.port, {
        path: '/_matrix/client/unstable/echo',
        flags: ['-seconds', String(turn.seconds)],
        limitMs: turn.seconds * 1000 + 60_000,
      }),
    ),
};
