/** All rows, in the order of the tables. */
import { CURVE_ROWS } from './curves.ts';
import { HANDSHAKE_ROWS } from './handshakes.ts';
import { IDLE_ROWS } from './idle.ts';
import { LATENCY_ROW } from './latency.ts';
import { MIXED_ROW } from './mixed.ts';
import type { Row } from './row.ts';
import { SMALL_ROWS } from './small.ts';
import { TRANSFER_ROWS } from './transfer.ts';
import { WEBSOCKET_ROW } from './websocket.ts';

/** Every row of the tables, then every point of the curves. */
export const ROWS: readonly Row[] = [
  ...SMALL_ROWS,
  MIXED_ROW,
  ...HANDSHAKE_ROWS,
  ...TRANSFER_ROWS,
  WEBSOCKET_ROW,
  ...IDLE_ROWS,
  LATENCY_ROW,
  ...CURVE_ROWS,
];
