/** Flow control (RFC 9113 §5.2, §6.9) in both directions: nobody is drowned, and nobody waits for somebody else's window. */
import { createHash } from 'node:crypto';
import { describe, expect } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
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
  INITIAL_WINDOW,
  MAX_FRAME_SIZE,
  MAX_WINDOW,
  Setting,
  data,
  settings,
  windowUpdate,
} from '../helpers/h2-frames.ts';
import { response } from '../helpers/recording-backend.ts';
import type { Script } from '../helpers/recording-backend.ts';
import { test } from '../helpers/stage.ts';

const UPLOAD = '/_matrix/media/v3/upload';
const DOWNLOAD = '/_matrix/client/v1/media/download/example.test/big';
const BIG = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => (index * 7 + (index >> 8)) & 0xff));
const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** Answers downloads with a large body, everything else with `{}`. */
const bigOrSmall: Script = async (exchange) => {
  await exchange.body();
  if (!exchange.request.target.includes('/download/')) {
    await exchange.write(response(200));
    return;
  }
  await exchange.write(`HTTP/1.1 200 OK\r\nContent-Length: ${String(BIG.length)}\r\n\r\n`);
  await exchange.write(BIG);
};

/** Waits until nothing more comes on the stream: two round trips without a byte. */
async function settledBytes(client: H2Client, id: number): Promise<number> {
  for (let still = 0, last = -1; ;) {
    await client.roundTrip();
    await new Promise((resolve) => setTimeout(resolve, 30));
    const now = client.stream(id).bytes;
    still = now === last ? still + 1 : 0;
    last = now;
    if (still === 4) return now;
  }
}

describe('upload', () => {
  test('megabytes arrive whole while the client keeps to the windows', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    const fields = [['content-length', String(BIG.length)]] as const;
    const seen = await client.fetch({ ':method': 'POST', ':path': UPLOAD }, fields, BIG);
    expect(seen.status).toBe(200);
    const [request] = front.backend.requests;
    expect(request?.complete).toBe(true);
    expect(digest(request?.body ?? Buffer.alloc(0))).toBe(digest(BIG));
  });

  test('four at a time, of unknown length', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    const part = BIG.subarray(0, 500_000);
    const all = await Promise.all(
      [1, 2, 3, 4].map(() => client.fetch({ ':method': 'POST', ':path': UPLOAD }, [], part)),
    );
    expect(all.map((one) => one.status)).toEqual([200, 200, 200, 200]);
    for (const request of front.backend.requests) expect(digest(request.body)).toBe(digest(part));
  });

  test('an upstream that does not read closes this stream’s window only', async ({ stage }) => {
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const front = await stage.front(async (exchange) => {
      if (exchange.request.target.includes('slow')) {
        exchange.socket.pause();
        await released;
        exchange.socket.resume();
      }
      if ((await exchange.body()) !== null) await exchange.write(response(200));
    });
    const client = await connectH2(front);
    const body = Buffer.alloc(20_000_000);
    const fields = requestFields({ ':method': 'POST', ':path': `${UPLOAD}?slow` });
    const id = await client.open(fields, false);
    let uploaded = false;
    const upload = client.upload(id, body).then(
      () => (uploaded = true),
      () => undefined,
    );
    // The stream's window comes to a stop while the connection's stays open for others.
    await eventually(() => {
      expect(client.sendWindow(id)).toBe(0);
    });
    expect(client.connectionSendWindow).toBeGreaterThan(INITIAL_WINDOW);
    const other = await client.fetch({ ':method': 'POST', ':path': UPLOAD }, [], BIG.subarray(0, 300_000));
    expect(other.status).toBe(200);
    expect([uploaded, client.sendWindow(id)]).toEqual([false, 0]);
    release();
    // It goes on as soon as the upstream does.
    const updates = (): number =>
      client.frames.filter((one) => one.type === FrameType.windowUpdate && one.streamId === id).length;
    const before = updates();
    await client.until(() => updates() > before, 'a window again');
    client.raw.destroy();
    await upload;
  });

  test('DATA beyond the stream’s window: FLOW_CONTROL_ERROR', async ({ stage }) => {
    const front = await stage.front(async (exchange) => {
      exchange.socket.pause();
      await new Promise((resolve) => exchange.socket.on('close', resolve));
    });
    const client = await connectH2(front);
    const id = await client.open(requestFields({ ':method': 'POST', ':path': UPLOAD }), false);
    const piece = Buffer.alloc(MAX_FRAME_SIZE);
    // Without a look at the windows; the server gives nothing back for what its upstream has not taken.
    const flood = async (): Promise<void> => {
      for (let sent = 0; sent < 64_000_000 && client.raw.ending === null; sent += piece.length) {
        if (client.stream(id).reset !== null) return;
        await client.send(data(id, piece));
      }
    };
    await flood();
    await eventually(() => {
      expect(client.stream(id).reset ?? client.goaways.at(-1)?.code, client.describe()).toBe(
        ErrorCode.flowControlError,
      );
    });
    expect(front.backend.requests.every((one) => !one.complete)).toBe(true);
    front.backend.script = async (exchange) => exchange.write(response(200));
    await expectHonestService(front);
  });
});

describe('download', () => {
  test('megabytes arrive whole, in frames of at most 16,384 octets', async ({ stage }) => {
    const front = await stage.front(bigOrSmall);
    const client = await connectH2(front);
    const seen = await client.fetch({ ':path': DOWNLOAD });
    expect([seen.status, seen.ended, seen.field('content-length')]).toEqual([200, true, String(BIG.length)]);
    expect(digest(seen.body)).toBe(digest(BIG));
    expect(Math.max(...client.frames.map((one) => one.payload.length))).toBeLessThanOrEqual(MAX_FRAME_SIZE);
  });

  test('windows of one byte: one byte at a time', async ({ stage }) => {
    const front = await stage.front(bigOrSmall);
    const client = await connectH2(front, { settings: [[Setting.initialWindowSize, 1]], giveBack: false });
    const id = await client.open();
    for (let have = 1; have <= 2; have += 1) {
      await client.until(() => client.stream(id).bytes === have, `byte ${String(have)}`);
      expect(client.stream(id).ended).toBe(have === 2);
      await client.send(windowUpdate(id, 1));
    }
    expect(client.responseSoFar(id).body.toString()).toBe('{}');
  });

  test('without giving back: exactly the window, then nothing; the connection’s window counts for all', async ({
    stage,
  }) => {
    const front = await stage.front(bigOrSmall);
    const client = await connectH2(front, { giveBack: false });
    const id = await client.open(requestFields({ ':path': DOWNLOAD }));
    expect(await settledBytes(client, id)).toBe(INITIAL_WINDOW);
    // The connection's window is used up: another stream gets its head, but no body.
    const other = await client.open();
    expect((await client.head(other)).status).toBe(200);
    await client.send(windowUpdate(id, 1000));
    await client.roundTrip();
    expect([client.stream(id).bytes, client.stream(other).bytes]).toEqual([INITIAL_WINDOW, 0]);
    await client.send(windowUpdate(0, MAX_WINDOW - INITIAL_WINDOW), windowUpdate(id, MAX_WINDOW - INITIAL_WINDOW));
    expect((await client.response(other)).body.toString()).toBe('{}');
    expect(digest((await client.response(id)).body)).toBe(digest(BIG));
  });

  test('a reader with window 0 does not hold other streams, nor the homeserver’s memory', async ({ stage }) => {
    const front = await stage.front(bigOrSmall);
    const client = await connectH2(front, { settings: [[Setting.initialWindowSize, 0]] });
    const stuck = await Promise.all(
      Array.from({ length: 20 }, () => client.open(requestFields({ ':path': DOWNLOAD }))),
    );
    for (const id of stuck) expect((await client.head(id)).status).toBe(200);
    const id = await client.open();
    await client.send(windowUpdate(id, 100));
    const seen = await client.response(id);
    expect([seen.status, seen.body.toString()]).toEqual([200, '{}']);
    expect(stuck.map((one) => client.stream(one).bytes)).toEqual(stuck.map(() => 0));
    client.raw.destroy();
    await expectHonestService(front);
  });

  test('SETTINGS_INITIAL_WINDOW_SIZE applies to streams that are open, also down to below zero', async ({ stage }) => {
    const front = await stage.front(bigOrSmall);
    const client = await connectH2(front, { settings: [[Setting.initialWindowSize, 10]], giveBack: false });
    const id = await client.open(requestFields({ ':path': DOWNLOAD }));
    await client.until(() => client.stream(id).bytes === 10, 'ten bytes');
    await client.send(settings([Setting.initialWindowSize, 30]));
    await client.until(() => client.stream(id).bytes === 30, 'thirty bytes');
    // RFC 9113 §6.9.2: the window may become negative; it is 5 - 30 = -25 now.
    await client.send(settings([Setting.initialWindowSize, 5]), windowUpdate(id, 20));
    expect(await settledBytes(client, id)).toBe(30);
    await client.send(windowUpdate(id, 6));
    await client.until(() => client.stream(id).bytes === 31, 'one byte more');
  });

  test('a window beyond 2^31-1 on a stream resets it; on the connection it ends it', async ({ stage }) => {
    const front = await stage.front(bigOrSmall);
    const first = await connectH2(front, { settings: [[Setting.initialWindowSize, 0]] });
    const id = await first.open(requestFields({ ':path': DOWNLOAD }));
    await first.head(id);
    await first.send(windowUpdate(id, MAX_WINDOW), windowUpdate(id, 1));
    await first.until(() => first.stream(id).reset !== null, 'RST_STREAM');
    expect(first.stream(id).reset).toBe(ErrorCode.flowControlError);
    await first.roundTrip();
    const second = await connectH2(front);
    await second.send(windowUpdate(0, MAX_WINDOW));
    await expectConnectionError(second, ErrorCode.flowControlError);
    await expectHonestService(front);
  });

  test('SETTINGS_INITIAL_WINDOW_SIZE that makes an open stream’s window overflow ends the connection', async ({
    stage,
  }) => {
    const front = await stage.front(bigOrSmall);
    const client = await connectH2(front, { settings: [[Setting.initialWindowSize, 0]], giveBack: false });
    const id = await client.open(requestFields({ ':path': DOWNLOAD }));
    await client.head(id);
    // The connection's window is used up by then, so the stream's cannot shrink below its increment.
    await client.send(windowUpdate(id, MAX_WINDOW));
    await client.until(() => client.stream(id).bytes === INITIAL_WINDOW, 'a whole connection window');
    await client.send(settings([Setting.initialWindowSize, INITIAL_WINDOW + 1]));
    await expectConnectionError(client, ErrorCode.flowControlError);
    await expectHonestService(front);
  });

  test('WINDOW_UPDATE of 0 on a stream: PROTOCOL_ERROR for the stream; on the connection: for the connection', async ({
    stage,
  }) => {
    const front = await stage.front(bigOrSmall);
    const first = await connectH2(front);
    const id = await first.open(requestFields({ ':method': 'PUT' }), false);
    await first.send(windowUpdate(id, 0));
    await expectReset(first, id, ErrorCode.protocolError);
    const second = await connectH2(front);
    await second.send(windowUpdate(0, 0));
    await expectConnectionError(second, ErrorCode.protocolError);
    await expectHonestService(front);
  });
});

describe('fairness', () => {
  test('a small answer overtakes large ones that wait for the same connection', async ({ stage }) => {
    const front = await stage.front(bigOrSmall);
    const client = await connectH2(front);
    const large = await Promise.all([1, 2, 3].map(() => client.open(requestFields({ ':path': DOWNLOAD }))));
    await client.until(() => large.every((id) => client.stream(id).bytes > 0), 'the beginning of each');
    const small = await client.open(requestFields({ ':path': PATH }));
    await client.response(small);
    await Promise.all(large.map((id) => client.response(id, 30_000)));
    const order = client.frames.filter((one) => one.type === FrameType.data && (one.flags & Flag.endStream) !== 0);
    expect(order[0]?.streamId).toBe(small);
  });
});
