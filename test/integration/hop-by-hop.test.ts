/** Fields that end at this hop (RFC 9110 §7.6.1), both ways, and those that no `Connection` may strip. */
import { describe, expect } from 'vitest';
import { answer, response } from '../helpers/recording-backend.ts';
import { get, request, test } from '../helpers/stage.ts';

const PATH = '/_matrix/client/v3/probe';

describe('towards the homeserver', () => {
  test('hop-by-hop fields end here', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(
      get(
        PATH,
        'example.test',
        'Keep-Alive: timeout=5',
        'Proxy-Connection: keep-alive',
        'Proxy-Authorization: Basic eA==',
        'TE: trailers, gzip',
        'Trailer: X-A',
        'Upgrade: h2c',
        'HTTP2-Settings: AAMAAABkAAQAAP__',
        'Connection: keep-alive, Upgrade, HTTP2-Settings',
        'X-Kept: 1',
      ),
    );
    expect((await client.readResponse()).status).toBe(200);
    const [seen] = front.backend.requests;
    for (const name of [
      'keep-alive',
      'proxy-connection',
      'te',
      'trailer',
      'upgrade',
      'http2-settings',
      'transfer-encoding',
    ]) {
      expect(seen?.values(name), name).toEqual([]);
    }
    expect(seen?.values('x-kept')).toEqual(['1']);
    expect(seen?.values('connection').join().toLowerCase()).not.toMatch(/upgrade|http2-settings|close/);
  });

  test('fields that Connection names end here, in every spelling and in several fields', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(
      get(
        PATH,
        'example.test',
        'Connection: X-One ,, x-two',
        'connection:\tX-THREE',
        'X-One: 1',
        'X-TWO: 2',
        'x-three: 3',
        'x-three: 3',
        'X-Four: 4',
      ),
    );
    expect((await client.readResponse()).status).toBe(200);
    const names = front.backend.requests[0]?.fields.map(([name]) => name.toLowerCase());
    expect(names).not.toContain('x-one');
    expect(names).not.toContain('x-two');
    expect(names).not.toContain('x-three');
    expect(names).toContain('x-four');
  });

  test('Connection cannot strip what makes the request mean what it means', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    const body = '{"a":1}';
    await client.send(
      request(
        'PUT /_matrix/federation/v1/send/1 HTTP/1.1',
        'Host: example.test',
        'Connection: authorization, host, content-length, content-type, x-forwarded-for, x-forwarded-proto, x-forwarded-host, x-real-ip, x-request-id, cookie, origin',
        'Authorization: X-Matrix origin="a.test"',
        'Content-Type: application/json',
        `Content-Length: ${String(body.length)}`,
      ) + body,
    );
    expect((await client.readResponse()).status).toBe(200);
    const [seen] = front.backend.requests;
    expect(seen?.values('host')).toEqual(['example.test']);
    expect(seen?.values('authorization')).toEqual(['X-Matrix origin="a.test"']);
    expect(seen?.values('content-length')).toEqual([String(body.length)]);
    expect(seen?.values('x-forwarded-for')).toEqual(['127.0.0.1']);
    expect(seen?.values('x-forwarded-proto')).toEqual(['https']);
    expect(seen?.values('x-forwarded-host')).toEqual(['example.test']);
    expect(seen?.values('x-real-ip')).toEqual(['127.0.0.1']);
    expect(seen?.values('x-request-id')).toHaveLength(1);
    expect(seen?.body.toString()).toBe(body);
  });

  test('`Connection: transfer-encoding` does not unframe a chunked body', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(
      request(
        'PUT /_matrix/client/v3/probe HTTP/1.1',
        'Host: example.test',
        'Connection: transfer-encoding',
        'Transfer-Encoding: chunked',
      ) + '2\r\n{}\r\n0\r\n\r\n',
    );
    const answered = await client.readResponse();
    expect([200, 400]).toContain(answered.status);
    if (answered.status === 200) expect(front.backend.requests[0]?.body.toString()).toBe('{}');
    expect(front.backend.executed().length).toBe(answered.status === 200 ? 1 : 0);
  });

  test('`Connection: close` of the client closes this hop only', async ({ stage }) => {
    const front = await stage.front();
    const first = await front.connect();
    await first.send(get(PATH, 'example.test', 'Connection: close'));
    const answered = await first.readResponse();
    expect(answered.status).toBe(200);
    await first.closed();
    const second = await front.connect();
    await second.send(get(PATH));
    expect((await second.readResponse()).status).toBe(200);
    expect(front.backend.connections).toHaveLength(1);
  });
});

describe('towards the client', () => {
  test('hop-by-hop and Connection-named fields of the homeserver end here; the rest passes untouched', async ({
    stage,
  }) => {
    const front = await stage.front(
      answer(
        response(200, '{}', [
          'Content-Type: application/json',
          'Connection: X-Internal',
          'X-Internal: 1',
          'Keep-Alive: timeout=5',
          'Proxy-Authenticate: Basic',
          'Trailer: X-T',
          'Set-Cookie: a=1',
          'set-cookie: b=2',
          'Server: Synapse/1',
          'Access-Control-Allow-Origin: https://only.test',
          'X-Empty:',
          'Cache-Control: private',
        ]),
      ),
    );
    const client = await front.connect();
    await client.send(get(PATH));
    const seen = await client.readResponse();
    for (const name of ['x-internal', 'keep-alive', 'trailer']) expect(seen.values(name), name).toEqual([]);
    expect(seen.values('set-cookie')).toEqual(['a=1', 'b=2']);
    expect(seen.values('server')).toEqual(['Synapse/1']);
    expect(seen.values('access-control-allow-origin')).toEqual(['https://only.test']);
    expect(seen.values('x-empty')).toEqual(['']);
    expect(seen.values('cache-control')).toEqual(['private']);
  });

  test('`Connection: close` of the homeserver does not close the client', async ({ stage }) => {
    const front = await stage.front(async (exchange) => {
      await exchange.body();
      await exchange.write(response(200, '{}', ['Connection: close']));
      exchange.end();
    });
    const client = await front.connect();
    for (let round = 0; round < 3; round += 1) {
      await client.send(get(PATH));
      const seen = await client.readResponse();
      expect(seen.status).toBe(200);
      expect(seen.field('connection') ?? 'keep-alive').toBe('keep-alive');
    }
    expect(front.backend.connections).toHaveLength(3);
  });

  test('trailers of the homeserver are dropped', async ({ stage }) => {
    const front = await stage.front(
      answer(
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;ext=1\r\n{}\r\n0\r\nX-Trailer: 1\r\nSet-Cookie: t=1\r\n\r\n',
      ),
    );
    const client = await front.connect();
    await client.send(get(PATH));
    const seen = await client.readResponse();
    expect(seen.body.toString()).toBe('{}');
    expect(seen.trailers).toEqual([]);
    expect(seen.truncated).toBe(false);
  });

  test('a reason phrase and high bytes in values pass', async ({ stage }) => {
    const front = await stage.front(answer('HTTP/1.1 418 I am a Teapot\r\nX-Latin: \xe4\r\nContent-Length: 0\r\n\r\n'));
    const client = await front.connect();
    await client.send(get(PATH));
    const seen = await client.readResponse();
    expect(seen.status).toBe(418);
    expect(seen.reason).toBe('I am a Teapot');
    expect(seen.values('x-latin')).toEqual(['\xe4']);
  });
});
