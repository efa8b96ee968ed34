/**
 * WebSocket (RFC 6455): a tunnel exists when, and only when, a well-formed upgrade was answered with 101. Until then, and
 * after any other answer, nothing a client sends behind its request is taken for tunnel bytes.
 */
import { describe, expect } from 'vitest';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { eventually, within } from '../helpers/eventually.ts';
import { answer, response } from '../helpers/recording-backend.ts';
import type { Script } from '../helpers/recording-backend.ts';
import { barrier, executedBeside, get, request, test } from '../helpers/stage.ts';

const PATH = '/_matrix/client/unstable/socket';
const HOST = 'Host: example.test';
const KEY = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
const UPGRADE = ['Connection: Upgrade', 'Upgrade: websocket', KEY, 'Sec-WebSocket-Version: 13'];
const SWITCH = [
  'HTTP/1.1 101 Switching Protocols',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
].join('\r\n');

/** Answers upgrades with 101 and echoes what comes; anything else gets 200. */
const echo: Script = async (exchange) => {
  if (exchange.request.values('upgrade').length === 0) {
    await answer(response(200))(exchange);
    return;
  }
  const reader = exchange.takeOver();
  await exchange.write(`${SWITCH}\r\n\r\n`);
  for (;;) {
    const bytes = await reader.some();
    if (bytes === null) break;
    await exchange.write(bytes);
  }
  exchange.end();
};

describe('a tunnel', () => {
  test('carries bytes both ways after 101', async ({ stage }) => {
    const front = await stage.front(echo);
    const client = await front.connect();
    await client.send(
      get(PATH, 'example.test', ...UPGRADE, 'Sec-WebSocket-Protocol: matrix', 'Origin: https://app.test'),
    );
    const seen = await client.readResponse();
    expect(seen.status).toBe(101);
    expect(seen.field('upgrade')?.toLowerCase()).toBe('websocket');
    expect(seen.field('connection')?.toLowerCase()).toBe('upgrade');
    expect(seen.field('sec-websocket-accept')).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
    await client.send('ping');
    expect((await client.readAtLeast(4)).toString()).toBe('ping');
    const [upgrade] = front.backend.requests;
    expect(upgrade?.values('connection').map((value) => value.toLowerCase())).toEqual(['upgrade']);
    expect(upgrade?.values('upgrade')).toEqual(['websocket']);
    expect(upgrade?.values('sec-websocket-key')).toEqual(['dGhlIHNhbXBsZSBub25jZQ==']);
    expect(upgrade?.values('sec-websocket-version')).toEqual(['13']);
    expect(upgrade?.values('sec-websocket-protocol')).toEqual(['matrix']);
    expect(upgrade?.values('origin')).toEqual(['https://app.test']);
    expect(upgrade?.values('x-forwarded-for')).toEqual(['127.0.0.1']);
  });

  test('bytes behind the upgrade reach the homeserver only after its 101, and then first', async ({ stage }) => {
    let before = '';
    let release: () => void = () => undefined;
    const front = await stage.front(async (exchange) => {
      const reader = exchange.takeOver();
      await new Promise<void>((resolve) => (release = resolve));
      before = front.backend.connections[0]?.bytes().toString('latin1').split('\r\n\r\n')[1] ?? 'none';
      await exchange.write(`${SWITCH}\r\n\r\n`);
      for (let bytes = await reader.some(); bytes !== null; bytes = await reader.some()) await exchange.write(bytes);
    });
    const client = await front.connect();
    await client.send(`${get(PATH, 'example.test', ...UPGRADE)}early`);
    await eventually(() => {
      expect(front.backend.requests).toHaveLength(1);
    });
    // Long enough for a careless proxy to pass the early bytes on.
    await new Promise((resolve) => setTimeout(resolve, 100));
    release();
    expect((await client.readResponse()).status).toBe(101);
    await client.send(' late');
    expect((await client.readAtLeast(10)).toString()).toBe('early late');
    expect(before).toBe('');
  });

  test('bytes of the homeserver right behind its 101 arrive', async ({ stage }) => {
    const front = await stage.front(async (exchange) => {
      exchange.takeOver();
      await exchange.write(`${SWITCH}\r\n\r\nhello at once`);
    });
    const client = await front.connect();
    await client.send(get(PATH, 'example.test', ...UPGRADE));
    expect((await client.readResponse()).status).toBe(101);
    expect((await client.readAtLeast(13)).toString()).toBe('hello at once');
  });

  test('ends on both sides when the client goes', async ({ stage }) => {
    const front = await stage.front(echo);
    const client = await front.connect();
    await client.send(get(PATH, 'example.test', ...UPGRADE));
    expect((await client.readResponse()).status).toBe(101);
    client.destroy();
    await eventually(() => {
      expect(front.backend.connections[0]?.ending).not.toBeNull();
    });
    await eventually(() => {
      expect(JSON.stringify(front.portico.accessLog)).toContain('tunnel');
    });
  });

  test('ends on both sides when the homeserver goes; what it said last arrives', async ({ stage }) => {
    const front = await stage.front(async (exchange) => {
      exchange.takeOver();
      await exchange.write(`${SWITCH}\r\n\r\n${'x'.repeat(500_000)}bye`);
      exchange.end();
    });
    const client = await front.connect();
    await client.send(get(PATH, 'example.test', ...UPGRADE));
    expect((await client.readResponse()).status).toBe(101);
    const rest = await client.readUntilClose();
    expect(rest).toHaveLength(500_003);
    expect(rest.subarray(-3).toString()).toBe('bye');
  });

  test('outlives the time-outs of requests', async ({ stage }) => {
    const front = await stage.front(echo, (config) => {
      const short = { response_head: '200ms', response_idle: '200ms', request_idle: '200ms' };
      config.limits = { keep_alive: '200ms', request_head: '200ms', classes: { client: short, site: short } };
    });
    const client = await front.connect();
    await client.send(get(PATH, 'example.test', ...UPGRADE));
    expect((await client.readResponse()).status).toBe(101);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await client.send('still here');
    expect((await client.readAtLeast(10)).toString()).toBe('still here');
  });

  test('works with a real client and server, large messages included', async ({ stage }) => {
    const http = createServer();
    const server = new WebSocketServer({ server: http });
    server.on('connection', (socket) => {
      socket.on('message', (data, binary) => {
        socket.send(data as Buffer, { binary });
      });
    });
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', () => { resolve(); })); // prettier-ignore
    stage.onClose(() => {
      for (const socket of server.clients) socket.terminate();
      http.close();
    });
    const portico = await stage.portico({
      homeserver: `http://127.0.0.1:${String((http.address() as AddressInfo).port)}`,
    });
    const socket = new WebSocket(`wss://127.0.0.1:${String(portico.https.port)}${PATH}`, {
      ca: portico.ca,
      headers: { Host: 'example.test' },
      // The types of ws leave out what it passes on to tls.connect.
      ...{ servername: 'example.test' },
    });
    const messages: Buffer[] = [];
    socket.on('message', (data) => messages.push(data as Buffer));
    await within(
      new Promise<void>((resolve, reject) => {
        socket.once('open', () => {
          resolve();
        });
        socket.once('error', reject);
      }),
      10_000,
      'the WebSocket handshake',
    );
    const large = Buffer.alloc(2_000_000, 'w');
    socket.send('hello');
    socket.send(large);
    await eventually(() => {
      expect(messages).toHaveLength(2);
    });
    expect(messages[0]?.toString()).toBe('hello');
    expect(messages[1]?.equals(large)).toBe(true);
    const closed = new Promise<number>((resolve) => socket.once('close', resolve));
    socket.close(1000);
    expect(await within(closed, 10_000, 'the close')).toBe(1000);
  });
});

describe('no tunnel', () => {
  test('the homeserver answers 200: a normal response, and what was pipelined is not tunnelled', async ({ stage }) => {
    const front = await stage.front(answer(response(200, '{"no":"tunnel"}')));
    const client = await front.connect();
    await client.send(get(PATH, 'example.test', ...UPGRADE) + get('/_synapse/admin/v1/users'));
    const seen = await client.readResponse();
    expect(seen.status).toBe(200);
    expect(seen.json()).toEqual({ no: 'tunnel' });
    expect(seen.values('upgrade')).toEqual([]);
    // Either the connection ends here, or the bytes are taken as the request they are: refused, and never sent upstream.
    if (client.ending === null) {
      const next = await client.readResponse().catch(() => null);
      if (next !== null) expect(next.status).toBe(403);
    }
    await barrier(front);
    expect(executedBeside(front.backend)).toEqual([`GET ${PATH}`]);
  });

  test.for([400, 401, 403, 404, 426, 502])('the homeserver answers %i: it passes', async (status, { stage }) => {
    const front = await stage.front(answer(response(status, '{"errcode":"M_X"}')));
    const client = await front.connect();
    await client.send(get(PATH, 'example.test', ...UPGRADE));
    const seen = await client.readResponse();
    expect(seen.status).toBe(status);
    expect(seen.json()).toEqual({ errcode: 'M_X' });
  });

  test.for<readonly [name: string, lines: readonly string[]]>([
    ['h2c', ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__']],
    ['another protocol', ['Connection: Upgrade', 'Upgrade: TLS/1.0']],
    [
      'a list with websocket in it',
      ['Connection: Upgrade', 'Upgrade: h2c, websocket', KEY, 'Sec-WebSocket-Version: 13'],
    ],
    ['no key', ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13']],
    [
      'a key that is too short',
      ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: c2hvcnQ=', 'Sec-WebSocket-Version: 13'],
    ],
    ['two keys', [...UPGRADE, KEY]],
    ['version 8', ['Connection: Upgrade', 'Upgrade: websocket', KEY, 'Sec-WebSocket-Version: 8']],
    ['no version', ['Connection: Upgrade', 'Upgrade: websocket', KEY]],
    ['no Connection: Upgrade', ['Upgrade: websocket', KEY, 'Sec-WebSocket-Version: 13']],
  ])('%s: the upgrade is dropped; even a homeserver that says 101 opens nothing', async ([, lines], { stage }) => {
    const front = await stage.front(async (exchange) => {
      if (exchange.request.target.includes('barrier')) await answer(response(200))(exchange);
      else await exchange.write(`${SWITCH}\r\n\r\n`);
    });
    const client = await front.connect();
    await client.send(get(PATH, 'example.test', ...lines) + get('/_synapse/admin/v1/users'));
    const seen = await client.readResponse();
    expect([400, 502]).toContain(seen.status);
    await barrier(front);
    expect(executedBeside(front.backend)).toEqual(seen.status === 400 ? [] : [`GET ${PATH}`]);
    const upgrade = front.backend.requests.find((one) => one.target === PATH);
    expect(upgrade?.values('upgrade') ?? []).toEqual([]);
    expect(upgrade?.values('connection').join().toLowerCase() ?? '').not.toContain('upgrade');
    expect(upgrade?.values('http2-settings') ?? []).toEqual([]);
  });

  test('POST with Upgrade and a body: the body is a body', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    const body = get('/_matrix/client/smuggled');
    await client.send(
      request(`POST ${PATH} HTTP/1.1`, HOST, ...UPGRADE, `Content-Length: ${String(body.length)}`) + body,
    );
    const seen = await client.readResponse();
    expect([200, 400]).toContain(seen.status);
    await barrier(front);
    const executed = executedBeside(front.backend);
    expect(executed).toEqual(seen.status === 200 ? [`POST ${PATH}`] : []);
    expect(front.backend.requests.find((one) => one.target === PATH)?.values('upgrade') ?? []).toEqual([]);
  });

  test('an upgrade in HTTP/1.0 is none', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(request(`GET ${PATH} HTTP/1.0`, HOST, ...UPGRADE));
    expect((await client.readResponse()).status).toBe(200);
    expect(front.backend.requests[0]?.values('upgrade')).toEqual([]);
  });

  test('to a path that is not exposed: refused, nothing upstream', async ({ stage }) => {
    const front = await stage.front(echo);
    const client = await front.connect();
    await client.send(get('/_synapse/replication/socket', 'example.test', ...UPGRADE));
    expect((await client.readResponse()).status).toBe(403);
    await barrier(front);
    expect(executedBeside(front.backend)).toEqual([]);
  });

  test('an honest GET with `Upgrade: h2c` (curl --http2) is answered as HTTP/1.1', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(
      get(
        PATH,
        'example.test',
        'Connection: Upgrade, HTTP2-Settings',
        'Upgrade: h2c',
        'HTTP2-Settings: AAMAAABkAAQAAP__',
      ),
    );
    expect((await client.readResponse()).status).toBe(200);
    await client.send(get(PATH));
    expect((await client.readResponse()).status).toBe(200);
  });
});
