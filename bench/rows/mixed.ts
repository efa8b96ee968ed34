/** A profile of a homeserver's day: the requests of clients and peers in the proportions in which they come. */
import { runWrk } from '../load/wrk.ts';
import type { ScriptedRequest } from '../load/wrk.ts';
import { matrixBody } from '../setup/stand.ts';
import { RATE, cpuFigure, withCpu } from './cpu.ts';
import type { Row } from './row.ts';
import { HEADERS } from './small.ts';

type Share = readonly [count: number, method: 'GET' | 'PUT' | 'POST', target: string, bodyBytes: number];

const ROOM = '/_matrix/client/v3/rooms/!mXwHkRfPzJbNqTsD:localhost';

/** Of a hundred requests. Paths are spread over all of the worker rules, and beside them. */
const PROFILE: readonly Share[] = [
  [22, 'GET', '/_matrix/client/v3/sync?filter=0&timeout=0&since=s72595_4483_1934', 0],
  [14, 'PUT', '/_matrix/federation/v1/send/1764288000000', 6_000],
  [10, 'GET', '/_matrix/client/v1/media/thumbnail/localhost/SEsfnsuifSDFSSEF?width=48&height=48&method=crop', 0],
  [8, 'PUT', `${ROOM}/send/m.room.encrypted/m1764288000000.1`, 1_200],
  [7, 'PUT', `${ROOM}/typing/@alice:localhost`, 60],
  [7, 'POST', `${ROOM}/receipt/m.read/$event:localhost`, 60],
  [6, 'GET', `${ROOM}/messages?from=t1-2_0&dir=b&limit=20`, 0],
  [5, 'POST', '/_matrix/client/v3/keys/query', 800],
  [4, 'GET', '/_matrix/client/v3/profile/@alice:localhost', 0],
  [4, 'PUT', '/_matrix/client/v3/sendToDevice/m.room.encrypted/17', 4_000],
  [3, 'GET', '/_matrix/federation/v1/event/$YUwRidLecu1WvTqVGVvMrNtnnJl', 0],
  [3, 'GET', '/_matrix/key/v2/server', 0],
  [2, 'GET', `${ROOM}/members?not_membership=leave`, 0],
  [2, 'GET', '/_matrix/client/versions', 0],
  [2, 'POST', '/_matrix/client/v3/keys/upload', 9_000],
  [1, 'PUT', '/_matrix/client/v3/user/@alice:localhost/account_data/im.vector.setting', 300],
];

/** The requests in an order that is the same in every run and has equal ones far apart. */
export function profile(): ScriptedRequest[] {
  const all = PROFILE.flatMap(([count, method, target, bodyBytes]) =>
    Array.from({ length: count }, (_, index) => ({
      at: (index + 0.5) / count,
      request: {
        method,
        target,
        headers: bodyBytes > 0 ? { ...HEADERS, 'Content-Type': 'application/json' } : HEADERS,
        body: bodyBytes > 0 ? matrixBody(bodyBytes) : '',
      },
    })),
  );
  return all.sort((a, b) => a.at - b.at).map(({ request }) => request);
}

/** The row. */
export const MIXED_ROW: Row = {
  id: 'mixed',
  title: 'mixed Matrix requests, HTTP/1.1',
  needs: 'h1',
  backend: 'fast',
  quick: true,
  fresh: false,
  figures: [cpuFigure({ atMostNginx: 1, atMostCaddy: 0.33 }), RATE],
  run: (turn) =>
    withCpu(turn, () =>
      runWrk(turn.stand, turn.instance.port, { connections: 20, seconds: turn.seconds, requests: profile() }),
    ),
};
