/**
 * What HTTP/2 clients may hold open at one time costs what it must and no more: streams that wait, streams whose windows stay
 * shut, uploads that the homeserver does not take. The app runs in a process of its own, so that its memory can be read.
 */
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { describe, expect } from 'vitest';
import { delay, eventually } from '../helpers/eventually.ts';
import { connectH2, requestFields } from '../helpers/h2-client.ts';
import type { H2Client, H2Options } from '../helpers/h2-client.ts';
import { Flag, MAX_FRAME_SIZE, Setting, data } from '../helpers/h2-frames.ts';
import { startPorticoProcess } from '../helpers/portico-process.ts';
import type { PorticoProcess } from '../helpers/portico-process.ts';
import type { ConfigInput } from '../helpers/portico.ts';
import { connectRaw } from '../helpers/raw-client.ts';
import { test } from '../helpers/stage.ts';
import type { Stage } from '../helpers/stage.ts';

const STREAMS_PER_CONNECTION = 100;
const KIB = 1024;
const MIB = 1024 * KIB;
/** Garbage that is not collected yet, and what a process grows by when it works for the first time. */
const SLACK = 48 * MIB;
const ENDLESS = 64 * MIB;
const PIECE = Buffer.alloc(64 * KIB, 'x');

const manyStreams = (config: ConfigInput): void => {
  config.limits = {
    requests_per_address: 100_000,
    connections_per_address: 10_000,
    classes: { media_up: { max_body: '1GiB' } },
  };
};

interface Backend {
  readonly url: string;
  /** Connections that have sent a request head. */
  requests(): number;
}

/** A homeserver that says nothing, or more than anybody takes; its connections read only when `reads`. */
async function startBackend(stage: Stage, kind: 'silent' | 'endless' | 'deaf'): Promise<Backend> {
  const sockets = new Set<Socket>();
  let requests = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    socket.once('data', (first: Buffer) => {
      requests += 1;
      if (first.includes('GET /_matrix/client/versions')) {
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}');
      } else if (kind === 'deaf') socket.pause();
      else if (kind === 'endless') {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${String(ENDLESS)}\r\n\r\n`);
        let left = ENDLESS;
        const pump = (): void => {
          while (left > 0) {
            left -= PIECE.length;
            if (!socket.write(PIECE)) {
              socket.once('drain', pump);
              return;
            }
          }
        };
        pump();
      }
    });
  });
  await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, resolve));
  stage.onClose(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`, requests: () => requests };
}

/** A client of that process; `destroy` it, or the stage does. */
async function clientOf(stage: Stage, running: PorticoProcess, options: H2Options = {}): Promise<H2Client> {
  const connect = async (how: object) => {
    const raw = await connectRaw({ port: running.port, ca: running.ca, servername: 'example.test', ...how });
    stage.onClose(() => raw.destroy());
    return raw;
  };
  return connectH2({ connect } as Parameters<typeof connectH2>[0], options);
}

/** Memory when it has stopped growing: the same highest value for half a second. */
async function settledRss(running: PorticoProcess): Promise<number> {
  let highest = 0;
  for (let still = 0; still < 5; still += 1) {
    await delay(100);
    const now = await running.rss();
    if (now > highest + MIB) still = 0;
    highest = Math.max(highest, now);
  }
  return highest;
}

/** One honest exchange, so that what is made on first use is there before memory is measured. */
async function warmUp(stage: Stage, running: PorticoProcess): Promise<void> {
  const client = await clientOf(stage, running);
  const seen = await client.fetch({ ':path': '/_matrix/client/versions' });
  expect(seen.status).toBe(200);
  client.raw.destroy();
}

/** Opens streams on as many connections as they need, and waits until the backend has all of them. */
async function openStreams(
  stage: Stage,
  running: PorticoProcess,
  backend: Backend,
  count: number,
  path: string,
  options: H2Options = {},
): Promise<H2Client[]> {
  const before = backend.requests();
  const clients: H2Client[] = [];
  for (let made = 0; made < count; made += STREAMS_PER_CONNECTION) {
    const client = await clientOf(stage, running, options);
    clients.push(client);
    for (let index = 0; index < STREAMS_PER_CONNECTION; index += 1) {
      await client.open(requestFields({ ':path': path }));
    }
    await client.roundTrip();
  }
  await eventually(() => {
    expect(backend.requests() - before).toBe(count);
  }, 30_000);
  return clients;
}

async function expectServed(stage: Stage, running: PorticoProcess): Promise<void> {
  await warmUp(stage, running);
  expect(running.output()).not.toMatch(/"level":"(?:error|fatal)"/);
}

describe.skipIf(process.platform !== 'linux')('memory of HTTP/2', { timeout: 180_000 }, () => {
  test('3,000 long polls on 30 connections: at most 48 KiB each, and the second time no more', async ({ stage }) => {
    const COUNT = 3000;
    const backend = await startBackend(stage, 'silent');
    const running = await startPorticoProcess(stage, backend.url, manyStreams);
    await warmUp(stage, running);
    const before = await settledRss(running);
    const peaks: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      const clients = await openStreams(stage, running, backend, COUNT, '/_matrix/client/v3/sync?timeout=30000');
      peaks.push((await settledRss(running)) - before);
      for (const client of clients) client.raw.destroy();
      await delay(200);
    }
    expect(peaks[0]).toBeLessThan(COUNT * 48 * KIB + SLACK);
    expect(peaks[2]).toBeLessThan((peaks[1] ?? 0) + SLACK);
    await expectServed(stage, running);
  });

  test('400 downloads behind shut windows: 192 KiB each, of 64 MiB each', async ({ stage }) => {
    const COUNT = 400;
    const backend = await startBackend(stage, 'endless');
    const running = await startPorticoProcess(stage, backend.url, manyStreams);
    await warmUp(stage, running);
    const before = await settledRss(running);
    const clients = await openStreams(
      stage,
      running,
      backend,
      COUNT,
      '/_matrix/client/v1/media/download/example.test/big',
      { settings: [[Setting.initialWindowSize, 0]] },
    );
    const growth = (await settledRss(running)) - before;
    expect(growth).toBeLessThan(COUNT * 192 * KIB + SLACK);
    for (const client of clients) expect(client.stream(1).bytes).toBe(0);
    for (const client of clients) client.raw.destroy();
    await expectServed(stage, running);
  });

  test('400 downloads to clients that do not read at all: 192 KiB each', async ({ stage }) => {
    const COUNT = 400;
    const backend = await startBackend(stage, 'endless');
    const running = await startPorticoProcess(stage, backend.url, manyStreams);
    await warmUp(stage, running);
    const before = await settledRss(running);
    for (let made = 0; made < COUNT; made += STREAMS_PER_CONNECTION) {
      const client = await clientOf(stage, running, { settings: [[Setting.initialWindowSize, 0x7fffffff]] });
      await client.roundTrip();
      client.raw.pause();
      for (let index = 0; index < STREAMS_PER_CONNECTION; index += 1) {
        await client.open(requestFields({ ':path': '/_matrix/client/v1/media/download/example.test/big' }));
      }
    }
    await eventually(() => {
      expect(backend.requests()).toBe(COUNT + 1);
    }, 30_000);
    const growth = (await settledRss(running)) - before;
    expect(growth).toBeLessThan(COUNT * 192 * KIB + SLACK);
    await expectServed(stage, running);
  });

  test('200 uploads that the homeserver does not take: 512 KiB each, however much is offered', async ({ stage }) => {
    const COUNT = 200;
    const backend = await startBackend(stage, 'deaf');
    const running = await startPorticoProcess(stage, backend.url, manyStreams);
    await warmUp(stage, running);
    const before = await settledRss(running);
    const clients: H2Client[] = [];
    for (let made = 0; made < COUNT; made += STREAMS_PER_CONNECTION) {
      const client = await clientOf(stage, running);
      clients.push(client);
      const fields = requestFields({ ':method': 'POST', ':path': '/_matrix/media/v3/upload' });
      for (let index = 0; index < STREAMS_PER_CONNECTION; index += 1) await client.open(fields, false);
    }
    await eventually(() => {
      expect(backend.requests()).toBe(COUNT + 1);
    }, 30_000);
    const piece = Buffer.alloc(MAX_FRAME_SIZE);
    // Whatever the windows let through, until two seconds pass in which they let nothing through.
    for (let still = 0; still < 20;) {
      let progress = false;
      for (const client of clients) {
        for (let index = 0; index < STREAMS_PER_CONNECTION; index += 1) {
          const id = 1 + 2 * index;
          if (client.sendWindow(id) < piece.length) continue;
          client.spend(id, piece.length);
          await client.send(data(id, piece, Flag.none));
          progress = true;
        }
        await client.roundTrip();
      }
      still = progress ? 0 : still + 1;
      if (!progress) await delay(100);
    }
    const growth = (await settledRss(running)) - before;
    // The windows did their work: what was let through is what Portico and the system's buffers hold.
    expect(growth).toBeLessThan(COUNT * 512 * KIB + SLACK);
    for (const client of clients) client.raw.destroy();
    await expectServed(stage, running);
  });
});
