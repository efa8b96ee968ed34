/**
 * Back-pressure: whoever is slow slows the other side down instead of filling memory. The app runs in a process of its own,
 * so that its resident memory can be read.
 */
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { describe, expect } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import type { ConfigInput } from '../helpers/portico.ts';
import { startPorticoProcess } from '../helpers/portico-process.ts';
import type { PorticoProcess } from '../helpers/portico-process.ts';
import { connectRaw } from '../helpers/raw-client.ts';
import type { RawClient } from '../helpers/raw-client.ts';
import { get, request, test } from '../helpers/stage.ts';
import type { Stage } from '../helpers/stage.ts';

const GIB = 1024 ** 3;
/** What buffers of kernel and TLS, and garbage that is not collected yet, may add; far below the gigabyte that passes. */
const ALLOWED_GROWTH = 192 * 1024 * 1024;
const PIECE = Buffer.alloc(256 * 1024, 'x');

const largeUploads = (config: ConfigInput): void => {
  config.limits = { classes: { media_up: { max_body: '4GiB' } } };
};

async function clientOf(stage: Stage, running: PorticoProcess, paused = false): Promise<RawClient> {
  const client = await connectRaw({ port: running.port, ca: running.ca, servername: 'example.test', paused });
  stage.onClose(() => {
    client.destroy();
  });
  return client;
}

/** A raw server; each connection goes to `serve`. */
async function rawServer(stage: Stage, serve: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => { resolve(); })); // prettier-ignore
  stage.onClose(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
}

/** Waits until a counter has stopped growing. */
async function settled(counter: () => number): Promise<number> {
  let last = -1;
  for (let still = 0; still < 10;) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    const now = counter();
    still = now === last ? still + 1 : 0;
    last = now;
  }
  return last;
}

describe.skipIf(process.platform !== 'linux')('1 GiB past a slow side', { timeout: 120_000 }, () => {
  test.for(['Content-Length', 'chunked'])(
    'a slow reader on a download (%s): the homeserver is slowed down, memory stays',
    async (framing, { stage }) => {
      let offered = 0;
      const url = await rawServer(stage, (socket) => {
        socket.once('data', () => {
          const chunked = framing === 'chunked';
          socket.write(
            `HTTP/1.1 200 OK\r\n${chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${String(GIB)}`}\r\n\r\n`,
          );
          const piece = chunked
            ? Buffer.concat([Buffer.from(`${PIECE.length.toString(16)}\r\n`), PIECE, Buffer.from('\r\n')])
            : PIECE;
          const pump = (): void => {
            while (offered < GIB) {
              offered += PIECE.length;
              if (!socket.write(piece)) {
                socket.once('drain', pump);
                return;
              }
            }
            if (chunked) socket.write('0\r\n\r\n');
          };
          pump();
        });
      });
      const running = await startPorticoProcess(stage, url, largeUploads);
      const client = await clientOf(stage, running);
      // Count only: a gigabyte is not to be kept here either.
      let received = 0;
      let tail = Buffer.alloc(0);
      client.socket.removeAllListeners('data');
      client.socket.on('data', (chunk: Buffer) => {
        received += chunk.length;
        tail = Buffer.concat([tail, chunk]).subarray(-16);
      });
      await client.send(get('/_matrix/client/v1/media/download/example.test/big'));
      await eventually(() => {
        expect(received).toBeGreaterThan(1_000_000);
      });
      const before = await running.rss();
      // It stops reading: the homeserver must come to a stop, too, far from the end.
      client.pause();
      const stoppedAt = await settled(() => offered);
      expect(stoppedAt).toBeLessThan(GIB / 4);
      expect((await running.rss()) - before).toBeLessThan(ALLOWED_GROWTH);
      // Full speed with pauses, sampling on the way.
      let highest = 0;
      client.resume();
      const sampler = setInterval(() => {
        void running.rss().then((rss) => (highest = Math.max(highest, rss)));
      }, 100);
      for (let pause = 0; pause < 3; pause += 1) {
        const mark = received;
        await eventually(() => {
          expect(received - mark >= GIB / 8 || received >= GIB).toBe(true);
        }, 60_000);
        client.pause();
        await new Promise((resolve) => setTimeout(resolve, 100));
        client.resume();
      }
      await eventually(() => {
        expect(received).toBeGreaterThanOrEqual(GIB);
      }, 60_000);
      clearInterval(sampler);
      if (framing === 'chunked') {
        await eventually(() => {
          expect(tail.toString('latin1')).toMatch(/\r\n0\r\n\r\n$/);
        });
      }
      expect(highest - before).toBeLessThan(ALLOWED_GROWTH);
    },
  );

  test.for(['Content-Length', 'chunked'])(
    'a slow homeserver on an upload (%s): the client is slowed down, memory stays',
    async (framing, { stage }) => {
      let taken = 0;
      const sockets: Socket[] = [];
      const url = await rawServer(stage, (socket) => {
        sockets.push(socket);
        let tail = '';
        socket.on('data', (chunk: Buffer) => {
          taken += chunk.length;
          tail = (tail + chunk.toString('latin1', Math.max(0, chunk.length - 16))).slice(-16);
          if (taken >= GIB && (framing !== 'chunked' || tail.endsWith('\r\n0\r\n\r\n'))) {
            socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}');
          }
        });
      });
      const running = await startPorticoProcess(stage, url, largeUploads);
      const client = await clientOf(stage, running);
      const chunked = framing === 'chunked';
      await client.send(
        request(
          'POST /_matrix/media/v3/upload HTTP/1.1',
          'Host: example.test',
          chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${String(GIB)}`,
        ),
      );
      let sent = 0;
      const piece = chunked
        ? Buffer.concat([Buffer.from(`${PIECE.length.toString(16)}\r\n`), PIECE, Buffer.from('\r\n')])
        : PIECE;
      const pump = (async () => {
        while (sent < GIB && !client.socket.destroyed) {
          sent += PIECE.length;
          await client.send(piece);
        }
        if (chunked) await client.send('0\r\n\r\n');
      })();
      await eventually(() => {
        expect(taken).toBeGreaterThan(1_000_000);
      });
      const before = await running.rss();
      for (const socket of sockets) socket.pause();
      const stoppedAt = await settled(() => sent);
      expect(stoppedAt).toBeLessThan(GIB / 4);
      expect((await running.rss()) - before).toBeLessThan(ALLOWED_GROWTH);
      let highest = 0;
      const sampler = setInterval(() => {
        void running.rss().then((rss) => (highest = Math.max(highest, rss)));
      }, 100);
      for (const socket of sockets) socket.resume();
      for (let pause = 0; pause < 3; pause += 1) {
        const mark = taken;
        await eventually(() => {
          expect(taken - mark >= GIB / 8 || taken >= GIB).toBe(true);
        }, 60_000);
        for (const socket of sockets) socket.pause();
        await new Promise((resolve) => setTimeout(resolve, 100));
        for (const socket of sockets) socket.resume();
      }
      await pump;
      const seen = await client.readResponse({ timeoutMs: 60_000 });
      clearInterval(sampler);
      expect(seen.status).toBe(200);
      expect(taken).toBeGreaterThanOrEqual(GIB);
      expect(highest - before).toBeLessThan(ALLOWED_GROWTH);
    },
  );
});

describe('a tunnel', () => {
  test('slows the sender down in both directions, and loses nothing', async ({ stage }) => {
    const TOTAL = 64 * 1024 * 1024;
    let offered = 0;
    let far: Socket | undefined;
    let farReceived = 0;
    const front = await stage.front(async (exchange) => {
      exchange.takeOver();
      far = exchange.socket;
      far.removeAllListeners('data');
      far.on('data', (chunk: Buffer) => (farReceived += chunk.length));
      await exchange.write(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n',
      );
      while (offered < TOTAL && !exchange.socket.destroyed) {
        offered += PIECE.length;
        await exchange.write(PIECE);
      }
    });
    const client = await front.connect();
    await client.send(
      get(
        '/_matrix/client/unstable/socket',
        'example.test',
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
        'Sec-WebSocket-Version: 13',
      ),
    );
    expect((await client.readResponse()).status).toBe(101);
    let received = client.take().length;
    client.socket.removeAllListeners('data');
    client.socket.on('data', (chunk: Buffer) => (received += chunk.length));
    client.pause();
    expect(await settled(() => offered)).toBeLessThan(TOTAL / 2);
    far?.pause();
    let sent = 0;
    const pump = (async () => {
      while (sent < TOTAL && !client.socket.destroyed) {
        sent += PIECE.length;
        await client.send(PIECE);
      }
    })();
    expect(await settled(() => sent)).toBeLessThan(TOTAL / 2);
    far?.resume();
    client.resume();
    await pump;
    await eventually(() => {
      expect(received).toBe(TOTAL);
      expect(farReceived).toBe(TOTAL);
    }, 30_000);
  });
});
