/**
 * Peers that keep every rule, or break only cheap ones, and cost all they can: each is ended with ENHANCE_YOUR_CALM (or the
 * code of the rule it breaks) before it has cost much, counts in the metrics, and honest clients are served during and after.
 */
import { describe, expect } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import { PATH, connectH2, expectConnectionError, expectHonestService, requestFields } from '../helpers/h2-client.ts';
import type { H2Client } from '../helpers/h2-client.ts';
import {
  ErrorCode,
  Flag,
  FrameType,
  MAX_FRAME_SIZE,
  MAX_WINDOW,
  PREFACE,
  Setting,
  continuation,
  data,
  frame,
  headerBlock,
  headers,
  hpackIndex,
  hpackIndexedLiteral,
  hpackTableSize,
  ping,
  priority,
  rstStream,
  settings,
  u32,
  windowUpdate,
} from '../helpers/h2-frames.ts';
import { response } from '../helpers/recording-backend.ts';
import type { Script } from '../helpers/recording-backend.ts';
import { get, test } from '../helpers/stage.ts';
import type { Front } from '../helpers/stage.ts';

const { enhanceYourCalm, protocolError, frameSizeError, streamClosed, flowControlError } = ErrorCode;
const HOLD = headerBlock(requestFields({ ':path': `${PATH}?hold` }));
const UPLOAD = headerBlock(requestFields({ ':method': 'PUT', ':path': `${PATH}?hold` }));
const TINY = headerBlock([['x-a', 'b']]);

/** Answers everything but `?hold`. */
const holding: Script = async (exchange) => {
  if ((await exchange.body()) === null) return;
  if (exchange.request.target.includes('hold')) {
    await new Promise((resolve) => exchange.socket.on('close', resolve));
  } else await exchange.write(response(200));
};

/** Sends `make(0)`, `make(1)` … in batches until the server ends the connection; stops at `most`. */
async function flood(client: H2Client, most: number, make: (index: number) => Buffer): Promise<number> {
  const batch = 100;
  for (let sent = 0; sent < most; sent += batch) {
    if (client.raw.ending !== null) return sent;
    await client.send(...Array.from({ length: batch }, (_, index) => make(sent + index)));
    // The server needs its turn, and the client must read what it says.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return most;
}

/** The odd stream ids in turn. */
const idOf = (index: number): number => index * 2 + 1;

/** Ended with one of the codes, shown in the metrics, harmless to others. */
async function expectContained(front: Front, client: H2Client, ...codes: readonly number[]): Promise<void> {
  await expectConnectionError(client, ...codes);
  await eventually(async () => {
    const text = await front.portico.metrics();
    expect(text).toMatch(/^portico_limit_hits_total\{[^}]*code="H2_\w+"[^}]*\} [1-9]/m);
  });
  await expectHonestService(front);
}

type Flood = readonly [what: string, prelude: readonly Buffer[], make: (index: number) => Buffer, ...codes: number[]];

const FLOODS: readonly Flood[] = [
  // CVE-2023-44487 and its relatives.
  ['rapid reset: HEADERS and RST_STREAM', [], (i) => Buffer.concat([headers(idOf(i), HOLD), rstStream(idOf(i))]), enhanceYourCalm],
  ['rapid reset with a body under way', [], (i) => Buffer.concat([headers(idOf(i), UPLOAD, 4), data(idOf(i), 'x'), rstStream(idOf(i))]), enhanceYourCalm],
  ['rapid reset with NO_ERROR', [], (i) => Buffer.concat([headers(idOf(i), HOLD), rstStream(idOf(i), 0)]), enhanceYourCalm],
  // CVE-2025-8671, MadeYouReset: the server is made to reset.
  ['MadeYouReset by WINDOW_UPDATE of 0', [], (i) => Buffer.concat([headers(idOf(i), HOLD), windowUpdate(idOf(i), 0)]), enhanceYourCalm],
  ['MadeYouReset by a window overflow', [], (i) => Buffer.concat([headers(idOf(i), HOLD), windowUpdate(idOf(i), MAX_WINDOW)]), enhanceYourCalm],
  ['MadeYouReset by DATA on a half-closed stream', [], (i) => Buffer.concat([headers(idOf(i), HOLD), data(idOf(i), 'x')]), enhanceYourCalm, streamClosed],
  ['MadeYouReset by HEADERS on a half-closed stream', [], (i) => Buffer.concat([headers(idOf(i), HOLD), headers(idOf(i), HOLD)]), enhanceYourCalm, streamClosed],
  ['MadeYouReset by PRIORITY of 4 octets', [], (i) => Buffer.concat([headers(idOf(i), HOLD), frame(FrameType.priority, 0, idOf(i), Buffer.alloc(4))]), enhanceYourCalm, frameSizeError],
  ['MadeYouReset by PRIORITY on itself', [], (i) => Buffer.concat([headers(idOf(i), HOLD), priority(idOf(i), idOf(i))]), enhanceYourCalm, protocolError],
  ['MadeYouReset by more DATA than content-length', [], (i) => Buffer.concat([headers(idOf(i), headerBlock(requestFields({ ':method': 'PUT', ':path': `${PATH}?hold` }, ['content-length', '1'])), 4), data(idOf(i), 'xx')]), enhanceYourCalm],
  ['MadeYouReset by malformed heads', [], (i) => headers(idOf(i), headerBlock(requestFields({}, ['connection', 'x']))), enhanceYourCalm],
  ['MadeYouReset by malformed trailers', [], (i) => Buffer.concat([headers(idOf(i), UPLOAD, 4), headers(idOf(i), headerBlock([[':path', '/']]))]), enhanceYourCalm],
  ['streams beyond the limit, again and again', [], (i) => headers(idOf(i), HOLD), enhanceYourCalm],
  // CVE-2019-9512, 9515, 9516, 9518 and the like.
  ['PING', [], () => ping(), enhanceYourCalm],
  ['PING with ACK', [], () => ping('unasked!', Flag.ack), enhanceYourCalm],
  ['SETTINGS', [], () => settings([Setting.initialWindowSize, 1000]), enhanceYourCalm],
  ['empty SETTINGS', [], () => settings(), enhanceYourCalm],
  ['SETTINGS ACK', [], () => frame(FrameType.settings, Flag.ack, 0), enhanceYourCalm],
  ['SETTINGS that change the table size', [], (i) => settings([Setting.headerTableSize, i % 2 === 0 ? 0 : 4096]), enhanceYourCalm],
  ['SETTINGS of many entries that move many windows', Array.from({ length: 90 }, (_, i) => headers(idOf(i), HOLD)), (i) => settings(...Array.from({ length: 1000 }, (_one, j) => [Setting.initialWindowSize, (i + j) % 1000] as const)), enhanceYourCalm],
  ['empty DATA', [headers(1, UPLOAD, 4)], () => data(1), enhanceYourCalm],
  ['DATA of padding only', [headers(1, UPLOAD, 4)], () => data(1, Buffer.from([0]), Flag.padded), enhanceYourCalm, flowControlError],
  ['empty DATA on a stream that is reset', [headers(1, UPLOAD, 4), rstStream(1)], () => data(1), enhanceYourCalm, streamClosed],
  ['DATA on a stream that is reset', [headers(1, UPLOAD, 4), rstStream(1)], () => data(1, 'x'), enhanceYourCalm, streamClosed],
  ['PRIORITY', [], (i) => priority(idOf(i), 0, i & 0xff), enhanceYourCalm],
  ['PRIORITY on one open stream', [headers(1, HOLD)], (i) => priority(1, idOf(i) + 2), enhanceYourCalm],
  ['PRIORITY_UPDATE', [headers(1, HOLD)], () => frame(0x10, 0, 0, Buffer.concat([u32(1), Buffer.from('u=1')])), enhanceYourCalm],
  ['PRIORITY_UPDATE for ever more streams to come', [], (i) => frame(0x10, 0, 0, Buffer.concat([u32(idOf(i)), Buffer.from('u=1')])), protocolError],
  ['WINDOW_UPDATE of one on the connection', [], () => windowUpdate(0, 1), enhanceYourCalm],
  ['WINDOW_UPDATE of one on a stream', [headers(1, HOLD)], () => windowUpdate(1, 1), enhanceYourCalm],
  ['WINDOW_UPDATE on a stream that is over', [headers(1, HOLD), rstStream(1)], () => windowUpdate(1, 1), enhanceYourCalm],
  ['RST_STREAM on a stream that is over', [headers(1, HOLD)], () => rstStream(1), enhanceYourCalm],
  ['unknown frames', [], () => frame(0xbb, 0, 0), enhanceYourCalm],
  ['large unknown frames', [], () => frame(0xbb, 0, 0, Buffer.alloc(MAX_FRAME_SIZE)), enhanceYourCalm],
  ['GOAWAY', [headers(1, HOLD)], () => frame(FrameType.goaway, 0, 0, Buffer.alloc(8)), enhanceYourCalm],
  // CVE-2024-27983 and the like.
  ['CONTINUATION without an end', [headers(1, TINY, Flag.endStream)], () => continuation(1, TINY), enhanceYourCalm],
  ['empty CONTINUATION without an end', [headers(1, TINY, Flag.endStream)], () => continuation(1, Buffer.alloc(0)), enhanceYourCalm],
  ['large CONTINUATION without an end', [headers(1, TINY, Flag.endStream)], () => continuation(1, Buffer.alloc(MAX_FRAME_SIZE, 0x82)), enhanceYourCalm],
  ['CONTINUATION in trailers without an end', [headers(1, UPLOAD, 4), headers(1, TINY, Flag.endStream)], () => continuation(1, TINY), enhanceYourCalm],
]; // prettier-ignore

describe('floods', () => {
  test.for(FLOODS)('%s', async ([, prelude, make, ...codes], { stage }) => {
    const front = await stage.front(holding);
    const client = await connectH2(front, { giveBack: false });
    await client.roundTrip();
    await client.send(...prelude);
    await flood(client, 50_000, make);
    await expectContained(front, client, ...codes);
    // What went upstream is bounded as well.
    expect(front.backend.requests.length).toBeLessThan(2000);
  });

  test('a flood of PING by a client that reads nothing does not fill memory', async ({ stage }) => {
    const front = await stage.front(holding);
    const client = await connectH2(front);
    await client.roundTrip();
    client.raw.pause();
    await flood(client, 20_000, () => ping());
    client.raw.resume();
    await client.closed();
    await expectHonestService(front);
  });

  test('honest clients are served while others flood', async ({ stage }) => {
    const front = await stage.front(holding);
    const attack = async (): Promise<void> => {
      for (let round = 0; round < 3; round += 1) {
        const client = await connectH2(front);
        await flood(client, 5000, (i) => Buffer.concat([headers(idOf(i), HOLD), rstStream(idOf(i))]));
        client.raw.destroy();
      }
    };
    const attacks = Promise.all([attack(), attack(), attack()]);
    const honest = await connectH2(front);
    for (let index = 0; index < 100; index += 1) expect((await honest.fetch()).status).toBe(200);
    await attacks;
    await expectHonestService(front);
  });
});

describe('what is not a flood', () => {
  test('an answer in thousands of small pieces, with a WINDOW_UPDATE for each, on stream and connection', async ({
    stage,
  }) => {
    const pieces = 3000;
    const front = await stage.front(async (exchange) => {
      await exchange.body();
      await exchange.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      for (let index = 0; index < pieces; index += 1) {
        await exchange.write('4\r\ndata\r\n');
        // So that each piece is a frame of its own.
        await new Promise((resolve) => setImmediate(resolve));
      }
      await exchange.write('0\r\n\r\n');
    });
    const client = await connectH2(front);
    const id = await client.open();
    const seen = await client.response(id, 30_000);
    expect([seen.status, seen.body.length, seen.ended]).toEqual([200, pieces * 4, true]);
  });

  test('an upload in thousands of small pieces', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    const id = await client.open(requestFields({ ':method': 'PUT' }), false);
    for (let index = 0; index < 3000; index += 1) {
      await client.send(data(id, 'data', index === 2999 ? Flag.endStream : Flag.none));
    }
    expect((await client.response(id)).status).toBe(200);
    expect(front.backend.requests[0]?.body.length).toBe(12_000);
  });

  test('a browser that leaves a room: a hundred requests cancelled at once, twice', async ({ stage }) => {
    const front = await stage.front(holding);
    const client = await connectH2(front);
    for (let round = 0; round < 2; round += 1) {
      const ids: number[] = [];
      for (let index = 0; index < 100; index += 1) {
        ids.push(await client.open(requestFields({ ':path': `${PATH}?hold` })));
      }
      await client.roundTrip();
      await client.send(...ids.map((id) => rstStream(id)));
      expect((await client.fetch()).status).toBe(200);
    }
    expect(client.goaways).toEqual([]);
  });

  test('a PING a frame while megabytes flow', async ({ stage }) => {
    const body = Buffer.alloc(2_000_000);
    const front = await stage.front(async (exchange) => {
      await exchange.body();
      await exchange.write(`HTTP/1.1 200 OK\r\nContent-Length: ${String(body.length)}\r\n\r\n`);
      await exchange.write(body);
    });
    const client = await connectH2(front);
    const id = await client.open();
    let pinged = 0;
    while (!client.stream(id).ended) {
      await client.roundTrip();
      pinged += 1;
    }
    expect(pinged).toBeGreaterThan(0);
    expect((await client.response(id)).body.length).toBe(body.length);
  });
});

describe('windows that never open', () => {
  test('a hundred streams with window 0 on each of five connections: all end when their clients do', async ({
    stage,
  }) => {
    const body = Buffer.alloc(200_000);
    const front = await stage.front(async (exchange) => {
      await exchange.body();
      if (exchange.request.target.includes('big')) {
        await exchange.write(`HTTP/1.1 200 OK\r\nContent-Length: ${String(body.length)}\r\n\r\n`);
        await exchange.write(body);
      } else await exchange.write(response(200));
    });
    const clients: H2Client[] = [];
    for (let index = 0; index < 5; index += 1) {
      clients.push(await connectH2(front, { settings: [[Setting.initialWindowSize, 0]], servername: 'example.test' }));
    }
    for (const client of clients) {
      const ids: number[] = [];
      for (let index = 0; index < 100; index += 1) {
        ids.push(await client.open(requestFields({ ':path': `${PATH}?big` })));
      }
      for (const id of ids) await client.head(id);
      expect(ids.map((id) => client.stream(id).bytes)).toEqual(ids.map(() => 0));
    }
    // The address's own limit on requests in flight is not met yet: others of it are served.
    const h1 = await front.connect();
    await h1.send(get(PATH));
    expect((await h1.readResponse()).status).toBe(200);
    for (const client of clients) client.raw.destroy();
    await expectHonestService(front);
  });

  test('a thousand streams with windows of one byte on ten connections: each byte costs a frame, nobody waits for them', async ({
    stage,
  }) => {
    const front = await stage.front(
      async (exchange) => {
        await exchange.body();
        await exchange.write(response(200, 'x'.repeat(exchange.request.target.includes('big') ? 20_000 : 2)));
      },
      (config) => (config.limits = { requests_per_address: 5000 }),
    );
    const slow: (readonly [client: H2Client, ids: number[]])[] = [];
    for (let index = 0; index < 10; index += 1) {
      const client = await connectH2(front, { settings: [[Setting.initialWindowSize, 1]], giveBack: false });
      const ids: number[] = [];
      for (let at = 0; at < 100; at += 1) ids.push(await client.open(requestFields({ ':path': `${PATH}?big` })));
      slow.push([client, ids]);
    }
    for (const [client, ids] of slow) {
      await client.until(() => ids.every((id) => client.stream(id).bytes === 1), 'a byte of each');
    }
    const honest = await connectH2(front);
    for (let round = 2; round < 6; round += 1) {
      for (const [client, ids] of slow) await client.send(...ids.map((id) => windowUpdate(id, 1)));
      expect((await honest.fetch()).status).toBe(200);
      for (const [client, ids] of slow) {
        await client.until(() => ids.every((id) => client.stream(id).bytes === round), 'one byte more of each');
      }
    }
    // Going on like this is a flood of frames that bring nothing.
    const [[client, ids] = [null, []]] = slow;
    if (client === null) throw new Error('no client');
    for (let round = 0; round < 40 && client.raw.ending === null; round += 1) {
      await client.send(...ids.map((id) => windowUpdate(id, 1)));
    }
    await expectContained(front, client, enhanceYourCalm);
    for (const [each] of slow) each.raw.destroy();
    await expectHonestService(front);
  });

  test('a reader that takes nothing is cut off by min_response_rate', async ({ stage }) => {
    const body = Buffer.alloc(200_000);
    const front = await stage.front(
      async (exchange) => {
        await exchange.body();
        if (exchange.request.target.includes('big')) {
          await exchange.write(`HTTP/1.1 200 OK\r\nContent-Length: ${String(body.length)}\r\n\r\n`);
          await exchange.write(body);
        } else await exchange.write(response(200));
      },
      (config) => (config.limits.classes = { client: { min_response_rate: '100KiB' } }),
    );
    const client = await connectH2(front, { settings: [[Setting.initialWindowSize, 0]] });
    const id = await client.open(requestFields({ ':path': `${PATH}?big` }));
    await client.head(id);
    front.portico.advance(35_000);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    front.portico.advance(35_000);
    await client.until(() => client.stream(id).reset !== null || client.goaways.length > 0, 'an end');
    expect(client.stream(id).ended).toBe(false);
    await expectHonestService(front);
  });

  test('one byte at a time cannot hold an answer for ever', async ({ stage }) => {
    const front = await stage.front(async (exchange) => {
      await exchange.body();
      const size = exchange.request.target.includes('big') ? 10_000 : 2;
      await exchange.write(response(200, 'x'.repeat(size)));
    });
    const client = await connectH2(front, { settings: [[Setting.initialWindowSize, 1]], giveBack: false });
    const id = await client.open(requestFields({ ':path': `${PATH}?big` }));
    const drip = setInterval(() => {
      void client.send(windowUpdate(id, 1));
    }, 100);
    try {
      await client.until(() => client.stream(id).bytes > 3, 'a few bytes');
      for (let step = 0; step < 8 && client.stream(id).reset === null; step += 1) {
        front.portico.advance(15_000);
        await new Promise((resolve) => setTimeout(resolve, 600));
      }
      await client.until(() => client.stream(id).reset !== null || client.goaways.length > 0, 'an end');
      expect(client.stream(id).ended).toBe(false);
    } finally {
      clearInterval(drip);
    }
    await expectHonestService(front);
  });
});

describe('HPACK', () => {
  /** One large entry in the dynamic table, then as many references to it as a frame has room for. */
  const bomb = (references: number): Buffer =>
    Buffer.concat([
      headerBlock(requestFields()),
      hpackIndexedLiteral('x-bomb', 'b'.repeat(4000)),
      ...Array.from({ length: references }, () => hpackIndex(62)),
    ]);

  test('a bomb: 431 or a reset, nothing upstream, the table stays right', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    for (const references of [10, 12_000]) {
      const id = client.nextId();
      await client.send(headers(id, bomb(references)));
      const seen = await client.response(id);
      if (seen.status !== 0) expect(seen.status).toBe(431);
      else expect([protocolError, enhanceYourCalm]).toContain(seen.reset);
    }
    expect(front.backend.text()).toBe('');
    expect((await client.fetch()).status).toBe(200);
    await expectHonestService(front);
  });

  test('bombs without end', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    let refused = 0;
    for (let index = 0; index < 200 && client.raw.ending === null; index += 1) {
      const id = client.nextId();
      await client.send(headers(id, bomb(12_000)));
      await client.until(() => client.stream(id).ended || client.stream(id).reset !== null || client.goaways.length > 0, 'a refusal').catch(() => undefined);
      refused += 1;
    } // prettier-ignore
    expect(refused).toBeGreaterThan(0);
    expect(front.backend.text()).toBe('');
    await expectHonestService(front);
  });

  test('the table is filled, shrunk, grown and filled again: what is sent is what arrives', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    for (let round = 0; round < 50; round += 1) {
      const id = client.nextId();
      const value = `${String(round)}-${'v'.repeat(60)}`;
      const block = Buffer.concat([
        hpackTableSize(0),
        hpackTableSize(round % 2 === 0 ? 4096 : 100 + round),
        headerBlock(requestFields()),
        hpackIndexedLiteral('x-first', 'f'.repeat(round)),
        hpackIndexedLiteral('x-round', value),
        // The newest entry, once more; the entry is small enough for either table.
        ...(round % 2 === 0 ? [hpackIndex(62)] : []),
      ]);
      await client.send(headers(id, block));
      expect((await client.response(id)).status).toBe(200);
      const request = front.backend.requests.at(-1);
      expect(request?.values('x-round')).toEqual(round % 2 === 0 ? [value, value] : [value]);
      expect(request?.values('x-first')).toEqual(['f'.repeat(round)]);
    }
  });

  test('an entry larger than the table empties it: a reference to what was there is an error', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    const first = client.nextId();
    await client.send(headers(first, Buffer.concat([headerBlock(requestFields()), hpackIndexedLiteral('x-a', 'b')])));
    expect((await client.response(first)).status).toBe(200);
    const block = Buffer.concat([
      headerBlock(requestFields()),
      hpackIndexedLiteral('x-large', 'l'.repeat(5000)),
      hpackIndex(62),
    ]);
    await client.send(headers(client.nextId(), block));
    await expectConnectionError(client, ErrorCode.compressionError);
  });

  test('the client’s table size is kept to: 0, 100, and back', async ({ stage }) => {
    const fields = ['Content-Type: application/json', 'X-Long: a-value-that-would-be-indexed', 'X-Other: again'];
    const front = await stage.front(async (exchange) => {
      await exchange.body();
      await exchange.write(response(200, '{}', fields));
    });
    // The decoder of the client fails on any entry beyond the table it has announced.
    const client = await connectH2(front);
    for (const size of [0, 100, 0, 4096, 50, 4096]) {
      await client.send(settings([Setting.headerTableSize, size]));
      for (let index = 0; index < 3; index += 1) {
        const seen = await client.fetch();
        expect(seen.field('x-long')).toBe('a-value-that-would-be-indexed');
      }
    }
  });

  test('fields without name or value, by the thousand (CVE-2019-9516)', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    const empty = headerBlock(Array.from({ length: 4000 }, () => ['', ''] as const));
    const id = client.nextId();
    await client.send(headers(id, Buffer.concat([headerBlock(requestFields()), empty])));
    const seen = await client.response(id);
    if (seen.status !== 0) expect(seen.status).toBe(431);
    else expect([protocolError, enhanceYourCalm]).toContain(seen.reset);
    expect(front.backend.text()).toBe('');
    await expectHonestService(front);
  });
});

describe('connections without a request', () => {
  test('many that only open are dropped with their clients', async ({ stage }) => {
    const front = await stage.front();
    for (let index = 0; index < 50; index += 1) {
      const client = await connectH2(front, { preface: index % 2 === 0 });
      if (index % 3 === 0) await client.send(PREFACE.subarray(0, 3));
      client.raw.destroy();
    }
    await expectHonestService(front);
  });
});
