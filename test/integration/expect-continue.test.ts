/** `Expect: 100-continue` (RFC 9110 §10.1.1): no client is left waiting, no body is sent twice, other expectations are 417. */
import { describe, expect } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import { answer, response } from '../helpers/recording-backend.ts';
import { barrier, executedBeside, expectMatrixError, get, request, test } from '../helpers/stage.ts';

const PATH = '/_matrix/client/v3/probe';
const HOST = 'Host: example.test';
const EXPECT = 'Expect: 100-continue';

describe('Expect: 100-continue', () => {
  test.for(['Expect: 100-continue', 'expect: 100-Continue'])(
    '%s: one 100, then the answer',
    async (field, { stage }) => {
      const front = await stage.front();
      const client = await front.connect();
      await client.send(request(`PUT ${PATH} HTTP/1.1`, HOST, field, 'Content-Length: 5'));
      await eventually(() => {
        expect(client.peek().toString('latin1')).toMatch(/^HTTP\/1\.1 100 [^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n$/);
      });
      await client.send('hello');
      const seen = await client.readResponse();
      expect(seen.status).toBe(200);
      expect(seen.informational.map((one) => one.status)).toEqual([100]);
      expect(front.backend.requests).toHaveLength(1);
      expect(front.backend.requests[0]?.body.toString()).toBe('hello');
    },
  );

  test('a homeserver that answers 100 itself: the client sees one 100', async ({ stage }) => {
    const front = await stage.front(async (exchange) => {
      if (exchange.request.values('expect').length > 0) await exchange.write('HTTP/1.1 100 Continue\r\n\r\n');
      await exchange.body();
      await exchange.write(response(200));
    });
    const client = await front.connect();
    await client.send(request(`PUT ${PATH} HTTP/1.1`, HOST, EXPECT, 'Content-Length: 5'));
    await eventually(() => {
      expect(client.peek().toString('latin1')).toContain('HTTP/1.1 100');
    });
    await client.send('hello');
    const seen = await client.readResponse();
    expect(seen.informational.map((one) => one.status)).toEqual([100]);
    expect(seen.status).toBe(200);
  });

  test('a homeserver that refuses at once: the client gets the refusal and need not send the body', async ({
    stage,
  }) => {
    const front = await stage.front(async (exchange) => {
      await exchange.write(response(413, '{"errcode":"M_TOO_LARGE","error":"no"}'));
    });
    const client = await front.connect();
    await client.send(request(`PUT ${PATH} HTTP/1.1`, HOST, EXPECT, 'Content-Length: 50000'));
    const seen = await client.readResponse();
    expect(seen.status).toBe(413);
    // Nobody can say whether the client sends its body now: what comes next must not be taken as a request.
    await client.send(get('/_matrix/client/smuggled'));
    await client.closed();
    expect(front.backend.executed()).toEqual([`PUT ${PATH}`]);
    expect(front.backend.requests[0]?.complete).toBe(false);
  });

  test('a body that is sent without waiting arrives once', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(request(`PUT ${PATH} HTTP/1.1`, HOST, EXPECT, 'Content-Length: 5') + 'hello');
    const seen = await client.readResponse();
    expect(seen.status).toBe(200);
    expect(front.backend.requests[0]?.body.toString()).toBe('hello');
    await client.send(get(PATH));
    expect((await client.readResponse()).status).toBe(200);
    expect(front.backend.executed()).toEqual([`PUT ${PATH}`, `GET ${PATH}`]);
  });

  test('with chunks', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(request(`PUT ${PATH} HTTP/1.1`, HOST, EXPECT, 'Transfer-Encoding: chunked'));
    await eventually(() => {
      expect(client.peek().toString('latin1')).toContain('HTTP/1.1 100');
    });
    await client.send('5\r\nhello\r\n0\r\n\r\n');
    expect((await client.readResponse()).status).toBe(200);
    expect(front.backend.requests[0]?.body.toString()).toBe('hello');
  });

  test('over the body limit: 413 instead of 100', async ({ stage }) => {
    const front = await stage.front(undefined, (config) => {
      config.limits = { classes: { client: { max_body: '1KiB' } } };
    });
    const client = await front.connect();
    await client.send(request(`PUT ${PATH} HTTP/1.1`, HOST, EXPECT, 'Content-Length: 5000'));
    const seen = await client.readResponse();
    expectMatrixError(seen, 413, 'M_TOO_LARGE');
    expect(seen.informational).toEqual([]);
  });

  test('a refusal of our own instead of 100', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(request('PUT /_synapse/admin/x HTTP/1.1', HOST, EXPECT, 'Content-Length: 5'));
    const seen = await client.readResponse();
    expectMatrixError(seen, 403, 'M_FORBIDDEN');
    expect(seen.informational).toEqual([]);
    await client.send('hello');
    await client.send(get('/_matrix/client/smuggled'));
    // The body may or may not have been taken off the line; it is never a request.
    await barrier(front);
    expect(executedBeside(front.backend)).not.toContain('hello GET');
    for (const line of executedBeside(front.backend)) expect(line).toBe('GET /_matrix/client/smuggled');
  });

  test('never followed by a body: 408, and never a whole request upstream', async ({ stage }) => {
    const front = await stage.front(undefined, (config) => {
      config.limits = { classes: { client: { request_idle: '300ms' } } };
    });
    const client = await front.connect();
    await client.send(request(`PUT ${PATH} HTTP/1.1`, HOST, EXPECT, 'Content-Length: 5'));
    const seen = await client.readResponse();
    expectMatrixError(seen, 408, 'M_UNKNOWN');
    await client.closed();
    for (const one of front.backend.requests) expect(one.complete).toBe(false);
    await eventually(() => {
      for (const one of front.backend.connections) expect(one.ending).not.toBeNull();
    });
  });

  test('in HTTP/1.0 it means nothing: no 100', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(request(`PUT ${PATH} HTTP/1.0`, HOST, EXPECT, 'Content-Length: 5') + 'hello');
    const seen = await client.readResponse();
    expect(seen.status).toBe(200);
    expect(seen.informational).toEqual([]);
  });

  test('without a body it means nothing', async ({ stage }) => {
    const front = await stage.front(answer(response(200)));
    const client = await front.connect();
    await client.send(get(PATH, 'example.test', EXPECT));
    const seen = await client.readResponse();
    expect(seen.status).toBe(200);
    expect(front.backend.requests[0]?.values('expect')).toEqual([]);
  });
});

describe('any other expectation: 417, nothing upstream', () => {
  test.for(['x', '100-continue, x', 'y 100-continue', '100-continue;q=1', '200-ok', ''])(
    'Expect: %s',
    async (value, { stage }) => {
      const front = await stage.front();
      const client = await front.connect();
      await client.send(request(`PUT ${PATH} HTTP/1.1`, HOST, `Expect: ${value}`, 'Content-Length: 5') + 'hello');
      const seen = await client.readResponse();
      expectMatrixError(seen, 417, 'M_UNKNOWN');
      await client.closed();
      await barrier(front);
      expect(executedBeside(front.backend)).toEqual([]);
    },
  );
});
