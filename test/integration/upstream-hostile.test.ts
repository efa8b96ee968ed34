/**
 * A homeserver that breaks the rules: whatever two clients could read differently is never passed on, it becomes a 502, and
 * no bytes of one answer reach another request (response smuggling).
 */
import { describe, expect } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import { answer, response } from '../helpers/recording-backend.ts';
import type { Script } from '../helpers/recording-backend.ts';
import type { ConfigInput } from '../helpers/portico.ts';
import { expectMatrixError, get, request, test } from '../helpers/stage.ts';

const PATH = '/_matrix/client/v3/probe';
const POISON = 'HTTP/1.1 200 OK\r\nX-Poison: 1\r\nContent-Length: 6\r\n\r\npoison';

/** The first request gets `first`, every other an honest answer. */
const once = (first: Script): Script => {
  return (exchange) => (exchange.index === 0 ? first(exchange) : answer(response(200, '{"honest":true}'))(exchange));
};

describe('an answer that is no unambiguous response: 502, and the next request is safe', () => {
  const chunked = '2\r\n{}\r\n0\r\n\r\n';
  test.for<readonly [name: string, bytes: string]>([
    [
      'Content-Length and Transfer-Encoding',
      `HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n${chunked}`,
    ],
    [
      'Transfer-Encoding with a trailing tab inside',
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\t,\r\n\r\n${chunked}${POISON}`,
    ],
    ['Transfer-Encoding: x, chunked', `HTTP/1.1 200 OK\r\nTransfer-Encoding: x, chunked\r\n\r\n${chunked}`],
    ['Transfer-Encoding: identity', `HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n{}`],
    [
      'Transfer-Encoding twice',
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n${chunked}`,
    ],
    ['Transfer-Encoding in HTTP/1.0', `HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunked}`],
    ['two different Content-Length', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}'],
    ['two equal Content-Length', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}'],
    ['a Content-Length list', 'HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\n{}'],
    ['Content-Length +2', 'HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}'],
    ['Content-Length -1', 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}'],
    ['Content-Length 0x2', 'HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\n{}'],
    ['an empty Content-Length', 'HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n{}'],
    ['no status', 'HTTP/1.1 OK\r\nContent-Length: 2\r\n\r\n{}'],
    ['a status of two digits', 'HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\n{}'],
    ['a status of four digits', 'HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\n{}'],
    ['a status beyond 599', 'HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\n{}'],
    ['another protocol', 'ICY 200 OK\r\nContent-Length: 2\r\n\r\n{}'],
    ['HTTP/2.0', 'HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\n{}'],
    ['HTTP/0.9', '<html>hello</html>'],
    ['bare LF line ends', 'HTTP/1.1 200 OK\nContent-Length: 2\n\n{}'],
    ['a bare LF within a value', 'HTTP/1.1 200 OK\r\nX-A: b\nSet-Cookie: c=d\r\nContent-Length: 2\r\n\r\n{}'],
    ['a bare CR within a value', 'HTTP/1.1 200 OK\r\nX-A: b\rc\r\nContent-Length: 2\r\n\r\n{}'],
    ['NUL in a value', 'HTTP/1.1 200 OK\r\nX-A: b\0c\r\nContent-Length: 2\r\n\r\n{}'],
    ['a folded field', 'HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 2\r\n\r\n{}'],
    ['a space before the colon', 'HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n{}'],
    ['a line without a colon', 'HTTP/1.1 200 OK\r\nnonsense\r\nContent-Length: 2\r\n\r\n{}'],
    ['bytes before the status line', '\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}'],
    [
      'a head of more than 64 KiB',
      `HTTP/1.1 200 OK\r\n${`X-A: ${'a'.repeat(1000)}\r\n`.repeat(80)}Content-Length: 2\r\n\r\n{}`,
    ],
    ['one endless field', `HTTP/1.1 200 OK\r\nX-A: ${'a'.repeat(100_000)}\r\nContent-Length: 2\r\n\r\n{}`],
    [
      '101 that nobody asked for',
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n${POISON}`,
    ],
    [
      'a flood of 1xx',
      `${'HTTP/1.1 103 Early Hints\r\nX-A: b\r\n\r\n'.repeat(1000)}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}`,
    ],
    ['a 1xx with a body', `HTTP/1.1 103 Early Hints\r\nContent-Length: ${String(POISON.length)}\r\n\r\n${POISON}`],
    ['the end before a whole head', 'HTTP/1.1 200 OK\r\nContent-Le'],
  ])('%s', async ([, bytes], { stage }) => {
    const front = await stage.front(
      once(async (exchange) => {
        await exchange.body();
        await exchange.write(bytes);
        exchange.end();
      }),
    );
    const client = await front.connect();
    await client.send(get(PATH));
    const seen = await client.readResponse();
    expectMatrixError(seen, 502, 'M_UNKNOWN');
    await client.send(get(PATH));
    const next = await client.readResponse();
    expect(next.json()).toEqual({ honest: true });
    expect(next.values('x-poison')).toEqual([]);
  });
});

describe('a body that breaks its chunks: the client sees no whole response', () => {
  test.for<readonly [name: string, body: string]>([
    ['a chunk size that is no number', 'zz\r\n{}\r\n0\r\n\r\n'],
    ['a chunk size of 2^64 + 2', '10000000000000002\r\n{}\r\n0\r\n\r\n'],
    ['a chunk longer than its size', '2\r\n{}xx\r\n0\r\n\r\n'],
    ['a chunk size ended by bare LF', '2\n{}\r\n0\r\n\r\n'],
    ['an extension with a bare LF', `2;a\nb\r\n{}\r\n0\r\n\r\n`],
    ['a broken last chunk', '2\r\n{}\r\n0\r\nX: y\nZ: z\r\n\r\n'],
  ])('%s', async ([, body], { stage }) => {
    const front = await stage.front(
      once(async (exchange) => {
        await exchange.body();
        await exchange.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body}${POISON}`);
      }),
    );
    const client = await front.connect();
    await client.send(get(PATH));
    const seen = await client.readResponse();
    if (seen.status === 200) expect(seen.truncated).toBe(true);
    else expectMatrixError(seen, 502, 'M_UNKNOWN');
    expect(seen.body.toString()).not.toContain('poison');
    await eventually(() => {
      expect(front.backend.connections[0]?.ending).not.toBeNull();
    });
    const other = await front.connect();
    await other.send(get(PATH));
    expect((await other.readResponse()).json()).toEqual({ honest: true });
  });
});

describe('a body where none may be', () => {
  const cases: readonly (readonly [name: string, method: string, head: string])[] = [
    ['after 204', 'GET', 'HTTP/1.1 204 No Content'],
    ['after 204 with Content-Length', 'GET', `HTTP/1.1 204 No Content\r\nContent-Length: ${String(POISON.length)}`],
    ['after 304', 'GET', 'HTTP/1.1 304 Not Modified'],
    ['after 304 with Content-Length', 'GET', `HTTP/1.1 304 Not Modified\r\nContent-Length: ${String(POISON.length)}`],
    ['after HEAD', 'HEAD', `HTTP/1.1 200 OK\r\nContent-Length: ${String(POISON.length)}`],
    ['after HEAD in chunks', 'HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked'],
    ['after Content-Length: 0', 'GET', 'HTTP/1.1 200 OK\r\nContent-Length: 0'],
  ];
  test.for(cases)('%s: it reaches neither this client nor the next', async ([, method, head], { stage }) => {
    const front = await stage.front(
      once(async (exchange) => {
        await exchange.body();
        await exchange.write(`${head}\r\n\r\n${POISON}`);
      }),
    );
    const client = await front.connect();
    await client.send(request(`${method} ${PATH} HTTP/1.1`, 'Host: example.test'));
    const seen = await client.readResponse({ method });
    expect([200, 204, 304, 502]).toContain(seen.status);
    expect(seen.body).toHaveLength(0);
    await client.send(get(PATH));
    const next = await client.readResponse();
    expect(next.json()).toEqual({ honest: true });
    expect(next.values('x-poison')).toEqual([]);
  });

  test('HEAD, 204 and 304 without a body pass, and the connection lives on', async ({ stage }) => {
    const front = await stage.front(async (exchange) => {
      await exchange.body();
      const heads = [
        'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1234',
        'HTTP/1.1 204 No Content\r\nX-A: b',
        'HTTP/1.1 304 Not Modified\r\nETag: "x"',
      ];
      await exchange.write(`${heads[exchange.index] ?? ''}\r\n\r\n`);
    });
    const client = await front.connect();
    await client.send(request(`HEAD ${PATH} HTTP/1.1`, 'Host: example.test'));
    const head = await client.readResponse({ method: 'HEAD' });
    expect(head.status).toBe(200);
    expect(head.field('content-length')).toBe('1234');
    await client.send(get(PATH));
    const empty = await client.readResponse();
    expect(empty.status).toBe(204);
    expect(empty.field('x-a')).toBe('b');
    await client.send(get(PATH));
    const unchanged = await client.readResponse();
    expect(unchanged.status).toBe(304);
    expect(unchanged.field('etag')).toBe('"x"');
    expect(front.backend.connections).toHaveLength(1);
  });
});

describe('a slow or silent homeserver', () => {
  const impatient = (limits: Record<string, unknown>) => (config: ConfigInput) => {
    config.limits = { classes: { client: limits } };
  };

  test('accepts and never answers: 504, and the upstream request is aborted', async ({ stage }) => {
    const front = await stage.front(() => undefined, impatient({ response_head: '300ms' }));
    const client = await front.connect();
    await client.send(get(PATH));
    expectMatrixError(await client.readResponse(), 504, 'M_UNKNOWN');
    await eventually(() => {
      expect(front.backend.connections[0]?.ending).not.toBeNull();
    });
  });

  test('half a head, then nothing: 504', async ({ stage }) => {
    const front = await stage.front(
      (exchange) => exchange.write('HTTP/1.1 200 OK\r\nContent-'),
      impatient({ response_head: '300ms' }),
    );
    const client = await front.connect();
    await client.send(get(PATH));
    expectMatrixError(await client.readResponse(), 504, 'M_UNKNOWN');
  });

  test('a head that drips without end: 504', async ({ stage }) => {
    const front = await stage.front(
      async (exchange) => {
        await exchange.write('HTTP/1.1 200 OK\r\n');
        const timer = setInterval(() => exchange.socket.write('X'), 50);
        exchange.socket.on('close', () => {
          clearInterval(timer);
        });
      },
      impatient({ response_head: '500ms' }),
    );
    const client = await front.connect();
    await client.send(get(PATH));
    expectMatrixError(await client.readResponse(), 504, 'M_UNKNOWN');
  });

  test('1xx responses without end do not extend the wait', async ({ stage }) => {
    const front = await stage.front(
      (exchange) => {
        const timer = setInterval(() => exchange.socket.write('HTTP/1.1 102 Processing\r\n\r\n'), 100);
        exchange.socket.on('close', () => {
          clearInterval(timer);
        });
      },
      impatient({ response_head: '700ms' }),
    );
    const client = await front.connect();
    await client.send(get(PATH));
    const seen = await client.readResponse();
    expect([502, 504]).toContain(seen.status);
  });

  test('half a body, then nothing: the client sees a truncated response', async ({ stage }) => {
    const front = await stage.front(
      (exchange) => exchange.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"a":'),
      impatient({ response_idle: '300ms' }),
    );
    const client = await front.connect();
    await client.send(get(PATH));
    const seen = await client.readResponse();
    expect(seen.status).toBe(200);
    expect(seen.truncated).toBe(true);
    await eventually(() => {
      expect(JSON.stringify(front.portico.accessLog)).toContain('timed_out');
    });
  });

  test('a body that drips longer than the idle limit, but never pauses for so long, passes', async ({ stage }) => {
    const front = await stage.front(
      async (exchange) => {
        await exchange.write('HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n');
        for (let at = 0; at < 30; at += 1) {
          await new Promise((resolve) => setTimeout(resolve, 60));
          await exchange.write('x');
        }
      },
      impatient({ response_idle: '1s' }),
    );
    const client = await front.connect();
    await client.send(get(PATH));
    const seen = await client.readResponse();
    expect(seen.truncated).toBe(false);
    expect(seen.body.toString()).toBe('x'.repeat(30));
  });

  test('a sync waits for the time it asks for, whatever the class says', async ({ stage }) => {
    const front = await stage.front(
      async (exchange) => {
        await exchange.body();
        await new Promise((resolve) => setTimeout(resolve, 800));
        await exchange.write(response(200));
      },
      (config) => {
        config.limits = { classes: { sync: { response_head: '200ms' } } };
      },
    );
    const client = await front.connect();
    await client.send(get('/_matrix/client/v3/sync?timeout=30000&since=x'));
    expect((await client.readResponse()).status).toBe(200);
  });
});

describe('1xx responses', () => {
  test('pass to an HTTP/1.1 client, in order, before the answer', async ({ stage }) => {
    const front = await stage.front(async (exchange) => {
      await exchange.body();
      await exchange.write('HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n');
      await exchange.write(response(200));
    });
    const client = await front.connect();
    await client.send(get(PATH));
    const seen = await client.readResponse();
    expect(seen.status).toBe(200);
    expect(seen.informational.map((one) => one.status)).toEqual([102, 103]);
    expect(seen.informational[1]?.fields).toContainEqual(['link', '</a>']);
  });

  test('do not pass to an HTTP/1.0 client', async ({ stage }) => {
    const front = await stage.front(async (exchange) => {
      await exchange.body();
      await exchange.write(`HTTP/1.1 103 Early Hints\r\n\r\n${response(200)}`);
    });
    const client = await front.connect();
    await client.send(request(`GET ${PATH} HTTP/1.0`, 'Host: example.test'));
    const seen = await client.readResponse();
    expect(seen.status).toBe(200);
    expect(seen.informational).toEqual([]);
  });
});

test('many small pieces make one response', async ({ stage }) => {
  const whole =
    'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n';
  const front = await stage.front(async (exchange) => {
    await exchange.body();
    for (const byte of whole) await exchange.write(byte);
  });
  const client = await front.connect();
  await client.send(get(PATH));
  const seen = await client.readResponse();
  expect(seen.body.toString()).toBe('hello world');
  expect(seen.truncated).toBe(false);
});
