/** Time-outs, sizes, rates and counts (`limits`): each cuts what it should, says so in the metrics, and cuts nothing else. */
import { describe, expect } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import type { ConfigInput } from '../helpers/portico.ts';
import { answer, response } from '../helpers/recording-backend.ts';
import { barrier, executedBeside, expectClose, expectMatrixError, get, request, test } from '../helpers/stage.ts';
import type { Front } from '../helpers/stage.ts';

const PATH = '/_matrix/client/v3/probe';
const HOST = 'Host: example.test';

const withLimits = (limits: Record<string, unknown>) => (config: ConfigInput) => {
  config.limits = limits;
};
const forClient = (limits: Record<string, unknown>) => withLimits({ classes: { client: limits } });

/** The limit shows in the metrics. */
async function expectLimitHit(front: Front, code: string): Promise<void> {
  await eventually(async () => {
    expect(await front.portico.metric('portico_limit_hits_total', `code="${code}"`)).toBeGreaterThan(0);
  });
}

describe('time to send a head', () => {
  test('a head that stops half way: 408, nothing upstream', async ({ stage }) => {
    const front = await stage.front(undefined, withLimits({ request_head: '300ms' }));
    const client = await front.connect();
    await client.send(`GET ${PATH} HTTP/1.1\r\nHost: exam`);
    const seen = await client.readResponse();
    expect(seen.status).toBe(408);
    await expectClose(client, seen);
    await expectLimitHit(front, 'REQUEST_TIMEOUT');
    expect(front.backend.text()).toBe('');
  });

  test('a head that drips one byte at a time does not extend it', async ({ stage }) => {
    const front = await stage.front(undefined, withLimits({ request_head: '500ms' }));
    const client = await front.connect();
    await client.send(`GET ${PATH} HTTP/1.1\r\nHost: example.test\r\nX-A: `);
    const drip = setInterval(() => void client.send('x'), 50);
    try {
      expect((await client.readResponse()).status).toBe(408);
      await client.closed();
    } finally {
      clearInterval(drip);
    }
    expect(front.backend.text()).toBe('');
  });

  test('a second head, too', async ({ stage }) => {
    const front = await stage.front(undefined, withLimits({ request_head: '300ms' }));
    const client = await front.connect();
    await client.send(get(PATH));
    expect((await client.readResponse()).status).toBe(200);
    await client.send('GET /_mat');
    expect((await client.readResponse()).status).toBe(408);
    await client.closed();
  });

  test('silence before a first request, and between requests, ends the connection without a word', async ({
    stage,
  }) => {
    const front = await stage.front(undefined, withLimits({ keep_alive: '300ms' }));
    const silent = await front.connect();
    const used = await front.connect();
    await used.send(get(PATH));
    expect((await used.readResponse()).status).toBe(200);
    expect((await silent.readUntilClose()).toString()).toBe('');
    expect((await used.readUntilClose()).toString()).toBe('');
  });

  test('a connection with a request in flight is not idle', async ({ stage }) => {
    const front = await stage.front(
      async (exchange) => {
        await exchange.body();
        await new Promise((resolve) => setTimeout(resolve, 1000));
        await exchange.write(response(200));
      },
      withLimits({ keep_alive: '200ms', request_head: '200ms', classes: { client: { request_idle: '200ms' } } }),
    );
    const client = await front.connect();
    await client.send(get(PATH));
    expect((await client.readResponse()).status).toBe(200);
  });
});

describe('time to send a body', () => {
  test.for(['Content-Length: 100', 'Transfer-Encoding: chunked'])(
    'a body that stops (%s): 408, never whole upstream',
    async (framing, { stage }) => {
      const front = await stage.front(undefined, forClient({ request_idle: '300ms' }));
      const client = await front.connect();
      await client.send(request(`PUT ${PATH} HTTP/1.1`, HOST, framing) + '5\r\nhello\r\n');
      const seen = await client.readResponse();
      expectMatrixError(seen, 408, 'M_UNKNOWN');
      await client.closed();
      await expectLimitHit(front, 'REQUEST_TIMEOUT');
      await eventually(() => {
        expect(front.backend.connections[0]?.ending).not.toBeNull();
      });
      expect(front.backend.requests[0]?.complete).toBe(false);
    },
  );

  test('a body that never pauses for long may take its time', async ({ stage }) => {
    const front = await stage.front(undefined, forClient({ request_idle: '1s' }));
    const client = await front.connect();
    await client.send(request(`PUT ${PATH} HTTP/1.1`, HOST, 'Content-Length: 30'));
    for (let sent = 0; sent < 30; sent += 1) {
      await client.send('x');
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    expect((await client.readResponse()).status).toBe(200);
    expect(front.backend.requests[0]?.body.toString()).toBe('x'.repeat(30));
  });

  test('a body below the slowest rate: 408 after the first ten seconds', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(request(`PUT ${PATH} HTTP/1.1`, HOST, 'Content-Length: 100000') + 'x'.repeat(50));
    await eventually(() => {
      expect(front.backend.text()).toContain('x'.repeat(50));
    });
    front.portico.advance(9_000);
    await client.send('x');
    // Still within the grace: nothing happens by itself.
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(client.bytesReceived).toBe(0);
    front.portico.advance(5_000);
    await client.send('x');
    expectMatrixError(await client.readResponse(), 408, 'M_UNKNOWN');
    await client.closed();
    expect(front.backend.requests[0]?.complete).toBe(false);
  });
});

describe('a client that does not take its answer', () => {
  test('is cut off, its upstream request with it, and the access log says so', async ({ stage }) => {
    const front = await stage.front(async (exchange) => {
      await exchange.body();
      await exchange.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      const piece = `10000\r\n${'x'.repeat(65_536)}\r\n`;
      const closed = new Promise((resolve) => exchange.socket.once('close', resolve));
      while (!exchange.socket.destroyed) await Promise.race([exchange.write(piece), closed]);
    });
    const client = await front.connect({ paused: true });
    await client.send(get('/_matrix/media/v3/download/example.test/x'));
    await eventually(() => {
      expect(front.backend.connections[0]?.socket.writableNeedDrain).toBe(true);
    });
    for (let round = 0; round < 100 && front.backend.connections[0]?.ending === null; round += 1) {
      front.portico.advance(10_000);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(front.backend.connections[0]?.ending).not.toBeNull();
    await eventually(() => {
      expect(JSON.stringify(front.portico.accessLog)).toContain('timed_out');
    });
    client.resume();
    await client.closed();
  });
});

describe('body sizes', () => {
  const small = forClient({ max_body: '1KiB' });

  test('Content-Length over the limit: 413 M_TOO_LARGE at once, nothing upstream', async ({ stage }) => {
    const front = await stage.front(undefined, small);
    const client = await front.connect();
    await client.send(request(`PUT ${PATH} HTTP/1.1`, HOST, 'Content-Length: 1025'));
    const seen = await client.readResponse();
    expectMatrixError(seen, 413, 'M_TOO_LARGE');
    await client.closed();
    await expectLimitHit(front, 'BODY_TOO_LARGE');
    await barrier(front);
    expect(executedBeside(front.backend)).toEqual([]);
  });

  test('a client that sends its large body all the same gets to read the 413', async ({ stage }) => {
    const front = await stage.front(undefined, small);
    const client = await front.connect();
    await client.send(request(`PUT ${PATH} HTTP/1.1`, HOST, 'Content-Length: 5000000'));
    void client.send(Buffer.alloc(5_000_000, 'x'));
    expectMatrixError(await client.readResponse(), 413, 'M_TOO_LARGE');
  });

  test('chunks that pass the limit: 413, and the upstream request is aborted', async ({ stage }) => {
    const front = await stage.front(undefined, small);
    const client = await front.connect();
    await client.send(
      request(`PUT ${PATH} HTTP/1.1`, HOST, 'Transfer-Encoding: chunked') + `200\r\n${'x'.repeat(512)}\r\n`,
    );
    await eventually(() => {
      expect(front.backend.requests).toHaveLength(1);
    });
    await client.send(`201\r\n${'x'.repeat(513)}\r\n0\r\n\r\n`);
    expectMatrixError(await client.readResponse(), 413, 'M_TOO_LARGE');
    await client.closed();
    await eventually(() => {
      expect(front.backend.connections[0]?.ending).not.toBeNull();
    });
    expect(front.backend.requests[0]?.complete).toBe(false);
  });

  test('exactly the limit passes, in both framings', async ({ stage }) => {
    const front = await stage.front(undefined, small);
    const client = await front.connect();
    await client.send(request(`PUT ${PATH} HTTP/1.1`, HOST, 'Content-Length: 1024') + 'x'.repeat(1024));
    expect((await client.readResponse()).status).toBe(200);
    await client.send(
      request(`PUT ${PATH} HTTP/1.1`, HOST, 'Transfer-Encoding: chunked') + `400\r\n${'x'.repeat(1024)}\r\n0\r\n\r\n`,
    );
    expect((await client.readResponse()).status).toBe(200);
    expect(front.backend.requests.map((one) => one.body.length)).toEqual([1024, 1024]);
  });

  test('federation transactions of 13,107,200 bytes pass by default', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect({ listener: 'federation' });
    const size = 13_107_200;
    await client.send(request('PUT /_matrix/federation/v1/send/1 HTTP/1.1', HOST, `Content-Length: ${String(size)}`));
    await client.send(Buffer.alloc(size, 'x'));
    expect((await client.readResponse({ timeoutMs: 30_000 })).status).toBe(200);
    expect(front.backend.requests[0]?.body).toHaveLength(size);
  });

  test('the limits are of the class', async ({ stage }) => {
    const front = await stage.front(
      undefined,
      withLimits({ classes: { client: { max_body: '1KiB' }, media_up: { max_body: '2KiB' } } }),
    );
    const client = await front.connect();
    await client.send(
      request('POST /_matrix/media/v3/upload HTTP/1.1', HOST, 'Content-Length: 2000') + 'x'.repeat(2000),
    );
    expect((await client.readResponse()).status).toBe(200);
    await client.send(request('POST /_matrix/media/v3/upload HTTP/1.1', HOST, 'Content-Length: 2049'));
    expectMatrixError(await client.readResponse(), 413, 'M_TOO_LARGE');
  });
});

describe('counts', () => {
  test('requests of a class in flight: 429 M_LIMIT_EXCEEDED with Retry-After, other classes pass', async ({
    stage,
  }) => {
    const release: (() => void)[] = [];
    const front = await stage.front(
      async (exchange) => {
        await exchange.body();
        if (exchange.request.target.includes('hold')) await new Promise<void>((resolve) => release.push(resolve));
        await exchange.write(response(200));
      },
      forClient({ max_concurrent: 2 }),
    );
    const held = [await front.connect(), await front.connect()];
    for (const client of held) await client.send(get(`${PATH}?hold`));
    await eventually(() => {
      expect(release).toHaveLength(2);
    });
    const third = await front.connect();
    await third.send(get(PATH));
    const refused = await third.readResponse();
    expectMatrixError(refused, 429, 'M_LIMIT_EXCEEDED');
    expect(Number(refused.field('retry-after'))).toBeGreaterThan(0);
    expect(refused.json()).toMatchObject({ retry_after_ms: expect.any(Number) as unknown });
    await expectLimitHit(front, 'CLASS_CONCURRENCY');
    await third.send(get('/_matrix/federation/v1/version'));
    expect((await third.readResponse()).status).toBe(200);
    for (const go of release) go();
    for (const client of held) expect((await client.readResponse()).status).toBe(200);
    await third.send(get(PATH));
    expect((await third.readResponse()).status).toBe(200);
  });

  test('a client that left gives its place back', async ({ stage }) => {
    const front = await stage.front(
      async (exchange) => {
        await exchange.body();
        if (!exchange.request.target.includes('hold')) await exchange.write(response(200));
      },
      forClient({ max_concurrent: 1 }),
    );
    for (let round = 0; round < 3; round += 1) {
      const held = await front.connect();
      await held.send(get(`${PATH}?hold`));
      await eventually(() => {
        expect(front.backend.requests.filter((one) => one.target.includes('hold'))).toHaveLength(round + 1);
      });
      held.destroy();
      await eventually(async () => {
        const client = await front.connect();
        await client.send(get(PATH));
        const seen = await client.readResponse();
        client.destroy();
        expect(seen.status).toBe(200);
      });
    }
  });

  test('requests in flight from one address: 429', async ({ stage }) => {
    const front = await stage.front(
      (exchange) => {
        if (!exchange.request.target.includes('hold')) return answer(response(200))(exchange);
        return undefined;
      },
      withLimits({ requests_per_address: 2 }),
    );
    for (let round = 0; round < 2; round += 1) {
      const held = await front.connect();
      await held.send(get(`${PATH}?hold`));
    }
    await eventually(() => {
      expect(front.backend.requests).toHaveLength(2);
    });
    const client = await front.connect();
    await client.send(get(PATH));
    const refused = await client.readResponse();
    expectMatrixError(refused, 429, 'M_LIMIT_EXCEEDED');
    expect(refused.field('retry-after')).toMatch(/^[1-9]\d*$/);
    await expectLimitHit(front, 'REQUESTS_PER_ADDRESS');
  });

  test('connections from one address: the one too many is not served, the others are', async ({ stage }) => {
    const front = await stage.front(undefined, withLimits({ connections_per_address: 2 }));
    const first = await front.connect();
    const second = await front.connect();
    await expect(front.connect()).rejects.toThrow();
    for (const client of [first, second]) {
      await client.send(get(PATH));
      expect((await client.readResponse()).status).toBe(200);
    }
    await expectLimitHit(front, 'CONNECTIONS_PER_ADDRESS');
    second.destroy();
    await eventually(async () => {
      const again = await front.connect();
      await again.send(get(PATH));
      expect((await again.readResponse()).status).toBe(200);
    });
  });

  test('connections in all', async ({ stage }) => {
    const front = await stage.front(undefined, withLimits({ max_connections: 2 }));
    const clients = [await front.connect(), await front.connect()];
    await expect(front.connect()).rejects.toThrow();
    clients[0]?.destroy();
    await eventually(async () => {
      const again = await front.connect();
      await again.send(get(PATH));
      expect((await again.readResponse()).status).toBe(200);
    });
  });
});

test('what was cut short leaves nothing in flight', async ({ stage }) => {
  const front = await stage.front(
    () => undefined,
    withLimits({ request_head: '200ms', classes: { client: { response_head: '200ms', request_idle: '200ms' } } }),
  );
  const starts = [get(PATH), `GET ${PATH} HTT`, request(`PUT ${PATH} HTTP/1.1`, HOST, 'Content-Length: 10') + 'x'];
  for (const start of starts) {
    const client = await front.connect();
    await client.send(start);
    await client.readResponse();
    client.destroy();
  }
  await eventually(async () => {
    expect(await front.portico.metric('portico_requests_in_flight')).toBe(0);
    expect(await front.portico.metric('portico_connections', 'role="https"')).toBe(0);
  });
});
