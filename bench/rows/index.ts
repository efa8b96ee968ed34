/** All rows, in the order of the tables. */
import { HANDSHAKE_ROWS } from './handshakes.ts';
import { MIXED_ROW } from './mixed.ts';
import type { Row } from './row.ts';
import { SMALL_ROWS } from './small.ts';

/** Every row and every point of a curve. */
export const ROWS: readonly Row[] = [...SMALL_ROWS, MIXED_ROW, ...HANDSHAKE_ROWS];
