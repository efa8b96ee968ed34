/**
 * Request smuggling by framing (RFC 9112 §6, §7): every message that two readers could end at different bytes is refused,
 * and what reaches the homeserver carries exactly one framing. The harm looked for: a second request at the backend that
 * Portico never saw as one.
 */
import { describe, expect } from 'vitest';
import { barrier, executedBeside, expectClose, expectMatrixError, request, test } from '../helpers/stage.ts';

const SMUGGLED = 'GET /_matrix/client/smuggled HTTP/1.1\r\nHost: example.test\r\n\r\n';
const PUT = 'PUT /_matrix/client/v3/probe HTTP/1.1';
const HOST = 'Host: example.test';

interface Refused {
  readonly name: string;
  readonly bytes: string;
}

const withFields = (name: string, fields: readonly string[], body: string): Refused => ({
  name,
  bytes: request(PUT, HOST, ...fields) + body,
});

describe('a request whose framing is not beyond doubt', () => {
  const chunkedSmuggle = `0\r\n\r\n${SMUGGLED}`;
  const length = String(chunkedSmuggle.length);
  test.for<Refused>([
    withFields(
      'Content-Length and Transfer-Encoding',
      [`Content-Length: ${length}`, 'Transfer-Encoding: chunked'],
      chunkedSmuggle,
    ),
    withFields(
      'Transfer-Encoding and Content-Length',
      ['Transfer-Encoding: chunked', `Content-Length: ${length}`],
      chunkedSmuggle,
    ),
    withFields(
      'Content-Length: 0 and Transfer-Encoding',
      ['Content-Length: 0', 'Transfer-Encoding: chunked'],
      chunkedSmuggle,
    ),
    withFields(
      'two different Content-Length',
      ['Content-Length: 0', `Content-Length: ${String(SMUGGLED.length)}`],
      SMUGGLED,
    ),
    withFields('two equal Content-Length', ['Content-Length: 2', 'Content-Length: 2'], '{}'),
    withFields('Content-Length list', ['Content-Length: 2, 2'], '{}'),
    withFields('Content-Length with a plus', ['Content-Length: +5'], '{"a"}'),
    withFields('Content-Length with a minus', ['Content-Length: -5'], ''),
    withFields('Content-Length in hexadecimal', ['Content-Length: 0x5'], `{"a"}${SMUGGLED}`),
    withFields('Content-Length with an inner space', ['Content-Length: 5 0'], '{"a"}'),
    withFields('Content-Length with a trailing comma', ['Content-Length: 2,'], '{}'),
    withFields('Content-Length with an underscore', ['Content-Length: 1_0'], '{}'),
    withFields('Content-Length with a fraction', ['Content-Length: 2.0'], '{}'),
    withFields('Content-Length in exponent form', ['Content-Length: 1e1'], '{}'),
    withFields('empty Content-Length', ['Content-Length:'], SMUGGLED),
    withFields('Content-Length of 2^64', ['Content-Length: 18446744073709551616'], SMUGGLED),
    withFields('Content-Length of 2^64 + 2', ['Content-Length: 18446744073709551618'], `{}${SMUGGLED}`),
    withFields('Content-Length in full-width digits', ['Content-Length: \xef\xbc\x95'], SMUGGLED),
    withFields('Transfer-Encoding: xchunked', ['Transfer-Encoding: xchunked'], chunkedSmuggle),
    withFields('Transfer-Encoding: chunked, identity', ['Transfer-Encoding: chunked, identity'], chunkedSmuggle),
    withFields('Transfer-Encoding: identity', ['Transfer-Encoding: identity'], SMUGGLED),
    withFields('Transfer-Encoding: gzip, chunked', ['Transfer-Encoding: gzip, chunked'], chunkedSmuggle),
    withFields('Transfer-Encoding: chunked, chunked', ['Transfer-Encoding: chunked, chunked'], chunkedSmuggle),
    withFields('Transfer-Encoding twice', ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], chunkedSmuggle),
    withFields(
      'Transfer-Encoding: identity, then chunked',
      ['Transfer-Encoding: identity', 'Transfer-Encoding: chunked'],
      chunkedSmuggle,
    ),
    withFields('Transfer-Encoding with an inner tab', ['Transfer-Encoding: chu\tnked'], chunkedSmuggle),
    withFields('Transfer-Encoding with a vertical tab', ['Transfer-Encoding: \x0bchunked'], chunkedSmuggle),
    withFields('Transfer-Encoding with a parameter', ['Transfer-Encoding: chunked;q=1'], chunkedSmuggle),
    withFields('quoted Transfer-Encoding', ['Transfer-Encoding: "chunked"'], chunkedSmuggle),
    withFields('empty Transfer-Encoding', ['Transfer-Encoding:'], SMUGGLED),
    withFields('Transfer-Encoding with a high byte', ['Transfer-Encoding: chunked\xa0'], chunkedSmuggle),
    {
      name: 'Transfer-Encoding in HTTP/1.0',
      bytes: request('PUT /_matrix/client/v3/probe HTTP/1.0', HOST, 'Transfer-Encoding: chunked') + chunkedSmuggle,
    },
    {
      name: 'GET with a Content-Length body',
      bytes:
        request('GET /_matrix/client/v3/probe HTTP/1.1', HOST, `Content-Length: ${String(SMUGGLED.length)}`) + SMUGGLED,
    },
    {
      name: 'GET with a chunked body',
      bytes: request('GET /_matrix/client/v3/probe HTTP/1.1', HOST, 'Transfer-Encoding: chunked') + chunkedSmuggle,
    },
    {
      name: 'HEAD with a body',
      bytes:
        request('HEAD /_matrix/client/v3/probe HTTP/1.1', HOST, `Content-Length: ${String(SMUGGLED.length)}`) +
        SMUGGLED,
    },
  ])('$name: 400, close, nothing upstream', async ({ bytes }, { stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(bytes);
    const answer = await client.readResponse({ method: bytes.startsWith('HEAD') ? 'HEAD' : 'PUT' });
    if (bytes.startsWith('HEAD')) expect(answer.status).toBe(400);
    else expectMatrixError(answer, 400, 'M_UNKNOWN');
    await expectClose(client, answer);
    await barrier(front);
    expect(executedBeside(front.backend)).toEqual([]);
  });
});

describe('a chunked body that breaks the grammar', () => {
  // The head was fine and may have gone upstream already; the body must never look whole there.
  test.for<readonly [name: string, body: string]>([
    ['a chunk size of 2^64', `10000000000000002\r\n{}\r\n0\r\n\r\n${SMUGGLED}`],
    ['a chunk size of 2^32 + 2', `100000002\r\n{}\r\n0\r\n\r\n${SMUGGLED}`],
    ['a chunk size with leading zeros past any need', `${'0'.repeat(64)}2\r\n{}\r\n0\r\n\r\n`],
    ['a negative chunk size', `-2\r\n{}\r\n0\r\n\r\n`],
    ['a chunk size with 0x', `0x2\r\n{}\r\n0\r\n\r\n`],
    ['a chunk size with a plus', `+2\r\n{}\r\n0\r\n\r\n`],
    ['a chunk size after a space', ` 2\r\n{}\r\n0\r\n\r\n`],
    ['an empty chunk size', `\r\n{}\r\n0\r\n\r\n`],
    ['a chunk size that is no number', `zz\r\n{}\r\n0\r\n\r\n`],
    ['a chunk size ended by bare LF', `2\n{}\r\n0\r\n\r\n`],
    ['a chunk size ended by bare CR', `2\r{}\r\n0\r\n\r\n`],
    ['an extension with a bare LF', `2;ext\n{}\r\n0\r\n\r\n${SMUGGLED}`],
    ['an extension with a bare CR', `2;e\rxt\r\n{}\r\n0\r\n\r\n`],
    ['an extension with NUL', `2;e\0xt\r\n{}\r\n0\r\n\r\n`],
    ['an endless extension', `2;${'x'.repeat(70_000)}\r\n{}\r\n0\r\n\r\n`],
    ['a chunk without CRLF at its end', `2\r\n{}0\r\n\r\n${SMUGGLED}`],
    ['a chunk with bare LF at its end', `2\r\n{}\n0\r\n\r\n`],
    ['a chunk with two other bytes at its end', `2\r\n{}XX0\r\n\r\n${SMUGGLED}`],
    ['a last chunk followed by bare LF', `2\r\n{}\r\n0\n\n${SMUGGLED}`],
    ['a trailer without colon', `2\r\n{}\r\n0\r\nno colon here\r\n\r\n`],
    ['a trailer with a bare LF', `2\r\n{}\r\n0\r\nA: b\nC: d\r\n\r\n`],
    ['a trailer with NUL', `2\r\n{}\r\n0\r\nA: \0\r\n\r\n`],
    ['a folded trailer', `2\r\n{}\r\n0\r\nA: b\r\n c\r\n\r\n`],
    ['an endless trailer section', `2\r\n{}\r\n0\r\n${'A: b\r\n'.repeat(20_000)}\r\n`],
  ])('%s: refused, and never a whole request upstream', async ([, body], { stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(request(PUT, HOST, 'Transfer-Encoding: chunked') + body);
    const rest = (await client.readUntilClose()).toString('latin1');
    expect(rest).toMatch(/^(HTTP\/1\.1 400 |$)/);
    expect(rest.match(/HTTP\/1\.1 /g)?.length ?? 0).toBeLessThanOrEqual(1);
    await barrier(front);
    expect(executedBeside(front.backend)).not.toContain('GET /_matrix/client/smuggled');
    for (const seen of front.backend.requests.filter((one) => one.method === 'PUT')) {
      expect(seen.complete).toBe(false);
      expect(front.backend.connections[seen.connection]?.ending).not.toBeNull();
    }
  });
});

describe('a request whose framing is clear', () => {
  test('Content-Length passes as one Content-Length', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(request(PUT, HOST, 'Content-Length: 9') + '{"a": 12}');
    expect((await client.readResponse()).status).toBe(200);
    const [seen] = front.backend.requests;
    expect(seen?.values('content-length')).toEqual(['9']);
    expect(seen?.values('transfer-encoding')).toEqual([]);
    expect(seen?.body.toString()).toBe('{"a": 12}');
  });

  test('chunked passes as chunked; extensions and trailers end here', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    const body =
      '4;name=value;x="y"\r\n{"a"\r\n4\r\n: 1}\r\n0;last\r\nX-Trailer: 1\r\nContent-Length: 4\r\nHost: evil.test\r\n\r\n';
    await client.send(request(PUT, HOST, 'Transfer-Encoding: chunked', 'Trailer: X-Trailer') + body);
    expect((await client.readResponse()).status).toBe(200);
    const [seen] = front.backend.requests;
    expect(seen?.complete).toBe(true);
    expect(seen?.body.toString()).toBe('{"a": 1}');
    expect(seen?.trailers).toEqual([]);
    expect(seen?.values('trailer')).toEqual([]);
    const framings = [...(seen?.values('content-length') ?? []), ...(seen?.values('transfer-encoding') ?? [])];
    expect(framings).toHaveLength(1);
    expect(front.backend.text()).not.toContain('evil.test');
    expect(front.backend.text()).not.toContain('name=value');
    // The connection is good for another request: the trailers were read, not left over.
    await client.send(request('GET /_matrix/client/second HTTP/1.1', HOST));
    expect((await client.readResponse()).status).toBe(200);
  });

  test('a chunked body one byte at a time arrives whole', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    for (const byte of request(PUT, HOST, 'Transfer-Encoding: chunked') + '5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n') {
      await client.send(byte);
    }
    expect((await client.readResponse()).status).toBe(200);
    expect(front.backend.requests[0]?.body.toString()).toBe('hello!');
  });

  test('a DELETE and an OPTIONS-like body keep their framing (node-http-proxy #1720)', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    const body = `${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`;
    await client.send(request('DELETE /_matrix/client/v3/probe HTTP/1.1', HOST, 'Transfer-Encoding: chunked') + body);
    expect((await client.readResponse()).status).toBe(200);
    expect(front.backend.executed()).toEqual(['DELETE /_matrix/client/v3/probe']);
    expect(front.backend.requests[0]?.body.toString()).toBe(SMUGGLED);
  });

  test('OPTIONS with a body answered here never leaves its body behind as a request', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(
      request('OPTIONS /_matrix/client/v3/probe HTTP/1.1', HOST, `Content-Length: ${String(SMUGGLED.length)}`) +
        SMUGGLED,
    );
    const answer = await client.readResponse({ method: 'OPTIONS' });
    expect([204, 400]).toContain(answer.status);
    await barrier(front);
    expect(executedBeside(front.backend)).toEqual([]);
  });

  test('a POST without a body goes upstream with Content-Length: 0 or none, and no chunks', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(request('POST /_matrix/client/v3/logout HTTP/1.1', HOST));
    expect((await client.readResponse()).status).toBe(200);
    const [seen] = front.backend.requests;
    expect(seen?.values('transfer-encoding')).toEqual([]);
    expect([[], ['0']]).toContainEqual(seen?.values('content-length'));
  });

  test('an empty PUT with Content-Length: 0 keeps it', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(request(PUT, HOST, 'Content-Length: 0'));
    expect((await client.readResponse()).status).toBe(200);
    expect(front.backend.requests[0]?.values('content-length')).toEqual(['0']);
  });

  test('GET with Content-Length: 0 is no body', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(request('GET /_matrix/client/v3/probe HTTP/1.1', HOST, 'Content-Length: 0'));
    expect((await client.readResponse()).status).toBe(200);
    expect(front.backend.requests[0]?.complete).toBe(true);
  });
});
