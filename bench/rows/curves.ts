/** How cost grows: with open connections, with sites, with the size of a body, with the number of header fields. */
import { converse } from '../load/conversation.ts';
import { runLoader } from '../load/loader.ts';
import type { Outcome } from '../load/outcome.ts';
import { runWrk } from '../load/wrk.ts';
import { cpuMicros, memoryBytes } from '../measure/proc.ts';
import { siteName } from '../setup/site-names.ts';
import { matrixBody } from '../setup/stand.ts';
import { cpuFigure, withCpu } from './cpu.ts';
import type { Row, Sample, Turn } from './row.ts';
import { GET_TARGET, HEADERS } from './small.ts';
import { UP } from './transfer.ts';

const ROUNDS = 3;

/** The curves, in the order of the page. */
export const CURVES = {
  connections: { id: 'connections', title: 'Open connections', axis: 'open connections' },
  sites: { id: 'sites', title: 'Sites', axis: 'sites' },
  body: { id: 'body', title: 'Size of a request body', axis: 'bytes of the body' },
  headers: { id: 'headers', title: 'Header fields of a request', axis: 'header fields' },
} as const;

/** A rate that every contender can carry; the connections take turns. */
const REQUESTS_PER_SECOND = 4000;

async function throughConnections(turn: Turn, connections: number): Promise<Sample> {
  const seconds = Math.max(2, turn.seconds);
  const { stand, instance } = turn;
  const client = await converse(stand, 'rate', instance.port, {
    path: GET_TARGET,
    flags: [
      ...['-rate', String(REQUESTS_PER_SECOND), '-seconds', String(seconds)],
      ...['-connections', String(connections), '-wait'],
    ],
    limitMs: 120_000,
  });
  try {
    await client.next();
    const before = cpuMicros(instance.running.pid);
    client.say('go');
    const { requests, errors } = await client.next<{ requests: number; errors: number }>();
    const cpu = (cpuMicros(instance.running.pid) - before) / requests;
    return { requests, errors, problem: errors > 0 ? `${String(errors)} not answered` : '', figures: { cpu } };
  } finally {
    await client.end();
  }
}

const connectionRows = [10, 100, 1000, 5000, 9500].map((connections): Row => ({
  id: `connections-${String(connections)}`,
  title: `GET through one of ${String(connections)} connections`,
  needs: 'h1',
  backend: 'fast',
  quick: false,
  fresh: false,
  maxRounds: 2,
  curve: { ...CURVES.connections, x: connections },
  figures: [cpuFigure({})],
  run: (turn) => throughConnections(turn, connections),
}));

async function throughSites(turn: Turn, sites: number): Promise<Sample> {
  const { stand, instance } = turn;
  const connect = (seconds: number): Promise<Outcome> =>
    runLoader(stand, 'handshakes', instance.port, {
      name: siteName('%d'),
      path: GET_TARGET,
      flags: ['-seconds', String(seconds), '-sites', String(sites)],
      limitMs: seconds * 1000 + 60_000,
    });
  // The instance is a fresh one: what is measured is not its first second.
  await connect(1);
  const sample = await withCpu(turn, () => connect(turn.seconds));
  const memory = memoryBytes(instance.running.pid) / 1e6;
  return { ...sample, figures: { ...sample.figures, start: instance.startMs, memory } };
}

const siteRows = [1, 10, 100, 1000, 10_000].map((sites): Row => {
  const most = sites === 10_000;
  return {
    id: `sites-${String(sites)}`,
    title: `${sites.toLocaleString('en-US')} sites`,
    needs: 'h1',
    backend: 'fast',
    quick: false,
    fresh: true,
    maxRounds: 2,
    sites,
    curve: { ...CURVES.sites, x: sites },
    figures: [
      { id: 'start', title: 'start, ms', unit: 'ms', digits: 0, ...(most ? { atMost: 2000 } : {}) },
      {
        id: 'memory',
        title: 'memory after the handshakes, MB',
        unit: 'MB',
        digits: 0,
        ...(most ? { atMost: 300 } : {}),
      },
      { ...cpuFigure({}, 'handshake'), title: 'handshake + one GET, CPU µs' },
    ],
    run: (turn) => throughSites(turn, sites),
  };
});

const bodyRows = [0, 1_000, 16_000, 128_000, 1_000_000, 4_000_000, 16_000_000].map((bytes): Row => ({
  id: `body-${String(bytes)}`,
  title: `POST of ${bytes.toLocaleString('en-US')} bytes`,
  needs: 'h1',
  backend: 'thorough',
  quick: false,
  fresh: false,
  maxRounds: ROUNDS,
  curve: { ...CURVES.body, x: bytes },
  figures: [cpuFigure({})],
  run: (turn) =>
    withCpu(turn, () =>
      runWrk(turn.stand, turn.instance.port, {
        connections: 4,
        seconds: turn.seconds,
        requests: [
          {
            method: 'POST',
            target: UP,
            headers: {
              ...HEADERS,
              'Content-Type': 'application/octet-stream',
              ...(bytes === 0 ? { 'Content-Length': '0' } : {}),
            },
            body: bytes === 0 ? '' : matrixBody(bytes),
          },
        ],
      }),
    ),
}));

/** Beside Host, which the client adds. */
const USUAL = Object.keys(HEADERS).length + 1;

const headerRows = [USUAL, 15, 30, 60].map((count): Row => ({
  id: `headers-${String(count)}`,
  title: `GET with ${String(count)} header fields`,
  needs: 'h1',
  backend: 'fast',
  quick: false,
  fresh: false,
  maxRounds: ROUNDS,
  curve: { ...CURVES.headers, x: count },
  figures: [cpuFigure({})],
  run: (turn) =>
    withCpu(turn, () => {
      const more = Array.from({ length: count - USUAL }, (_, index) => [
        `X-Field-${String(index)}`,
        `a value of usual length ${String(index)}`,
      ]);
      const headers = { ...HEADERS, ...(Object.fromEntries(more) as Record<string, string>) };
      return runWrk(turn.stand, turn.instance.port, {
        connections: 10,
        seconds: turn.seconds,
        requests: [{ method: 'GET', target: GET_TARGET, headers, body: '' }],
      });
    }),
}));

/** Every point of every curve. */
export const CURVE_ROWS: readonly Row[] = [...connectionRows, ...siteRows, ...bodyRows, ...headerRows];
