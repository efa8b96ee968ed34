/** Every refusal of the HTTP/2 front shows in `portico_limit_hits_total`, once, under its own code. */
import { describe, expect } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import { PATH, connectH2, expectHonestService, requestFields } from '../helpers/h2-client.ts';
import type { H2Client } from '../helpers/h2-client.ts';
import {
  ErrorCode,
  Flag,
  FrameType,
  MAX_WINDOW,
  Setting,
  continuation,
  data,
  frame,
  headerBlock,
  headers,
  ping,
  priority,
  rstStream,
  windowUpdate,
} from '../helpers/h2-frames.ts';
import { response } from '../helpers/recording-backend.ts';
import type { Script } from '../helpers/recording-backend.ts';
import { test } from '../helpers/stage.ts';
import type { Front } from '../helpers/stage.ts';

const HOLD = headerBlock(requestFields({ ':path': `${PATH}?hold` }));
const UPLOAD = headerBlock(requestFields({ ':method': 'PUT', ':path': `${PATH}?hold` }));
const FIVE = headerBlock(requestFields({ ':method': 'PUT', ':path': `${PATH}?hold` }, ['content-length', '5']));
/** Larger than `max_head`, and than one frame may be. */
const LONG = headerBlock(requestFields({}, ['x-a', 'v'.repeat(9000)], ['x-b', 'v'.repeat(9000)]));
const TINY = headerBlock([['x-a', 'b']]);

const holding: Script = async (exchange) => {
  if ((await exchange.body()) === null) return;
  if (exchange.request.target.includes('hold')) {
    await new Promise((resolve) => exchange.socket.on('close', resolve));
  } else await exchange.write(response(200));
};

/** All samples of the family that are not zero, by code. */
async function hits(front: Front): Promise<Record<string, number>> {
  const text = await front.portico.metrics();
  const lines = [...text.matchAll(/^portico_limit_hits_total\{code="(\w+)"\} (\d+)/gm)];
  return Object.fromEntries(lines.map(([, code, count]) => [code, Number(count)] as const).filter(([, n]) => n > 0));
}

type Case = readonly [what: string, frames: readonly Buffer[], expected: Record<string, number>];

/** What costs the client a stream: the connection lives on. */
const STREAMS: readonly Case[] = [
  ['a malformed head', [headers(1, headerBlock(requestFields({}, ['connection', 'x'])))], { H2_MALFORMED: 1 }],
  ['malformed trailers', [headers(1, UPLOAD, 4), headers(1, headerBlock([[':path', '/']]))], { H2_MALFORMED: 1 }],
  ['more DATA than content-length', [headers(1, FIVE, 4), data(1, 'too much')], { H2_MALFORMED: 1 }],
  ['less DATA than content-length', [headers(1, FIVE, 4), data(1, 'few', Flag.endStream)], { H2_MALFORMED: 1 }],
  ['DATA on a half-closed stream', [headers(1, HOLD), data(1, 'x')], { H2_MALFORMED: 1 }],
  ['DATA on a stream that is over', [headers(1, UPLOAD, 4), rstStream(1), data(1, 'x')], { H2_MALFORMED: 1 }],
  ['HEADERS on a half-closed stream', [headers(1, HOLD), headers(1, HOLD)], { H2_MALFORMED: 1 }],
  ['WINDOW_UPDATE of 0', [headers(1, HOLD), windowUpdate(1, 0)], { H2_MALFORMED: 1 }],
  ['a window overflow', [headers(1, HOLD), windowUpdate(1, MAX_WINDOW)], { H2_MALFORMED: 1 }],
  ['PRIORITY on itself', [headers(1, HOLD), priority(1, 1)], { H2_MALFORMED: 1 }],
  ['PRIORITY of 4 octets on an idle stream', [frame(FrameType.priority, 0, 7, Buffer.alloc(4))], { H2_MALFORMED: 1 }],
  [
    'two streams beyond the limit',
    Array.from({ length: 130 }, (_, index) => headers(1 + 2 * index, HOLD)),
    { H2_STREAMS: 2 },
  ],
  ['a GET with a body', [headers(1, HOLD, 4), data(1, 'x')], { BODY_UNEXPECTED: 1 }],
  [
    'a head beyond max_head',
    [headers(1, LONG.subarray(0, 9000), 1), continuation(1, LONG.subarray(9000), 4)],
    { HEAD_TOO_LARGE: 1 },
  ],
];

/** What costs it the connection. */
const CONNECTIONS: readonly Case[] = [
  ['a broken rule', [data(0, 'x')], { H2_PROTOCOL: 1 }],
  ['a broken header block', [headers(1, Buffer.from([0x80]))], { H2_PROTOCOL: 1 }],
  [
    'a block without end',
    [headers(1, TINY, 0), ...Array.from({ length: 40 }, () => continuation(1, TINY))],
    { H2_CONTINUATION: 1 },
  ],
  ['frames that bring nothing', Array.from({ length: 3000 }, () => ping()), { H2_CONTROL_FRAMES: 1 }],
  [
    'resets',
    Array.from({ length: 1000 }, (_, index) => Buffer.concat([headers(1 + 2 * index, HOLD), rstStream(1 + 2 * index)])),
    { H2_RESETS: 1 },
  ],
];

describe('a refused stream', () => {
  test.for(STREAMS)('%s', async ([, frames, expected], { stage }) => {
    const front = await stage.front(holding);
    const client = await connectH2(front);
    await client.roundTrip();
    await client.send(...frames);
    await client.roundTrip();
    expect(await hits(front)).toEqual(expected);
    expect(client.goaways).toEqual([]);
    client.raw.destroy();
    await expectHonestService(front);
  });
});

describe('a refused connection', () => {
  test.for(CONNECTIONS)('%s', async ([, frames, expected], { stage }) => {
    const front = await stage.front(holding);
    const client = await connectH2(front);
    await client.roundTrip();
    await client.send(...frames);
    await client.closed();
    expect(await hits(front)).toEqual(expected);
    await expectHonestService(front);
  });
});

describe('time that runs out', () => {
  /** Moves the clock on until something is counted. */
  async function afterAWhile(front: Front, client: H2Client, expected: Record<string, number>): Promise<void> {
    await client.roundTrip();
    await eventually(async () => {
      front.portico.advance(5000);
      expect(await hits(front)).toEqual(expected);
    });
    await expectHonestService(front);
  }

  test('a header block that stops half way', async ({ stage }) => {
    const front = await stage.front(holding);
    const client = await connectH2(front);
    await client.roundTrip();
    await client.send(headers(1, TINY, 0));
    await eventually(async () => {
      front.portico.advance(5000);
      expect(await hits(front)).toEqual({ H2_HEAD_TIMEOUT: 1 });
    });
    await client.closed();
    await expectHonestService(front);
  });

  test('a GET whose END_STREAM does not come', async ({ stage }) => {
    const front = await stage.front(holding);
    const client = await connectH2(front);
    await client.send(headers(1, HOLD, 4));
    await afterAWhile(front, client, { REQUEST_TIMEOUT: 1 });
    expect(client.stream(1).reset).toBe(ErrorCode.cancel);
  });

  test('an upload that stops', async ({ stage }) => {
    const front = await stage.front(holding);
    const client = await connectH2(front);
    await client.send(headers(1, UPLOAD, 4), data(1, 'x'));
    await afterAWhile(front, client, { REQUEST_TIMEOUT: 1 });
  });

  test('an answer that waits behind a shut window', async ({ stage }) => {
    const front = await stage.front(holding);
    const client = await connectH2(front, { settings: [[Setting.initialWindowSize, 0]] });
    const id = await client.open();
    await client.head(id);
    await afterAWhile(front, client, { RESPONSE_TOO_SLOW: 1 });
    expect(client.stream(id).ended).toBe(false);
  });

  test('a client that reads nothing at all', async ({ stage }) => {
    const front = await stage.front(async (exchange) => {
      await exchange.body();
      const size = exchange.request.target.includes('big') ? 64_000 : 2;
      await exchange.write(response(200, 'x'.repeat(size)));
    });
    const client = await connectH2(front, { settings: [[Setting.initialWindowSize, MAX_WINDOW]], giveBack: false });
    await client.send(windowUpdate(0, MAX_WINDOW - 65_535));
    await client.roundTrip();
    client.raw.pause();
    // More than the system's buffers take, in answers that have all left the homeserver.
    let opened = 0;
    await eventually(async () => {
      for (let index = 0; index < 20; index += 1) await client.open(requestFields({ ':path': `${PATH}?big` }));
      opened += 20;
      front.portico.advance(10_000);
      expect((await hits(front)).RESPONSE_TOO_SLOW, String(opened)).toBeGreaterThan(0);
    }, 30_000);
    client.raw.destroy();
    await expectHonestService(front);
  });
});
