/** Pipelined requests are answered in order, each once, whatever the homeserver's speed (RFC 9112 §9.3.2). */
import { describe, expect } from 'vitest';
import { response } from '../helpers/recording-backend.ts';
import type { Script } from '../helpers/recording-backend.ts';
import { barrier, executedBeside, get, request, test } from '../helpers/stage.ts';

const HOST = 'Host: example.test';

/** Answers with the target; later requests faster than earlier ones. */
const echoTarget: Script = async (exchange) => {
  await exchange.body();
  if (exchange.index < 3) await new Promise((resolve) => setTimeout(resolve, 60 - 20 * exchange.index));
  await exchange.write(
    response(200, JSON.stringify({ target: exchange.request.target, body: exchange.request.body.toString() })),
  );
};

describe('pipelining', () => {
  test('1000 GETs in one write: 1000 answers in order', async ({ stage }) => {
    const front = await stage.front(echoTarget);
    const client = await front.connect();
    const targets = Array.from({ length: 1000 }, (_, index) => `/_matrix/client/v3/probe?${String(index)}`);
    void client.send(targets.map((target) => get(target)).join(''));
    for (const target of targets) {
      const seen = await client.readResponse();
      expect(seen.json()).toEqual({ target, body: '' });
    }
    expect(front.backend.requests.map((one) => one.target)).toEqual(targets);
  });

  test('bodies of both framings between GETs', async ({ stage }) => {
    const front = await stage.front(echoTarget);
    const client = await front.connect();
    void client.send(
      get('/_matrix/client/a') +
        request('PUT /_matrix/client/b HTTP/1.1', HOST, 'Content-Length: 5') +
        'hello' +
        request('PUT /_matrix/client/c HTTP/1.1', HOST, 'Transfer-Encoding: chunked') +
        '3\r\nabc\r\n0\r\n\r\n' +
        get('/_matrix/client/d'),
    );
    const seen = [];
    for (let round = 0; round < 4; round += 1) seen.push((await client.readResponse()).json());
    expect(seen).toEqual([
      { target: '/_matrix/client/a', body: '' },
      { target: '/_matrix/client/b', body: 'hello' },
      { target: '/_matrix/client/c', body: 'abc' },
      { target: '/_matrix/client/d', body: '' },
    ]);
  });

  test('answers of our own keep their place in the line', async ({ stage }) => {
    const front = await stage.front(echoTarget);
    const client = await front.connect();
    void client.send(
      get('/_matrix/client/a') +
        get('/_synapse/admin/x') +
        get('/_matrix/client/b') +
        get('/.well-known/matrix/server'),
    );
    const statuses = [];
    for (let round = 0; round < 4; round += 1) statuses.push((await client.readResponse()).status);
    expect(statuses).toEqual([200, 403, 200, 404]);
  });

  test('what follows a bad request is dropped; what came before it is answered', async ({ stage }) => {
    const front = await stage.front(echoTarget);
    const client = await front.connect();
    void client.send(
      get('/_matrix/client/a') +
        request('GET /_matrix/client/bad HTTP/1.1', HOST, 'Bad Field: x') +
        get('/_matrix/client/smuggled'),
    );
    expect((await client.readResponse()).status).toBe(200);
    expect((await client.readResponse()).status).toBe(400);
    expect((await client.readUntilClose()).toString()).toBe('');
    front.backend.script = echoTarget;
    await barrier(front);
    expect(executedBeside(front.backend)).toEqual(['GET /_matrix/client/a']);
  });

  test('what follows `Connection: close` is dropped', async ({ stage }) => {
    const front = await stage.front(echoTarget);
    const client = await front.connect();
    void client.send(get('/_matrix/client/a', 'example.test', 'Connection: close') + get('/_matrix/client/smuggled'));
    const seen = await client.readResponse();
    expect(seen.status).toBe(200);
    expect(seen.field('connection')?.toLowerCase()).toBe('close');
    expect((await client.readUntilClose()).toString()).toBe('');
    await barrier(front);
    expect(executedBeside(front.backend)).toEqual(['GET /_matrix/client/a']);
  });

  test('a pipelining client that never reads does not make Portico ask the homeserver without end', async ({
    stage,
  }) => {
    const front = await stage.front(async (exchange) => {
      await exchange.body();
      await exchange.write(response(200, 'x'.repeat(1_000_000)));
    });
    const client = await front.connect({ paused: true });
    void client.send(
      Array.from({ length: 200 }, (_, index) => get(`/_matrix/media/v3/download/a/${String(index)}`)).join(''),
    );
    // Wait until nothing moves any more, then look how much was asked for.
    let asked = -1;
    for (let still = 0; still < 10;) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      still = front.backend.requests.length === asked ? still + 1 : 0;
      asked = front.backend.requests.length;
    }
    expect(asked).toBeLessThan(60);
    client.resume();
    for (let round = 0; round < 200; round += 1)
      expect((await client.readResponse({ timeoutMs: 30_000 })).body).toHaveLength(1_000_000);
  });
});
