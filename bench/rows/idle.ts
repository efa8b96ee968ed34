/** Memory of clients that wait: TLS connections with a long poll that nobody answers. */
import { converse } from '../load/conversation.ts';
import { runLoader } from '../load/loader.ts';
import { memoryBytes } from '../measure/proc.ts';
import type { Row, Sample, Turn } from './row.ts';

const POLLS = 5000;
const STREAMS = 100;
/** What the backend of long polls answers at once. */
const DOWN_A_LITTLE = '/_matrix/client/v1/media/download/localhost/small?bytes=51';
const TARGET = '/_matrix/client/v3/sync?timeout=600000&since=s72595_4483_1934';
/** Garbage of the opening is collected, buffers that are given back are given back. */
const SETTLE_MS = 3000;

async function waiting(turn: Turn, flags: readonly string[]): Promise<Sample> {
  const { stand, instance } = turn;
  // What a proxy takes once, for its first requests, is not the price of a connection.
  await runLoader(stand, 'handshakes', instance.port, {
    path: DOWN_A_LITTLE,
    flags: ['-seconds', '1'],
    limitMs: 30_000,
  });
  const before = memoryBytes(instance.running.pid);
  const clients = await converse(stand, 'idle', instance.port, { path: TARGET, flags, limitMs: 120_000 });
  try {
    await clients.next();
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const after = memoryBytes(instance.running.pid);
    clients.say('count again');
    const {
      requests,
      errors,
      firstError = '',
    } = await clients.next<{
      requests: number;
      errors: number;
      firstError?: string;
    }>();
    const figures = { memory: (after - before) / POLLS / 1000 };
    return { requests, errors: errors + Math.abs(POLLS - requests), problem: firstError, figures };
  } finally {
    await clients.end();
  }
}

function idle(id: string, title: string, needs: 'h1' | 'h2', atMost: number, flags: readonly string[]): Row {
  return {
    id,
    title,
    needs,
    backend: 'thorough',
    quick: false,
    fresh: true,
    maxRounds: 2,
    figures: [{ id: 'memory', title: 'kB each', unit: 'kB', digits: 1, atMost }],
    run: (turn) => waiting(turn, flags),
  };
}

/** Over HTTP/1.1 a connection each, over HTTP/2 a stream each. */
export const IDLE_ROWS: readonly Row[] = [
  idle('idle-h1', 'idle long poll, HTTP/1.1', 'h1', 45, ['-connections', String(POLLS)]),
  idle('idle-h2', 'idle long poll, HTTP/2 stream', 'h2', 25, [
    ...['-connections', String(POLLS / STREAMS)],
    ...['-streams', String(STREAMS)],
  ]),
];
