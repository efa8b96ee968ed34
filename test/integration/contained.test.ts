/**
 * What one client could do to all others, each found by reading the state machines and shown on a socket: every test tells
 * the story and asserts that the others are served.
 */
import { connect as connectTcp, type Socket } from 'node:net';
import { describe, expect } from 'vitest';
import { clientHello } from '../helpers/client-hello.ts';
import { eventually, within } from '../helpers/eventually.ts';
import { response } from '../helpers/recording-backend.ts';
import type { Script } from '../helpers/recording-backend.ts';
import { expectMatrixError, get, request, test } from '../helpers/stage.ts';
import type { Front } from '../helpers/stage.ts';

const PATH = '/_matrix/client/v3/probe';
const HOST = 'Host: example.test';

async function expectServing(front: Front): Promise<void> {
  const client = await front.connect();
  await client.send(get(PATH));
  expect((await client.readResponse()).status).toBe(200);
}

/** A connection to the https listener from a port of one's own choice; null when that port is taken. */
function dial(front: Front, localPort: number): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connectTcp({
      host: '127.0.0.1',
      port: front.portico.https.port,
      localAddress: '127.0.0.1',
      localPort,
    });
    socket.on('error', () => {
      resolve(null);
    });
    socket.on('connect', () => {
      resolve(socket);
    });
  });
}

describe('handshakes', () => {
  /**
   * A client that resets in mid-handshake and comes back from the same port was accepted before the end of its first
   * connection was heard of; the count of handshakes in progress never came down, until nobody was let in.
   */
  test('a reset and a new connection from the same port, many times, leave nothing behind', async ({ stage }) => {
    const front = await stage.front(undefined, (config) => {
      config.limits.max_handshakes = 16;
      config.limits.handshake = '2s';
    });
    const hello = clientHello({ serverNames: [Buffer.from('example.test')] });
    for (let round = 0; round < 60; round++) {
      const first = await dial(front, 0);
      if (first === null) continue;
      const localPort = first.localPort ?? 0;
      first.write(hello);
      await new Promise((resolve) => first.once('data', resolve));
      first.resetAndDestroy();
      const second = await dial(front, localPort);
      second?.write(hello);
      second?.resetAndDestroy();
    }
    await eventually(async () => {
      expect(await front.portico.metric('portico_tls_handshakes_in_progress')).toBe(0);
    });
    await expectServing(front);
  });

  test('a refused client that drips bytes at its refusal is cut off', async ({ stage }) => {
    const front = await stage.front();
    const socket = connectTcp({ host: '127.0.0.1', port: front.portico.https.port, allowHalfOpen: true });
    stage.onClose(() => socket.destroy());
    const closed = new Promise<void>((resolve) => socket.on('close', () => { resolve(); })); // prettier-ignore
    socket.on('error', () => undefined);
    socket.resume();
    socket.write(get('/'));
    const drip = setInterval(() => {
      if (socket.writable) socket.write('x');
    }, 200);
    stage.onClose(() => {
      clearInterval(drip);
    });
    await within(closed, 20_000, 'closing');
  });
});

describe('the connections to the homeserver', () => {
  /**
   * The last bytes of a response met a full socket of the client: the upstream connection was paused and then given back,
   * and the next request on it, somebody else's, was never answered.
   */
  test('one that was paused for a slow client answers the next request', async ({ stage }) => {
    const large = Buffer.alloc(64 * 1024, 'x');
    const front = await stage.front(async (exchange) => {
      if (!exchange.request.target.endsWith('/large')) {
        await exchange.write(response(200));
        return;
      }
      const head = (length: number): string => `HTTP/1.1 200 OK\r\nContent-Length: ${String(length)}\r\n\r\n`;
      const body = large.subarray(0, large.length - head(large.length).length);
      await exchange.write(Buffer.concat([Buffer.from(head(body.length)), body]));
    });
    const client = await front.connect();
    for (let round = 0; round < 5; round++) {
      await client.send(get(`${PATH}/large`));
      expect((await client.readResponse()).status).toBe(200);
      await expectServing(front);
    }
  });

  /** One system call upstream per chunk made a client's single bytes seventy times as dear as the same bytes in one piece. */
  test('a body in one-byte chunks goes on in few', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(request(`POST ${PATH} HTTP/1.1`, HOST, 'Transfer-Encoding: chunked'));
    await client.send(`${'1\r\nx\r\n'.repeat(10_000)}0\r\n\r\n`);
    expect((await client.readResponse()).status).toBe(200);
    const [seen] = front.backend.requests;
    expect(seen?.body.toString()).toBe('x'.repeat(10_000));
    expect(seen?.chunkLines.length).toBeLessThan(500);
  });

  test('a response in one-byte chunks goes on in few, and whole', async ({ stage }) => {
    const script: Script = async (exchange) => {
      await exchange.write(
        `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${'1\r\ny\r\n'.repeat(5000)}0\r\n\r\n`,
      );
    };
    const front = await stage.front(script);
    const client = await front.connect();
    await client.send(get(PATH));
    const seen = await client.readResponse();
    expect(seen.truncated).toBe(false);
    expect(seen.body.toString()).toBe('y'.repeat(5000));
  });
});

describe('memory', () => {
  /** Answers of Portico's own piled up without end for a client that sent requests and read nothing. */
  test.for([
    ['answered by Portico', '/nothing-here'],
    ['relayed', PATH],
  ] as const)(
    'a client that sends requests and reads nothing is not read any more (%s)',
    async ([, path], { stage }) => {
      const front = await stage.front((exchange) => exchange.write(response(200, 'z'.repeat(60_000))));
      const client = await front.connect({ paused: true });
      const batch = Buffer.from(get(path, 'example.test', 'Accept: text/html').repeat(200));
      const sending = (async () => {
        while (!client.socket.destroyed) await client.send(batch);
      })();
      let handled = -1;
      for (let still = 0; still < 5;) {
        await new Promise((resolve) => setTimeout(resolve, 200));
        const now = (await front.portico.metric('portico_requests_total')) ?? 0;
        still = now === handled ? still + 1 : 0;
        handled = now;
      }
      expect(handled).toBeGreaterThan(0);
      client.destroy();
      await sending;
      await expectServing(front);
    },
  );
});

describe('endings', () => {
  /** The client of a tunnel ended and never read: nothing looked at the clock for that connection any more. */
  test('a tunnel whose client has ended and does not read is closed in the end', async ({ stage }) => {
    const front = await stage.front(async (exchange) => {
      if (exchange.request.values('upgrade').length === 0) {
        await exchange.write(response(200));
        return;
      }
      await exchange.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
      const closed = new Promise((resolve) => exchange.socket.once('close', resolve));
      const piece = Buffer.alloc(65_536, 'w');
      while (!exchange.socket.destroyed) await Promise.race([exchange.write(piece), closed]);
    });
    const client = await front.connect({ paused: true });
    await client.send(
      get(
        PATH,
        'example.test',
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      ),
    );
    await eventually(() => {
      expect(front.backend.connections[0]?.socket.writableNeedDrain).toBe(true);
    });
    client.end();
    await eventually(() => {
      expect(front.backend.connections[0]?.ending).not.toBeNull();
    });
    front.portico.advance(60 * 60_000);
    await eventually(async () => {
      expect(await front.portico.metric('portico_connections', 'role="https"')).toBe(0);
    });
  });

  /** A client that waited for 100-continue while its request stood in our queue was told to go on, and then timed out. */
  test('time in our own queue is not held against a sender', async ({ stage }) => {
    let release = (): void => undefined;
    const front = await stage.front(
      async (exchange) => {
        if (exchange.request.target.endsWith('/hold')) await new Promise<void>((resolve) => (release = resolve));
        else {
          await exchange.write('HTTP/1.1 100 Continue\r\n\r\n');
          await exchange.body();
        }
        await exchange.write(response(200));
      },
      (config) => {
        config.limits.queue = '60s';
        config.limits.upstream_max_connections = 1;
      },
    );
    const holder = await front.connect();
    await holder.send(get(`${PATH}/hold`));
    await eventually(() => {
      expect(front.backend.requests).toHaveLength(1);
    });
    const sender = await front.connect();
    await sender.send(request(`PUT ${PATH} HTTP/1.1`, HOST, 'Content-Length: 5', 'Expect: 100-continue'));
    await eventually(async () => {
      expect(await front.portico.metric('portico_requests_in_flight')).toBe(2);
    });
    front.portico.advance(40_000);
    release();
    expect((await holder.readResponse()).status).toBe(200);
    await eventually(() => {
      expect(sender.peek().toString()).toContain('100 Continue');
    });
    await new Promise((resolve) => setTimeout(resolve, 300));
    await sender.send('hello');
    expect((await sender.readResponse()).status).toBe(200);
  });

  test('one that waits longer than the queue may last gets 503 with Retry-After', async ({ stage }) => {
    const front = await stage.front(
      () => undefined,
      (config) => {
        config.limits.upstream_max_connections = 1;
      },
    );
    const holder = await front.connect();
    await holder.send(get(PATH));
    await eventually(() => {
      expect(front.backend.requests).toHaveLength(1);
    });
    const second = await front.connect();
    await second.send(get(PATH));
    await eventually(async () => {
      expect(await front.portico.metric('portico_requests_in_flight')).toBe(2);
    });
    expect(await front.portico.metric('portico_upstream_waiting')).toBe(1);
    front.portico.advance(11_000);
    const seen = await second.readResponse();
    expect(await front.portico.metric('portico_upstream_waiting')).toBe(0);
    expectMatrixError(seen, 503, 'M_UNKNOWN');
    expect(seen.field('retry-after')).toBe('5');
  });
});
