/** An upstream that answers before it has read the whole request: the answer is delivered, and the connection ends. */
import { describe, expect } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import { response } from '../helpers/recording-backend.ts';
import type { Script } from '../helpers/recording-backend.ts';
import { request, test } from '../helpers/stage.ts';

const PATH = '/_matrix/media/v3/upload';
const HOST = 'Host: example.test';
const REFUSAL = response(413, '{"errcode":"M_TOO_LARGE","error":"from the homeserver"}');

/** Answers at the head and stops reading. */
const atTheHead = (after: 'keep' | 'end' | 'reset'): Script => {
  return async (exchange) => {
    exchange.socket.pause();
    await exchange.write(REFUSAL);
    await new Promise((resolve) => setTimeout(resolve, 50));
    if (after === 'end') exchange.socket.destroy();
    if (after === 'reset') exchange.reset();
  };
};

describe('an answer before the request body is finished', () => {
  for (const after of ['keep', 'end', 'reset'] as const) {
    test(`reaches a client that waits (upstream then: ${after})`, async ({ stage }) => {
      const front = await stage.front(atTheHead(after));
      const client = await front.connect();
      await client.send(request(`POST ${PATH} HTTP/1.1`, HOST, 'Content-Length: 50000') + 'x'.repeat(1000));
      const seen = await client.readResponse();
      expect(seen.status).toBe(413);
      expect(seen.json()).toMatchObject({ error: 'from the homeserver' });
      await client.closed();
      front.backend.connections[0]?.socket.resume();
      await eventually(() => {
        expect(front.backend.connections[0]?.ending).not.toBeNull();
      });
      expect(front.backend.requests[0]?.complete).toBe(false);
    });

    test(`reaches a client that is sending (upstream then: ${after})`, async ({ stage }) => {
      const front = await stage.front(atTheHead(after));
      const client = await front.connect();
      const total = 20_000_000;
      await client.send(request(`POST ${PATH} HTTP/1.1`, HOST, `Content-Length: ${String(total)}`));
      const stop = new AbortController();
      const pump = (async () => {
        const piece = Buffer.alloc(100_000, 'x');
        for (let sent = 0; sent < total && !stop.signal.aborted && client.ending === null; sent += piece.length) {
          await Promise.race([client.send(piece), new Promise((resolve) => setTimeout(resolve, 200))]);
        }
      })();
      const seen = await client.readResponse({ timeoutMs: 20_000 });
      expect(seen.status).toBe(413);
      expect(seen.json()).toMatchObject({ error: 'from the homeserver' });
      await client.closed();
      stop.abort();
      await pump;
    });
  }

  test('with chunks, too, and what follows on the connection is not taken as a request', async ({ stage }) => {
    const front = await stage.front(atTheHead('keep'));
    const client = await front.connect();
    await client.send(request(`POST ${PATH} HTTP/1.1`, HOST, 'Transfer-Encoding: chunked') + '5\r\nhello\r\n');
    expect((await client.readResponse()).status).toBe(413);
    await client.send('GET /_matrix/client/smuggled HTTP/1.1\r\nHost: example.test\r\n\r\n');
    await client.closed();
    expect(front.backend.executed()).toEqual([`POST ${PATH}`]);
  });

  test('an answer that comes after the whole body keeps the connection', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    for (let round = 0; round < 3; round += 1) {
      await client.send(request(`POST ${PATH} HTTP/1.1`, HOST, 'Content-Length: 5') + 'hello');
      expect((await client.readResponse()).status).toBe(200);
    }
    expect(client.ending).toBeNull();
    expect(front.backend.connections).toHaveLength(1);
  });
});
