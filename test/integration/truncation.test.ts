/**
 * A message that stops early must never look whole to the other side: a client that leaves mid-body is no complete request
 * upstream, and an upstream that dies mid-body is no complete response downstream.
 */
import { connect as connectTls } from 'node:tls';
import { Duplex } from 'node:stream';
import { connect as connectTcp } from 'node:net';
import { describe, expect } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import type { RawClient } from '../helpers/raw-client.ts';
import { response } from '../helpers/recording-backend.ts';
import type { Script } from '../helpers/recording-backend.ts';
import { get, request, test } from '../helpers/stage.ts';

const PATH = '/_matrix/client/v3/probe';
const HOST = 'Host: example.test';

const DEPARTURES: readonly (readonly [string, (client: RawClient) => void])[] = [
  ['ends its half with close_notify', (client) => { client.end(); }],
  ['ends its half without close_notify', (client) => { client.endWithoutCloseNotify(); }],
  ['resets the connection', (client) => { client.reset(); }],
  ['closes the connection', (client) => { client.destroy(); }],
]; // prettier-ignore

describe('a client that leaves mid-body', () => {
  const bodies: readonly (readonly [string, string])[] = [
    ['Content-Length: 10', '{"a":'],
    ['Content-Length: 1000000', 'x'.repeat(200_000)],
    ['Transfer-Encoding: chunked', '5\r\n{"a":\r\n'],
    ['Transfer-Encoding: chunked', 'a\r\n{"a":'],
    ['Transfer-Encoding: chunked', '5\r\n{"a":\r\n0\r\n'],
  ];
  for (const [what, leave] of DEPARTURES) {
    test.for(bodies)(`${what}, after a part of a body framed by %s`, async ([framing, part], { stage }) => {
      const front = await stage.front();
      const client = await front.connect();
      await client.send(request(`PUT ${PATH} HTTP/1.1`, HOST, framing));
      await eventually(() => {
        expect(front.backend.requests).toHaveLength(1);
      });
      await client.send(part);
      leave(client);
      const [seen] = front.backend.requests;
      await eventually(() => {
        expect(front.backend.connections[seen?.connection ?? 0]?.ending).not.toBeNull();
      });
      expect(seen?.complete).toBe(false);
      expect(front.backend.executed()).toEqual([`PUT ${PATH}`]);
    });
  }

  test('its upstream connection is not used for anybody else', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(request(`PUT ${PATH} HTTP/1.1`, HOST, 'Content-Length: 100') + 'part');
    await eventually(() => {
      expect(front.backend.text()).toContain('part');
    });
    client.destroy();
    const other = await front.connect();
    await other.send(get('/_matrix/client/v3/other'));
    expect((await other.readResponse()).status).toBe(200);
    expect(front.backend.requests.map((one) => one.connection)).toEqual([0, 1]);
    expect(front.backend.requests[0]?.complete).toBe(false);
  });

  test('before the head is whole: nothing goes upstream', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(`PUT ${PATH} HTTP/1.1\r\n${HOST}\r\nContent-Le`);
    client.end();
    await client.closed();
    expect(front.backend.text()).toBe('');
  });
});

describe('a client that leaves before the answer', () => {
  for (const [what, leave] of DEPARTURES) {
    test(`${what} while the upstream thinks: the upstream request is aborted`, async ({ stage }) => {
      const front = await stage.front(async (exchange) => {
        await exchange.body();
        await new Promise<void>((resolve) => exchange.socket.on('close', () => { resolve(); })); // prettier-ignore
      });
      const client = await front.connect();
      await client.send(get('/_matrix/client/v3/sync?timeout=30000'));
      await eventually(() => {
        expect(front.backend.requests).toHaveLength(1);
      });
      leave(client);
      await eventually(() => {
        expect(front.backend.connections[0]?.ending).not.toBeNull();
      });
    });

    test(`${what} while the answer streams: the upstream request is aborted`, async ({ stage }) => {
      const front = await stage.front(async (exchange) => {
        await exchange.body();
        await exchange.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
        const timer = setInterval(() => exchange.socket.write('4\r\ndata\r\n'), 5);
        await new Promise<void>((resolve) => exchange.socket.on('close', () => { resolve(); })); // prettier-ignore
        clearInterval(timer);
      });
      const client = await front.connect();
      await client.send(get('/_matrix/media/v3/download/example.test/x'));
      await client.readAtLeast(100);
      leave(client);
      await eventually(() => {
        expect(front.backend.connections[0]?.ending).not.toBeNull();
      });
      await eventually(() => {
        expect(JSON.stringify(front.portico.accessLog)).toContain('client_gone');
      });
    });
  }
});

describe('an upstream that dies mid-body', () => {
  const partial = (head: string, body: string, how: 'end' | 'reset'): Script => {
    return async (exchange) => {
      await exchange.body();
      await exchange.write(`${head}\r\n\r\n${body}`);
      // The bytes must be on their way before the connection goes.
      await new Promise((resolve) => setTimeout(resolve, 50));
      if (how === 'end') exchange.end();
      else exchange.reset();
    };
  };
  const cases: readonly (readonly [string, string, string])[] = [
    ['a short Content-Length', 'HTTP/1.1 200 OK\r\nContent-Length: 100', '{"a":'],
    ['a short, long Content-Length', 'HTTP/1.1 200 OK\r\nContent-Length: 1000000', 'x'.repeat(300_000)],
    ['chunks without a last one', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked', '5\r\n{"a":\r\n'],
    ['a chunk in the middle', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked', '50\r\n{"a":'],
    ['a chunk size line in the middle', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked', '5\r\n{"a":\r\n5'],
    ['a last chunk without its empty line', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked', '5\r\n{"a":\r\n0\r\n'],
  ];
  for (const how of ['end', 'reset'] as const) {
    test.for(cases)(`%s, then ${how}: the client sees a truncated body`, async ([, head, body], { stage }) => {
      const front = await stage.front(partial(head, body, how));
      const client = await front.connect();
      await client.send(get(PATH));
      const seen = await client.readResponse();
      expect(seen.status).toBe(200);
      expect(['length', 'chunked']).toContain(seen.framing);
      expect(seen.truncated).toBe(true);
      await eventually(() => {
        expect(JSON.stringify(front.portico.accessLog)).toContain('upstream_gone');
      });
    });
  }

  test('a close-delimited response that is reset is truncated for the client', async ({ stage }) => {
    const front = await stage.front(partial('HTTP/1.1 200 OK\r\nConnection: close', 'x'.repeat(1000), 'reset'));
    const client = await front.connect();
    await client.send(get(PATH));
    const seen = await client.readResponse();
    expect(seen.framing).toBe('chunked');
    expect(seen.truncated).toBe(true);
  });

  test('a close-delimited response that ends in order is whole for the client', async ({ stage }) => {
    const front = await stage.front(partial('HTTP/1.1 200 OK\r\nConnection: close', 'x'.repeat(100_000), 'end'));
    const client = await front.connect();
    await client.send(get(PATH));
    const seen = await client.readResponse();
    expect(seen.framing).toBe('chunked');
    expect(seen.truncated).toBe(false);
    expect(seen.body).toHaveLength(100_000);
    await client.send(get(PATH));
    expect((await client.readResponse()).status).toBe(200);
  });

  test('an HTTP/1.0 client can tell, too: TLS ends without close_notify', async ({ stage }) => {
    const front = await stage.front(
      partial('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked', '5\r\n{"a":\r\n', 'reset'),
    );
    const records = await tlsRecordsOf(
      front.portico.https.port,
      front.portico.ca,
      request(`GET ${PATH} HTTP/1.0`, HOST),
    );
    expect(records.text).toContain('{"a":');
    expect(records.closeNotify).toBe(false);
  });

  test('the control: a whole response to an HTTP/1.0 client ends with close_notify', async ({ stage }) => {
    const front = await stage.front(async (exchange) => {
      await exchange.body();
      await exchange.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n0\r\n\r\n');
    });
    const records = await tlsRecordsOf(
      front.portico.https.port,
      front.portico.ca,
      request(`GET ${PATH} HTTP/1.0`, HOST),
    );
    expect(records.text).toContain('{"a":');
    expect(records.closeNotify).toBe(true);
  });
});

describe('a response whose length lies', () => {
  test('more bytes than Content-Length: the rest reaches nobody', async ({ stage }) => {
    const poison = 'HTTP/1.1 200 OK\r\nX-Poison: 1\r\nContent-Length: 6\r\n\r\npoison';
    const front = await stage.front(async (exchange) => {
      await exchange.body();
      await exchange.write(exchange.index === 0 ? `${response(200, '{"n":1}')}${poison}` : response(200, '{"n":2}'));
    });
    const client = await front.connect();
    await client.send(get(PATH));
    expect((await client.readResponse()).json()).toEqual({ n: 1 });
    await client.send(get(PATH));
    const second = await client.readResponse();
    expect(second.json()).toEqual({ n: 2 });
    expect(second.values('x-poison')).toEqual([]);
  });

  test('bytes that arrive on an idle upstream connection reach nobody', async ({ stage }) => {
    const front = await stage.front(async (exchange) => {
      await exchange.body();
      await exchange.write(response(200, `{"n":${String(exchange.index)}}`));
      if (exchange.index === 0) {
        setTimeout(() => exchange.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison'), 20);
      }
    });
    const client = await front.connect();
    await client.send(get(PATH));
    expect((await client.readResponse()).json()).toEqual({ n: 0 });
    await eventually(() => {
      expect(front.backend.connections[0]?.ending).not.toBeNull();
    });
    await client.send(get(PATH));
    expect((await client.readResponse()).json()).toEqual({ n: 1 });
  });
});

/** Speaks TLS 1.2 over a recorded TCP stream, so that the alert record of close_notify can be seen in the clear. */
async function tlsRecordsOf(port: number, ca: string, bytes: string): Promise<{ text: string; closeNotify: boolean }> {
  const tcp = connectTcp({ port, host: '127.0.0.1' });
  const seen: Buffer[] = [];
  const recorded = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      tcp.write(chunk, () => {
        done();
      });
    },
  });
  tcp.on('data', (chunk: Buffer) => {
    seen.push(chunk);
    recorded.push(chunk);
  });
  const finished = new Promise<void>((resolve) => {
    tcp.on('error', () => undefined);
    tcp.on('close', () => {
      resolve();
    });
  });
  tcp.on('end', () => recorded.push(null));
  const socket = connectTls({ socket: recorded, ca, servername: 'example.test', maxVersion: 'TLSv1.2' });
  const text: Buffer[] = [];
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => text.push(chunk));
  socket.on('secureConnect', () => socket.write(bytes));
  await finished;
  socket.destroy();
  const all = Buffer.concat(seen);
  let closeNotify = false;
  for (let at = 0; at + 5 <= all.length; at += 5 + all.readUInt16BE(at + 3)) if (all[at] === 21) closeNotify = true;
  return { text: Buffer.concat(text).toString('latin1'), closeNotify };
}
