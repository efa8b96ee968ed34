/**
 * Request heads that break the grammar of RFC 9112 §3 to §5, are too large, or ask for what Portico does not do. Each is
 * refused by name, the connection ends, and nothing reaches the homeserver.
 */
import { describe, expect } from 'vitest';
import { barrier, executedBeside, expectClose, expectMatrixError, get, request, test } from '../helpers/stage.ts';

const PATH = '/_matrix/client/v3/probe';
const HOST = 'Host: example.test';

describe('a head that breaks the grammar: 400, close, nothing upstream', () => {
  test.for<readonly [name: string, bytes: string]>([
    ['bare LF line ends', `GET ${PATH} HTTP/1.1\nHost: example.test\n\n`],
    ['bare LF after the request line', `GET ${PATH} HTTP/1.1\nHost: example.test\r\n\r\n`],
    ['bare LF after a field', `GET ${PATH} HTTP/1.1\r\nHost: example.test\nX-A: b\r\n\r\n`],
    ['a bare LF within a value', `GET ${PATH} HTTP/1.1\r\n${HOST}\r\nX-A: b\nX-Real-IP: 1.2.3.4\r\n\r\n`],
    [
      'bare LF as the empty line',
      `GET ${PATH} HTTP/1.1\r\n${HOST}\r\n\nGET /_matrix/client/smuggled HTTP/1.1\r\n${HOST}\r\n\r\n`,
    ],
    ['bare CR in a value', `GET ${PATH} HTTP/1.1\r\n${HOST}\r\nX-A: b\rX-B: c\r\n\r\n`],
    ['bare CR as a line end', `GET ${PATH} HTTP/1.1\r${HOST}\r\n\r\n`],
    ['a folded field', `GET ${PATH} HTTP/1.1\r\n${HOST}\r\nX-A: b\r\n c\r\n\r\n`],
    ['a folded field with a tab', `GET ${PATH} HTTP/1.1\r\n${HOST}\r\nX-A: b\r\n\tc\r\n\r\n`],
    ['a fold before the first field', `GET ${PATH} HTTP/1.1\r\n Host: evil.test\r\n${HOST}\r\n\r\n`],
    ['a space before the colon', `GET ${PATH} HTTP/1.1\r\n${HOST}\r\nContent-Length : 0\r\n\r\n`],
    ['a tab before the colon', `GET ${PATH} HTTP/1.1\r\n${HOST}\r\nTransfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n`],
    ['NUL in a value', `GET ${PATH} HTTP/1.1\r\n${HOST}\r\nX-A: b\0c\r\n\r\n`],
    ['NUL in a name', `GET ${PATH} HTTP/1.1\r\n${HOST}\r\nX-\0A: b\r\n\r\n`],
    ['NUL in the target', `GET ${PATH}\0 HTTP/1.1\r\n${HOST}\r\n\r\n`],
    ['DEL in a value', `GET ${PATH} HTTP/1.1\r\n${HOST}\r\nX-A: b\x7fc\r\n\r\n`],
    ['a vertical tab in a value', `GET ${PATH} HTTP/1.1\r\n${HOST}\r\nX-A: b\x0bc\r\n\r\n`],
    ['an empty name', `GET ${PATH} HTTP/1.1\r\n${HOST}\r\n: b\r\n\r\n`],
    ['a line without a colon', `GET ${PATH} HTTP/1.1\r\n${HOST}\r\nnonsense\r\n\r\n`],
    ['a name with a high byte', `GET ${PATH} HTTP/1.1\r\n${HOST}\r\nX-\xe4: b\r\n\r\n`],
    ['a name in brackets', `GET ${PATH} HTTP/1.1\r\n${HOST}\r\n[X]: b\r\n\r\n`],
    ['HTTP/0.9', `GET ${PATH}\r\n\r\n`],
    ['HTTP/0.9 with fields', `GET ${PATH}\r\n${HOST}\r\n\r\n`],
    ['HTTP/2.0', `GET ${PATH} HTTP/2.0\r\n${HOST}\r\n\r\n`],
    ['HTTP/1.2', `GET ${PATH} HTTP/1.2\r\n${HOST}\r\n\r\n`],
    ['HTTP/1.10', `GET ${PATH} HTTP/1.10\r\n${HOST}\r\n\r\n`],
    ['HTTP/1,1', `GET ${PATH} HTTP/1,1\r\n${HOST}\r\n\r\n`],
    ['http/1.1 in lower case', `GET ${PATH} http/1.1\r\n${HOST}\r\n\r\n`],
    ['another protocol', `GET ${PATH} ICY/1.1\r\n${HOST}\r\n\r\n`],
    ['the HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['two spaces before the target', `GET  ${PATH} HTTP/1.1\r\n${HOST}\r\n\r\n`],
    ['two spaces after the target', `GET ${PATH}  HTTP/1.1\r\n${HOST}\r\n\r\n`],
    ['a tab instead of a space', `GET\t${PATH} HTTP/1.1\r\n${HOST}\r\n\r\n`],
    ['a space at the end of the request line', `GET ${PATH} HTTP/1.1 \r\n${HOST}\r\n\r\n`],
    ['a space within the target', `GET ${PATH} x HTTP/1.1\r\n${HOST}\r\n\r\n`],
    ['a space before the method', ` GET ${PATH} HTTP/1.1\r\n${HOST}\r\n\r\n`],
    ['no target', `GET HTTP/1.1\r\n${HOST}\r\n\r\n`],
    ['a method with a bad byte', `G(T ${PATH} HTTP/1.1\r\n${HOST}\r\n\r\n`],
    ['a colon as the method', `: ${PATH} HTTP/1.1\r\n${HOST}\r\n\r\n`],
    ['bytes that are no HTTP at all', '\x01\x02\x03\x04\r\n\r\n'],
  ])('%s', async ([, bytes], { stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(bytes);
    const answer = await client.readResponse();
    expect(answer.status).toBe(400);
    await expectClose(client, answer);
    await barrier(front);
    expect(executedBeside(front.backend)).toEqual([]);
  });

  test('an empty line before the request is ignored or refused, never a request of its own (RFC 9112 §2.2)', async ({
    stage,
  }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(`\r\n${get(PATH)}`);
    const answer = await client.readResponse();
    expect([200, 400]).toContain(answer.status);
    if (answer.status === 400) await expectClose(client, answer);
    await barrier(front);
    expect(executedBeside(front.backend)).toEqual(answer.status === 200 ? [`GET ${PATH}`] : []);
  });
});

describe('a head that is too large', () => {
  const cases: readonly (readonly [name: string, bytes: string, status: number])[] = [
    ['one field beyond 16 KiB: 431', get(PATH, 'example.test', `X-A: ${'a'.repeat(17_000)}`), 431],
    [
      'many fields beyond 16 KiB: 431',
      get(PATH, 'example.test', ...Array<string>(90).fill(`X-A: ${'a'.repeat(250)}`)),
      431,
    ],
    ['more than 100 fields: 431', get(PATH, 'example.test', ...Array<string>(101).fill('X-A: b')), 431],
    ['a head without end: 431', `GET ${PATH} HTTP/1.1\r\n${HOST}\r\nX-A: ${'a'.repeat(40_000)}`, 431],
    ['a target of 10,000 bytes: 414', get(`${PATH}?${'a'.repeat(10_000)}`), 414],
    ['a target without end: 414', `GET /${'a'.repeat(40_000)}`, 414],
  ];
  test.for(cases)('%s', async ([, bytes, status], { stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(bytes);
    const answer = await client.readResponse();
    expect(answer.status).toBe(status);
    await expectClose(client, answer);
    await barrier(front);
    expect(executedBeside(front.backend)).toEqual([]);
  });

  test('a 431 under /_matrix is Matrix-shaped', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(get(PATH, 'example.test', ...Array<string>(101).fill('X-A: b')));
    expectMatrixError(await client.readResponse(), 431, 'M_UNKNOWN');
  });

  test('a large head within the limits passes whole', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    const fields = Array.from({ length: 90 }, (_, index) => `X-${String(index)}: ${'v'.repeat(150)}`);
    await client.send(get(`${PATH}?${'q'.repeat(1000)}`, 'example.test', ...fields));
    expect((await client.readResponse()).status).toBe(200);
    expect(front.backend.requests[0]?.fields.filter(([name]) => /^X-\d+$/.test(name))).toHaveLength(90);
    expect(front.backend.requests[0]?.target).toBe(`${PATH}?${'q'.repeat(1000)}`);
  });
});

describe('methods', () => {
  test.for(['TRACE', 'PROPFIND', 'get', 'Get', 'MKCOL', 'PURGE', 'X'])(
    '%s: 405 M_UNRECOGNIZED, nothing upstream',
    async (method, { stage }) => {
      const front = await stage.front();
      const client = await front.connect();
      await client.send(request(`${method} ${PATH} HTTP/1.1`, HOST));
      expectMatrixError(await client.readResponse(), 405, 'M_UNRECOGNIZED');
      await barrier(front);
      expect(executedBeside(front.backend)).toEqual([]);
    },
  );

  test.for(['CONNECT example.test:443', 'CONNECT /_matrix/client/v3/probe', 'CONNECT 127.0.0.1:22'])(
    '%s: refused, closed, no tunnel',
    async (line, { stage }) => {
      const front = await stage.front();
      const client = await front.connect();
      await client.send(request(`${line} HTTP/1.1`, HOST) + get('/_matrix/client/smuggled'));
      const answer = await client.readResponse();
      expect([400, 405]).toContain(answer.status);
      await expectClose(client, answer);
      await barrier(front);
      expect(executedBeside(front.backend)).toEqual([]);
    },
  );

  test.for(['GET', 'POST', 'PUT', 'DELETE', 'PATCH'])('%s passes', async (method, { stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(request(`${method} ${PATH} HTTP/1.1`, HOST));
    expect((await client.readResponse({ method })).status).toBe(200);
    expect(front.backend.requests[0]?.method).toBe(method);
  });
});

describe('odd but honest fields pass', () => {
  test('names that are properties of every object', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    const odd = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf'];
    await client.send(get(PATH, 'example.test', ...odd.map((name) => `${name}: 1`)));
    expect((await client.readResponse()).status).toBe(200);
    const names = front.backend.requests[0]?.fields.map(([name]) => name);
    // `__proto__` holds underscores but is no twin of anything: it may be dropped, it must not break anything.
    for (const name of odd.slice(1)) expect(names).toContain(name);
  });

  test('spelling, order, duplicates, empty values and high bytes', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    const lines = [
      'X-bEta: 2',
      'x-alpha:',
      'X-bEta: 1',
      'Cookie: a=b',
      'Cookie: c=d',
      'X-Latin: \xe4\xff',
      'X-Tab: a\tb',
      'X-Last:no-space',
    ];
    await client.send(get(PATH, 'example.test', ...lines));
    expect((await client.readResponse()).status).toBe(200);
    const seen = front.backend.requests[0]?.fields.filter(
      ([name]) => /^(x-|cookie)/i.test(name) && !/^x-(forwarded|real|request)/i.test(name),
    );
    expect(seen).toEqual([
      ['X-bEta', '2'],
      ['x-alpha', ''],
      ['X-bEta', '1'],
      ['Cookie', 'a=b'],
      ['Cookie', 'c=d'],
      ['X-Latin', '\xe4\xff'],
      ['X-Tab', 'a\tb'],
      ['X-Last', 'no-space'],
    ]);
  });

  test('a head one byte at a time', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    for (const byte of get(`${PATH}?slow`, 'example.test', 'X-A: b')) await client.send(byte);
    expect((await client.readResponse()).status).toBe(200);
    expect(front.backend.requests[0]?.target).toBe(`${PATH}?slow`);
  });
});
