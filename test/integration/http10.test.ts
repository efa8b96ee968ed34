/** HTTP/1.0 clients: answered in a form they understand, one request a connection. */
import { describe, expect } from 'vitest';
import { answer, response } from '../helpers/recording-backend.ts';
import { barrier, executedBeside, get, request, test } from '../helpers/stage.ts';

const PATH = '/_matrix/client/v3/probe';
const HOST = 'Host: example.test';

describe('an HTTP/1.0 client', () => {
  test('gets Content-Length as it is, and a close', async ({ stage }) => {
    const front = await stage.front(answer(response(200, '{"a":1}')));
    const client = await front.connect();
    await client.send(request(`GET ${PATH} HTTP/1.0`, HOST));
    const seen = await client.readResponse();
    expect(seen.json()).toEqual({ a: 1 });
    expect(seen.framing).toBe('length');
    await client.closed();
  });

  test('gets a chunked answer delimited by the close', async ({ stage }) => {
    const front = await stage.front(
      answer('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"a"\r\n3\r\n:1}\r\n0\r\n\r\n'),
    );
    const client = await front.connect();
    await client.send(request(`GET ${PATH} HTTP/1.0`, HOST));
    const seen = await client.readResponse();
    expect(seen.json()).toEqual({ a: 1 });
    expect(['close', 'length']).toContain(seen.framing);
    expect(seen.values('transfer-encoding')).toEqual([]);
  });

  test('is not kept alive, even if it asks', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(
      request(`GET ${PATH} HTTP/1.0`, HOST, 'Connection: keep-alive') + get('/_matrix/client/smuggled'),
    );
    const seen = await client.readResponse();
    expect(seen.status).toBe(200);
    expect(seen.field('connection')?.toLowerCase() ?? 'close').toBe('close');
    expect((await client.readUntilClose()).toString()).toBe('');
    await barrier(front);
    expect(executedBeside(front.backend)).toEqual([`GET ${PATH}`]);
  });

  test('may send a body with Content-Length; upstream it is HTTP/1.1', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(request(`PUT ${PATH} HTTP/1.0`, HOST, 'Content-Length: 5') + 'hello');
    expect((await client.readResponse()).status).toBe(200);
    expect(front.backend.requests[0]?.version).toBe('HTTP/1.1');
    expect(front.backend.requests[0]?.body.toString()).toBe('hello');
  });

  test('HEAD has no body', async ({ stage }) => {
    const front = await stage.front(answer('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n'));
    const client = await front.connect();
    await client.send(request(`HEAD ${PATH} HTTP/1.0`, HOST));
    const seen = await client.readResponse({ method: 'HEAD' });
    expect(seen.status).toBe(200);
    expect((await client.readUntilClose()).toString()).toBe('');
  });

  test('without Host: refused', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(request(`GET ${PATH} HTTP/1.0`));
    expect((await client.readResponse()).status).toBe(400);
    await barrier(front);
    expect(executedBeside(front.backend)).toEqual([]);
  });

  test('errors of our own have a length and end with a close', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(request('GET /_synapse/admin/x HTTP/1.0', HOST));
    const seen = await client.readResponse();
    expect(seen.status).toBe(403);
    expect(seen.framing).toBe('length');
    await client.closed();
  });
});
