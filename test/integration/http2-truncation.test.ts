/**
 * Truncation never looks complete, in either direction: a stream that breaks off is no complete request upstream, and a
 * response that breaks off ends with RST_STREAM, never with END_STREAM (RFC 9113 §8.1.1, §8.8).
 */
import { describe, expect } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import { PATH, connectH2, expectHonestService, expectReset, requestFields } from '../helpers/h2-client.ts';
import type { H2Client, H2Options } from '../helpers/h2-client.ts';
import { ErrorCode, Flag, data, frame, goaway, headerBlock, headers, rstStream } from '../helpers/h2-frames.ts';
import type { Script } from '../helpers/recording-backend.ts';
import { response } from '../helpers/recording-backend.ts';
import { test } from '../helpers/stage.ts';
import type { Front } from '../helpers/stage.ts';

const LENGTHS: readonly (readonly [string, readonly (readonly [string, string])[]])[] = [
  ['of known length', [['content-length', '1000']]],
  ['of unknown length', []],
];

const DEPARTURES: readonly (readonly [string, (client: H2Client, id: number) => unknown])[] = [
  ['resets the stream (CANCEL)', (client, id) => client.send(rstStream(id, ErrorCode.cancel))],
  ['resets the stream (NO_ERROR)', (client, id) => client.send(rstStream(id, ErrorCode.noError))],
  ['breaks the stream', (client, id) => client.send(Buffer.from([0, 0, 4, 8, 0, 0, 0, 0, id, 0, 0, 0, 0]))],
  ['breaks the connection', (client) => client.send(frame(6, 0, 0, Buffer.alloc(3)))],
  ['says GOAWAY with an error and leaves', (client) => client.send(goaway(0, 2)).then(() => { client.raw.end(); })],
  ['ends its half with close_notify', (client) => { client.raw.end(); }],
  ['ends its half without close_notify', (client) => { client.raw.endWithoutCloseNotify(); }],
  ['resets the connection', (client) => { client.raw.reset(); }],
]; // prettier-ignore

/** A client whose DATA is not given back, with a response that streams for ever. */
const streaming: Script = async (exchange) => {
  await exchange.body();
  await exchange.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
  const timer = setInterval(() => exchange.socket.write('4\r\ndata\r\n'), 5);
  await new Promise((resolve) => exchange.socket.on('close', resolve));
  clearInterval(timer);
};

async function upstreamEnded(front: Front): Promise<void> {
  await eventually(() => {
    expect(front.backend.connections[0]?.ending).not.toBeNull();
  });
}

describe('a client that leaves mid-body', () => {
  for (const [what, leave] of DEPARTURES) {
    test.for(LENGTHS)(`${what}, in a body %s`, async ([, fields], { stage }) => {
      const front = await stage.front();
      const client = await connectH2(front);
      const id = await client.open(requestFields({ ':method': 'PUT' }, ...fields), false);
      await client.send(data(id, 'the first part'));
      await eventually(() => {
        expect(front.backend.text()).toContain('the first part');
      });
      await leave(client, id);
      await upstreamEnded(front);
      expect(front.backend.requests.map((one) => one.complete)).toEqual([false]);
      expect(front.backend.text()).not.toContain('\r\n0\r\n\r\n');
      await expectHonestService(front);
    });
  }

  test('a reset in the same read as the body: nothing complete goes upstream', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    const id = client.nextId();
    await client.send(
      headers(id, headerBlock(requestFields({ ':method': 'PUT' })), Flag.endHeaders),
      data(id, 'part'),
      rstStream(id),
    );
    await client.roundTrip();
    await expectHonestService(front);
    expect(front.backend.requests.filter((one) => one.method === 'PUT' && one.complete)).toEqual([]);
  });

  test('the other streams of the connection go on', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    const gone = await client.open(requestFields({ ':method': 'PUT', ':path': `${PATH}?gone` }), false);
    const stays = await client.open(requestFields({ ':method': 'PUT', ':path': `${PATH}?stays` }), false);
    await client.send(data(gone, 'gone'), data(stays, 'stays'), rstStream(gone));
    await client.send(data(stays, ' whole', Flag.endStream));
    expect((await client.response(stays)).status).toBe(200);
    const whole = front.backend.requests.filter((one) => one.complete);
    expect(whole.map((one) => [one.target, one.body.toString()])).toEqual([[`${PATH}?stays`, 'stays whole']]);
  });
});

describe('content-length against DATA (RFC 9113 §8.1.1)', () => {
  const cases: readonly (readonly [string, string, readonly string[]])[] = [
    ['too little', '10', ['hello']],
    ['too much', '5', ['hello world']],
    ['too much, in two frames', '5', ['hello', ' world']],
    ['some where there should be none', '0', ['hello']],
    ['none where there should be some', '5', ['']],
  ];
  test.for(cases)('%s: PROTOCOL_ERROR; upstream nothing is complete', async ([, length, parts], { stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    const id = await client.open(requestFields({ ':method': 'PUT' }, ['content-length', length]), false);
    await client.send(
      ...parts.map((part, index) => data(id, part, index === parts.length - 1 ? Flag.endStream : Flag.none)),
    );
    await expectReset(client, id, ErrorCode.protocolError);
    await expectHonestService(front);
    // The homeserver may see a length of 0 without a body: that is what was said. Nothing else is whole.
    expect(front.backend.requests.filter((one) => one.method === 'PUT' && one.complete && length !== '0')).toEqual([]);
    expect(front.backend.text()).not.toContain(' world');
  });

  test('a length on a request that has ended: PROTOCOL_ERROR', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    const id = await client.open(requestFields({}, ['content-length', '5']));
    await expectReset(client, id, ErrorCode.protocolError);
    expect(front.backend.requests).toHaveLength(0);
  });

  test('trailers that come too early: PROTOCOL_ERROR', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    const id = await client.open(requestFields({ ':method': 'PUT' }, ['content-length', '10']), false);
    await client.send(data(id, 'hello'), headers(id, headerBlock([['x-trailer', '1']])));
    await expectReset(client, id, ErrorCode.protocolError);
    await expectHonestService(front);
    expect(front.backend.requests.filter((one) => one.method === 'PUT' && one.complete)).toEqual([]);
  });
});

describe('a client that leaves before the answer', () => {
  for (const [what, leave] of DEPARTURES) {
    const options: H2Options = {};
    test(`${what} while the answer streams: the upstream request is aborted`, async ({ stage }) => {
      const front = await stage.front(streaming);
      const client = await connectH2(front, options);
      const id = await client.open();
      await client.until(() => client.stream(id).bytes > 20, 'some of the body');
      await leave(client, id);
      await upstreamEnded(front);
      front.backend.script = async (exchange) => exchange.write(response(200));
      await expectHonestService(front);
      expect(client.stream(id).ended).toBe(false);
    });
  }
});

describe('an upstream that dies mid-body', () => {
  const partial = (head: string, body: string, how: 'end' | 'reset'): Script => {
    return async (exchange) => {
      await exchange.body();
      if (exchange.request.target.includes('other')) {
        await exchange.write(response(200));
        return;
      }
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
    ['no body at all', 'HTTP/1.1 200 OK\r\nContent-Length: 100', ''],
    ['chunks without an end', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked', '5\r\n{"a":\r\n'],
    ['half a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked', 'ff\r\n{"a":'],
    ['a bad chunk size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked', '5\r\n{"a":\r\nxyz\r\n'],
    ['no end of trailers', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked', '5\r\n{"a":\r\n0\r\nX-A: b\r\n'],
  ];
  for (const how of ['end', 'reset'] as const) {
    test.for(cases)(`%s (${how}): RST_STREAM(INTERNAL_ERROR), never END_STREAM`, async ([, head, body], { stage }) => {
      const front = await stage.front(partial(head, body, how));
      const client = await connectH2(front);
      const id = await client.open();
      await client.until(() => client.stream(id).ended || client.stream(id).reset !== null, 'an end');
      const seen = client.responseSoFar(id);
      // Nothing had been sent yet: a whole 502 says it better. Otherwise the stream breaks.
      if (seen.status === 502) expect(body).toBe('');
      else expect([seen.ended, seen.reset]).toEqual([false, ErrorCode.internalError]);
      // The connection is fine.
      expect((await client.fetch({ ':path': `${PATH}?other` })).status).toBe(200);
      await eventually(() => {
        expect(front.portico.accessLog.map((line) => line.outcome)).toContain('upstream_gone');
      });
    });
  }

  test('a close-delimited response: reset breaks the stream, an orderly end ends it', async ({ stage }) => {
    const front = await stage.front(partial('HTTP/1.1 200 OK\r\nConnection: close', 'x'.repeat(1000), 'reset'));
    const client = await connectH2(front);
    const broken = await client.fetch();
    expect([broken.status, broken.ended, broken.reset]).toEqual([200, false, ErrorCode.internalError]);
    front.backend.script = partial('HTTP/1.1 200 OK\r\nConnection: close', 'x'.repeat(100_000), 'end');
    const whole = await client.fetch();
    expect([whole.status, whole.ended, whole.reset, whole.body.length]).toEqual([200, true, null, 100_000]);
  });
});
