/**
 * Frames and states that break RFC 9113: the stream or the connection ends with the code that the RFC names, honest clients
 * are served afterwards, and what the RFC allows goes on.
 */
import { describe, expect } from 'vitest';
import {
  PATH,
  connectH2,
  expectConnectionError,
  expectHonestService,
  expectReset,
  requestFields,
} from '../helpers/h2-client.ts';
import type { H2Client } from '../helpers/h2-client.ts';
import {
  ErrorCode,
  Flag,
  FrameType,
  MAX_FRAME_SIZE,
  PREFACE,
  SETTINGS_ACK,
  Setting,
  continuation,
  data,
  frame,
  goaway,
  headerBlock,
  headers,
  padded,
  ping,
  priority,
  rstStream,
  settings,
  u32,
  windowUpdate,
} from '../helpers/h2-frames.ts';
import { get, test } from '../helpers/stage.ts';

const { protocolError, frameSizeError, streamClosed, flowControlError, compressionError } = ErrorCode;
const BLOCK = headerBlock(requestFields());
const UPLOAD = headerBlock(requestFields({ ':method': 'PUT' }));

type Attack = readonly [what: string, bytes: Uint8Array | readonly Uint8Array[], ...codes: number[]];

/** Sent after preface and SETTINGS on a fresh connection; ends the connection with one of the codes. */
const CONNECTION_ERRORS: readonly Attack[] = [
  // RFC 9113 §4.2, §6: sizes.
  ['a frame beyond SETTINGS_MAX_FRAME_SIZE: DATA', data(1, Buffer.alloc(MAX_FRAME_SIZE + 1)), frameSizeError],
  ['a frame beyond SETTINGS_MAX_FRAME_SIZE: HEADERS', headers(1, Buffer.alloc(MAX_FRAME_SIZE + 1)), frameSizeError],
  ['a frame of 2^24-1 octets, announced only', frame(FrameType.headers, 5, 1, undefined, 0xffffff), frameSizeError],
  ['an unknown frame beyond SETTINGS_MAX_FRAME_SIZE', frame(0xbb, 0, 0, Buffer.alloc(MAX_FRAME_SIZE + 1)), frameSizeError],
  ['PING of 7 octets', frame(FrameType.ping, 0, 0, Buffer.alloc(7)), frameSizeError],
  ['PING of 9 octets', frame(FrameType.ping, 0, 0, Buffer.alloc(9)), frameSizeError],
  ['SETTINGS of 5 octets', frame(FrameType.settings, 0, 0, Buffer.alloc(5)), frameSizeError],
  ['SETTINGS of 7 octets', frame(FrameType.settings, 0, 0, Buffer.alloc(7)), frameSizeError],
  ['SETTINGS ACK with a payload', frame(FrameType.settings, Flag.ack, 0, Buffer.alloc(6)), frameSizeError],
  ['WINDOW_UPDATE of 3 octets', frame(FrameType.windowUpdate, 0, 0, Buffer.alloc(3)), frameSizeError],
  ['WINDOW_UPDATE of 5 octets', frame(FrameType.windowUpdate, 0, 0, Buffer.alloc(5)), frameSizeError],
  ['RST_STREAM of 3 octets', [headers(1, UPLOAD, 4), frame(FrameType.rstStream, 0, 1, Buffer.alloc(3))], frameSizeError],
  ['RST_STREAM of 5 octets', [headers(1, UPLOAD, 4), frame(FrameType.rstStream, 0, 1, Buffer.alloc(5))], frameSizeError],
  ['GOAWAY of 7 octets', frame(FrameType.goaway, 0, 0, Buffer.alloc(7)), frameSizeError],
  ['an empty GOAWAY', frame(FrameType.goaway, 0, 0), frameSizeError],
  // Stream identifiers.
  ['DATA on stream 0', data(0, 'x'), protocolError],
  ['HEADERS on stream 0', headers(0, BLOCK), protocolError],
  ['PRIORITY on stream 0', priority(0), protocolError],
  ['RST_STREAM on stream 0', rstStream(0), protocolError],
  ['CONTINUATION on stream 0', continuation(0, BLOCK), protocolError],
  ['SETTINGS on a stream', frame(FrameType.settings, 0, 1), protocolError],
  ['PING on a stream', frame(FrameType.ping, 0, 1, Buffer.alloc(8)), protocolError],
  ['GOAWAY on a stream', frame(FrameType.goaway, 0, 1, Buffer.alloc(8)), protocolError],
  ['HEADERS on an even stream', headers(2, BLOCK), protocolError],
  ['HEADERS on a lower stream than the last', [headers(5, BLOCK), headers(3, BLOCK)], protocolError, streamClosed],
  ['PUSH_PROMISE on a stream', [headers(1, UPLOAD, 4), frame(FrameType.pushPromise, 4, 1, Buffer.concat([u32(2), BLOCK]))], protocolError],
  ['PUSH_PROMISE on stream 0', frame(FrameType.pushPromise, 4, 0, Buffer.concat([u32(2), BLOCK])), protocolError],
  // Idle streams (§5.1).
  ['DATA on an idle stream', data(1, 'x'), protocolError, streamClosed],
  ['DATA on an idle even stream', data(2, 'x'), protocolError, streamClosed],
  ['RST_STREAM on an idle stream', rstStream(1), protocolError],
  ['WINDOW_UPDATE on an idle stream', windowUpdate(1, 1), protocolError],
  ['WINDOW_UPDATE on an idle even stream', windowUpdate(2, 1), protocolError],
  ['CONTINUATION on an idle stream', continuation(1, BLOCK, Flag.endHeaders), protocolError],
  // Header blocks in pieces (§6.2, §6.10).
  ['CONTINUATION after a head that is whole', [headers(1, UPLOAD, 4), continuation(1, BLOCK, 4)], protocolError],
  ['DATA between HEADERS and CONTINUATION', [headers(1, BLOCK, 0), data(1, 'x')], protocolError],
  ['PING between HEADERS and CONTINUATION', [headers(1, BLOCK, 0), ping()], protocolError],
  ['SETTINGS between HEADERS and CONTINUATION', [headers(1, BLOCK, 0), settings()], protocolError],
  ['HEADERS of another stream in between', [headers(1, BLOCK, 0), headers(3, BLOCK)], protocolError],
  ['CONTINUATION of another stream in between', [headers(1, BLOCK, 0), continuation(3, BLOCK, 4)], protocolError],
  ['an unknown frame in between', [headers(1, BLOCK, 0), frame(0xbb, 0, 0)], protocolError],
  ['RST_STREAM in between', [headers(1, BLOCK, 0), rstStream(1)], protocolError],
  ['WINDOW_UPDATE in between', [headers(1, BLOCK, 0), windowUpdate(0, 1)], protocolError],
  // Padding (§6.1, §6.2).
  ['DATA with more padding than payload', [headers(1, UPLOAD, 4), frame(0, Flag.padded, 1, Buffer.from([5, 1, 2]))], protocolError],
  ['DATA that is nothing but too much padding', [headers(1, UPLOAD, 4), frame(0, Flag.padded, 1, Buffer.from([255]))], protocolError],
  ['padded DATA without the length of its padding', [headers(1, UPLOAD, 4), frame(0, Flag.padded, 1)], frameSizeError, protocolError],
  ['HEADERS with more padding than payload', headers(1, Buffer.from([200, 0x82]), 0xd), protocolError],
  ['padded HEADERS without the length of its padding', headers(1, Buffer.alloc(0), 0xd), protocolError, frameSizeError],
  ['HEADERS with priority and less than five octets', headers(1, Buffer.from([0, 0, 0]), 0x25), protocolError, frameSizeError],
  ['HEADERS with priority and padding over it', headers(1, padded(Buffer.alloc(4), 3), 0x2d), protocolError, frameSizeError],
  // Settings (§6.5.2).
  ['SETTINGS_ENABLE_PUSH of 2', settings([Setting.enablePush, 2]), protocolError],
  ['SETTINGS_INITIAL_WINDOW_SIZE of 2^31', settings([Setting.initialWindowSize, 2 ** 31]), flowControlError],
  ['SETTINGS_MAX_FRAME_SIZE of 16,383', settings([Setting.maxFrameSize, 16_383]), protocolError],
  ['SETTINGS_MAX_FRAME_SIZE of 2^24', settings([Setting.maxFrameSize, 2 ** 24]), protocolError],
  ['SETTINGS_MAX_FRAME_SIZE of 0', settings([Setting.maxFrameSize, 0]), protocolError],
  // HPACK (§4.3, RFC 7541).
  ['index 0', headers(1, Buffer.from([0x80])), compressionError],
  ['an index beyond both tables', headers(1, Buffer.from([0xff, 0x80, 0x01])), compressionError],
  ['a name index beyond both tables', headers(1, Buffer.from([0x7f, 0x80, 0x01, 1, 0x61])), compressionError],
  ['an index of forty octets', headers(1, Buffer.concat([Buffer.alloc(40, 0xff), Buffer.from([0])])), compressionError],
  ['a block that ends in an index', headers(1, Buffer.from([0xff])), compressionError],
  ['a block that ends in a string', headers(1, Buffer.from([0x00, 0x05, 0x61])), compressionError],
  ['a string length beyond the block', headers(1, Buffer.from([0x00, 0x7f, 0xff, 0xff, 0xff, 0x7f, 0x61])), compressionError],
  ['a Huffman string with EOS', headers(1, Buffer.from([0x00, 0x01, 0x61, 0x84, 0xff, 0xff, 0xff, 0xff])), compressionError],
  ['a Huffman string with padding of zeros', headers(1, Buffer.from([0x00, 0x01, 0x61, 0x81, 0x18])), compressionError],
  ['a Huffman string with eight bits of padding', headers(1, Buffer.from([0x00, 0x01, 0x61, 0x82, 0x1f, 0xff])), compressionError],
  ['a table size update beyond the setting', headers(1, Buffer.concat([Buffer.from([0x3f, 0xe2, 0x1f]), BLOCK])), compressionError],
  ['a table size update after a field', headers(1, Buffer.concat([BLOCK, Buffer.from([0x20])])), compressionError],
  ['a bad block in trailers', [headers(1, UPLOAD, 4), headers(1, Buffer.from([0x80]))], compressionError],
  ['a bad block on a stream that is refused', [headers(1, headerBlock([['X', 'y']])), headers(3, Buffer.from([0x80]))], compressionError],
]; // prettier-ignore

async function sendAll(client: H2Client, bytes: Uint8Array | readonly Uint8Array[]): Promise<void> {
  await client.roundTrip();
  await client.send(...(bytes instanceof Uint8Array ? [bytes] : bytes));
}

describe('connection errors', () => {
  test.for(CONNECTION_ERRORS)('%s', async ([, bytes, ...codes], { stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    await sendAll(client, bytes);
    await expectConnectionError(client, ...codes);
    await expectHonestService(front);
  });

  test('HEADERS on a stream that is over', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    const id = await client.open();
    await client.response(id);
    await client.send(headers(id, BLOCK));
    await expectConnectionError(client, streamClosed, protocolError);
    await expectHonestService(front);
  });

  test('a client that has broken one rule is not listened to any more', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    await client.roundTrip();
    await client.send(data(0, 'x'), headers(1, headerBlock(requestFields({ ':path': `${PATH}?late` }))));
    await expectConnectionError(client, protocolError);
    await expectHonestService(front);
    expect(front.backend.text()).not.toContain('late');
  });
});

describe('stream errors', () => {
  test('a stream that depends on itself: PRIORITY', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    const id = await client.open(requestFields({ ':method': 'PUT' }), false);
    await client.send(priority(id, id));
    // RFC 9113 deprecates priorities but keeps the rule of RFC 7540 §5.3.1 unsaid: refused, or read over.
    await client.send(data(id, 'x', Flag.endStream));
    const seen = await client.response(id);
    if (seen.reset === null) expect(seen.status).toBe(200);
    else expect(seen.reset).toBe(protocolError);
    await expectHonestService(front);
  });

  test('PRIORITY of 4 octets: FRAME_SIZE_ERROR on the stream', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    const id = await client.open(requestFields({ ':method': 'PUT' }), false);
    await client.send(frame(FrameType.priority, 0, id, Buffer.alloc(4)));
    await expectReset(client, id, frameSizeError);
    await expectHonestService(front);
  });

  test('DATA after END_STREAM while the answer is awaited: STREAM_CLOSED', async ({ stage }) => {
    const front = await stage.front(async (exchange) => {
      await exchange.body();
      if (exchange.request.target.includes('hold')) {
        await new Promise((resolve) => exchange.socket.on('close', resolve));
      } else await exchange.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    });
    const client = await connectH2(front);
    const id = await client.open(requestFields({ ':path': `${PATH}?hold` }));
    await client.send(data(id, 'more'));
    await expectReset(client, id, streamClosed);
    await expectHonestService(front);
  });

  test('a second HEADERS after END_STREAM: STREAM_CLOSED', async ({ stage }) => {
    const front = await stage.front(async (exchange) => {
      await exchange.body();
      if (exchange.request.target.includes('hold')) {
        await new Promise((resolve) => exchange.socket.on('close', resolve));
      } else await exchange.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    });
    const client = await connectH2(front);
    const id = await client.open(requestFields({ ':path': `${PATH}?hold` }));
    await client.send(headers(id, BLOCK));
    await client.until(() => client.stream(id).reset !== null || client.goaways.length > 0, 'a refusal');
    expect(client.stream(id).reset ?? client.goaways[0]?.code).toBe(streamClosed);
    await expectHonestService(front);
  });

  test('DATA on a stream that is over: STREAM_CLOSED, once', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    const id = await client.open();
    await client.response(id);
    await client.send(data(id, 'late'), data(id, 'later'));
    await client.until(() => client.stream(id).reset !== null || client.goaways.length > 0, 'a refusal');
    expect(client.stream(id).reset ?? client.goaways[0]?.code).toBe(streamClosed);
    await expectHonestService(front);
  });

  test('DATA on a stream that the client has reset: STREAM_CLOSED; the windows stay right', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    for (let round = 0; round < 200; round += 1) {
      const id = await client.open(requestFields({ ':method': 'PUT' }), false);
      // 16 kB each: together more than the connection's window, which must be given back for ignored DATA, too.
      await client.send(data(id, Buffer.alloc(100)), rstStream(id), data(id, Buffer.alloc(MAX_FRAME_SIZE)));
      if (round % 20 === 0) await client.roundTrip();
      if (client.goaways.length > 0) break;
    }
    if (client.goaways.length === 0) {
      expect((await client.fetch({ ':method': 'PUT' }, [], Buffer.alloc(100_000))).status).toBe(200);
    } else expect([ErrorCode.enhanceYourCalm, streamClosed]).toContain(client.goaways[0]?.code);
    await expectHonestService(front);
    const whole = front.backend.requests.filter((one) => one.method === 'PUT' && one.complete);
    expect(whole.every((one) => one.body.length === 100_000)).toBe(true);
  });

  test('HEADERS that depend on themselves', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    const id = client.nextId();
    await client.send(headers(id, Buffer.concat([u32(id), Buffer.from([15]), BLOCK]), 0x25));
    const seen = await client.response(id);
    if (seen.reset === null) expect(seen.status).toBe(200);
    else expect(seen.reset).toBe(protocolError);
    await client.roundTrip();
    await expectHonestService(front);
  });

  test('more streams than allowed: REFUSED_STREAM for those beyond, the others are answered', async ({ stage }) => {
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const front = await stage.front(async (exchange) => {
      await exchange.body();
      await released;
      await exchange.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}');
    });
    const client = await connectH2(front);
    await client.roundTrip();
    const allowed = client.serverSettings.get(Setting.maxConcurrentStreams) ?? 0;
    expect(allowed).toBeGreaterThanOrEqual(100);
    const ids: number[] = [];
    for (let index = 0; index < allowed + 20; index += 1) ids.push(await client.open());
    for (const id of ids.slice(allowed)) await expectReset(client, id, ErrorCode.refusedStream);
    release();
    for (const id of ids.slice(0, allowed)) expect((await client.response(id)).status).toBe(200);
    expect((await client.fetch()).status).toBe(200);
    await expectHonestService(front);
    expect(front.backend.requests).toHaveLength(allowed + 2);
  });
});

describe('what must be read over', () => {
  test('unknown frame types, on streams and beside them, with any flags', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    await client.send(frame(0xbb, 0xff, 0, Buffer.alloc(100)), frame(0xff, 0, 99, Buffer.alloc(MAX_FRAME_SIZE)));
    const id = await client.open(requestFields({ ':method': 'PUT' }), false);
    await client.send(frame(0xbb, 0xff, id, Buffer.alloc(10)), data(id, 'hello', Flag.endStream));
    expect((await client.response(id)).status).toBe(200);
    expect(front.backend.requests[0]?.body.toString()).toBe('hello');
  });

  test('flags without meaning, and the reserved bit of a stream id', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    await client.send(ping('eight by', 0xfe), frame(FrameType.settings, 0xfe, 0));
    await client.send(frame(FrameType.headers, 0x80 | 0x40 | 0x12 | 5, 0x80000001, BLOCK));
    expect((await client.response(1)).status).toBe(200);
    await client.roundTrip();
  });

  test('unknown settings, the same setting twice, PING with ACK, PRIORITY on idle and closed streams', async ({
    stage,
  }) => {
    const front = await stage.front();
    const client = await connectH2(front, { settings: [[0xabcd, 7], [Setting.initialWindowSize, 5], [Setting.initialWindowSize, 70_000]] }); // prettier-ignore
    await client.send(ping('unasked!', Flag.ack), priority(9, 3), priority(101), SETTINGS_ACK);
    const id = await client.open();
    expect((await client.response(id)).body.toString()).toBe('{}');
    await client.send(priority(id), windowUpdate(id, 1), rstStream(id));
    expect((await client.fetch()).status).toBe(200);
  });

  test('PRIORITY_UPDATE (RFC 9218) for open and for future streams', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    const update = (id: number, value: string): Buffer =>
      frame(0x10, 0, 0, Buffer.concat([u32(id), Buffer.from(value, 'latin1')]));
    await client.send(update(1, 'u=1, i'));
    expect((await client.fetch({}, [['priority', 'u=0']])).status).toBe(200);
    await client.send(update(3, 'nonsense \xff'), update(1, 'u=7'));
    expect((await client.fetch()).status).toBe(200);
  });

  test('GOAWAY from the client: what it asked is answered, then the connection ends', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    const id = await client.open(requestFields({ ':method': 'PUT' }), false);
    await client.send(goaway(0), data(id, 'hello', Flag.endStream));
    expect((await client.response(id)).status).toBe(200);
    await client.closed();
  });

  test('GOAWAY from the client, then new streams: answered until the last GOAWAY of ours, not served after it', async ({
    stage,
  }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    const held = await client.open(requestFields({ ':method': 'PUT' }), false);
    await client.send(goaway(0));
    const soon = await client.open(requestFields({ ':path': `${PATH}?soon` }));
    expect((await client.response(soon)).status).toBe(200);
    await client.until(() => client.goaways.length > 1, 'the last GOAWAY');
    expect(client.goaways.at(-1)).toMatchObject({ lastStreamId: soon, code: ErrorCode.noError });
    const late = await client.open(requestFields({ ':path': `${PATH}?late` }));
    await client.roundTrip();
    expect(client.responseSoFar(late).status).toBe(0);
    await client.send(data(held, 'hello', Flag.endStream));
    expect((await client.response(held)).status).toBe(200);
    await client.closed();
    expect(front.backend.text()).not.toContain('late');
  });

  test('all frames of a request in one write, and one byte a write', async ({ stage }) => {
    const front = await stage.front();
    const once = await connectH2(front, { preface: false });
    const first = Buffer.concat([PREFACE, settings(), SETTINGS_ACK, headers(1, UPLOAD, 4), data(1, 'hello', 1)]);
    await once.send(first);
    expect((await once.response(1)).status).toBe(200);
    const slow = await connectH2(front, { preface: false, acknowledge: false });
    for (const byte of first) await slow.send(Buffer.from([byte]));
    expect((await slow.response(1)).status).toBe(200);
    expect(front.backend.requests.map((one) => one.body.toString())).toEqual(['hello', 'hello']);
  });
});

describe('the preface', () => {
  const WRONG: readonly (readonly [string, Buffer | string])[] = [
    ['HTTP/1.1 under ALPN h2', get(PATH)],
    ['one byte wrong at the end', Buffer.concat([PREFACE.subarray(0, 23), Buffer.from('X')])],
    ['one byte wrong at the start', Buffer.concat([Buffer.from('p'), PREFACE.subarray(1)])],
    ['zeros', Buffer.alloc(64)],
    ['a frame at once', settings()],
    ['another frame than SETTINGS after it', Buffer.concat([PREFACE, headers(1, BLOCK)])],
    ['PING before SETTINGS', Buffer.concat([PREFACE, ping()])],
    ['SETTINGS ACK instead of SETTINGS', Buffer.concat([PREFACE, SETTINGS_ACK])],
  ];
  test.for(WRONG)('%s: the connection ends, nothing goes upstream', async ([, bytes], { stage }) => {
    const front = await stage.front();
    const client = await connectH2(front, { preface: false, acknowledge: false });
    await client.send(bytes);
    await client.closed();
    for (const one of client.goaways) expect(one.code).toBe(protocolError);
    expect(front.backend.text()).toBe('');
    await expectHonestService(front);
  });

  test('none, half of one, or one without SETTINGS: dropped after request_head', async ({ stage }) => {
    const front = await stage.front(undefined, (config) => {
      config.limits.request_head = '300ms';
      config.limits.keep_alive = '300ms';
    });
    for (const bytes of [Buffer.alloc(0), PREFACE.subarray(0, 10), PREFACE, Buffer.concat([PREFACE, settings().subarray(0, 4)])]) {
      const client = await connectH2(front, { preface: false, acknowledge: false });
      if (bytes.length > 0) await client.send(bytes);
      await client.closed();
    } // prettier-ignore
    await expectHonestService(front);
  });

  test('h2c with prior knowledge on the http port is refused', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect({ listener: 'http' });
    await client.send(Buffer.concat([PREFACE, settings(), headers(1, BLOCK)]));
    const answer = (await client.readUntilClose()).toString('latin1');
    expect(answer).toMatch(/^HTTP\/1\.1 (?:400|505) /);
    expect(front.backend.text()).toBe('');
  });

  test('the preface under ALPN http/1.1, or without ALPN, is refused', async ({ stage }) => {
    const front = await stage.front();
    for (const alpn of [['http/1.1'], undefined]) {
      const client = await front.connect(alpn === undefined ? {} : { alpn });
      await client.send(Buffer.concat([PREFACE, settings(), headers(1, BLOCK)]));
      expect((await client.readUntilClose()).toString('latin1')).toMatch(/^HTTP\/1\.1 (?:400|505) /);
    }
    expect(front.backend.text()).toBe('');
  });
});

describe('idle connections', () => {
  test('silence before a first request, and after one, for keep_alive: GOAWAY(NO_ERROR) and the end', async ({
    stage,
  }) => {
    const front = await stage.front(undefined, (config) => (config.limits.keep_alive = '300ms'));
    const silent = await connectH2(front);
    const used = await connectH2(front);
    expect((await used.fetch()).status).toBe(200);
    for (const client of [silent, used]) await expectConnectionError(client, ErrorCode.noError);
  });

  test('pings alone do not keep it', async ({ stage }) => {
    const front = await stage.front(undefined, (config) => (config.limits.keep_alive = '500ms'));
    const client = await connectH2(front);
    const pings = setInterval(() => void client.send(ping()), 50);
    try {
      await client.closed();
    } finally {
      clearInterval(pings);
    }
  });

  test('a stream that waits for its answer keeps it', async ({ stage }) => {
    const front = await stage.front(
      async (exchange) => {
        await exchange.body();
        await new Promise((resolve) => setTimeout(resolve, 1200));
        await exchange.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}');
      },
      (config) => {
        config.limits.keep_alive = '300ms';
        config.limits.request_head = '300ms';
      },
    );
    const client = await connectH2(front);
    expect((await client.fetch()).status).toBe(200);
  });

  test('a head that stops half way does not stay', async ({ stage }) => {
    const front = await stage.front(undefined, (config) => (config.limits.request_head = '300ms'));
    const client = await connectH2(front);
    await client.roundTrip();
    await client.send(headers(1, BLOCK.subarray(0, 10), Flag.endStream));
    await expectConnectionError(client, ErrorCode.enhanceYourCalm, protocolError, ErrorCode.noError);
    await expectHonestService(front);
    expect(front.backend.executed()).toEqual([`GET ${PATH}`]);
  });
});
