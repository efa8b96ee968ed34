/** Small requests over HTTP/1.1 and HTTP/2: what a homeserver's front does all day. */
import { join } from 'node:path';
import { runH2load } from '../load/h2load.ts';
import { runWrk } from '../load/wrk.ts';
import { matrixBody } from '../setup/stand.ts';
import { RATE, cpuFigure, withCpu } from './cpu.ts';
import type { Row } from './row.ts';

/** A request that goes through the middle of the worker rules. */
export const GET_TARGET = '/_matrix/client/v3/rooms/!room:localhost/profile';
const PUT_TARGET = '/_matrix/client/v3/rooms/!room:localhost/send/m.room.message/1764288000000';
/** What clients send with every request. */
export const HEADERS = {
  Authorization: 'Bearer syt_YWxpY2U_SDJtSkVuQ0Jhc2dIUkZFeQ_1a2b3c',
  Accept: 'application/json',
  'User-Agent': 'matrix-js-sdk/43.0.0',
  'Accept-Encoding': 'gzip, deflate',
} as const;
const JSON_TYPE = { 'Content-Type': 'application/json' } as const;
const CADDY = 0.33;

const h1: Row[] = [
  {
    id: 'get-h1',
    title: 'GET, HTTP/1.1',
    needs: 'h1',
    backend: 'fast',
    quick: true,
    fresh: false,
    figures: [cpuFigure({ atMostNginx: 1, atMostCaddy: CADDY }), RATE],
    run: (turn) =>
      withCpu(turn, () =>
        runWrk(turn.stand, turn.instance.port, {
          connections: 10,
          seconds: turn.seconds,
          requests: [{ method: 'GET', target: GET_TARGET, headers: HEADERS, body: '' }],
        }),
      ),
  },
  {
    id: 'put-h1',
    title: 'PUT 2 kB, HTTP/1.1',
    needs: 'h1',
    backend: 'fast',
    quick: true,
    fresh: false,
    figures: [cpuFigure({ atMostNginx: 1, atMostCaddy: CADDY }), RATE],
    run: (turn) =>
      withCpu(turn, () =>
        runWrk(turn.stand, turn.instance.port, {
          connections: 10,
          seconds: turn.seconds,
          requests: [
            { method: 'PUT', target: PUT_TARGET, headers: { ...HEADERS, ...JSON_TYPE }, body: matrixBody(2000) },
          ],
        }),
      ),
  },
];

function h2(method: 'GET' | 'PUT', clients: number, streams: number, atMostNginx: number): Row {
  const put = method === 'PUT';
  return {
    id: `${method.toLowerCase()}-h2-${String(clients)}x${String(streams)}`,
    title: `${method}${put ? ' 2 kB' : ''}, HTTP/2, ${String(clients)} × ${String(streams)}`,
    needs: 'h2',
    backend: 'fast',
    quick: true,
    fresh: false,
    figures: [cpuFigure({ atMostNginx, atMostCaddy: CADDY }), RATE],
    run: (turn) =>
      withCpu(turn, () =>
        runH2load(turn.stand, turn.instance.port, {
          clients,
          streams,
          seconds: turn.seconds,
          method,
          target: put ? PUT_TARGET : GET_TARGET,
          headers: put ? { ...HEADERS, ...JSON_TYPE } : HEADERS,
          ...(put ? { bodyFile: join(turn.stand.directory, 'body-2k') } : {}),
        }),
      ),
  };
}

/** Clients × streams each. */
export const SMALL_ROWS: readonly Row[] = [
  ...h1,
  h2('GET', 10, 10, 0.75),
  h2('GET', 4, 50, 0.75),
  h2('GET', 50, 1, 1.05),
  h2('PUT', 10, 10, 0.95),
  h2('PUT', 4, 50, 0.95),
  h2('PUT', 50, 1, 0.95),
];
