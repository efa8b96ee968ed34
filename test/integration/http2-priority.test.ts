/**
 * Priorities (RFC 9218), seen where they count: the connection's window is used up, several answers wait for it, and the
 * order of the DATA frames that leave when it opens is what the clients asked for.
 */
import { describe, expect } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import { connectH2, expectConnectionError, expectHonestService, requestFields } from '../helpers/h2-client.ts';
import type { H2Client } from '../helpers/h2-client.ts';
import {
  ErrorCode,
  Flag,
  FrameType,
  INITIAL_WINDOW,
  MAX_FRAME_SIZE,
  MAX_WINDOW,
  frame,
  headerBlock,
  headers,
  u32,
  windowUpdate,
} from '../helpers/h2-frames.ts';
import { response } from '../helpers/recording-backend.ts';
import type { Script } from '../helpers/recording-backend.ts';
import { test } from '../helpers/stage.ts';
import type { Front, Stage } from '../helpers/stage.ts';

const SIZED = '/_matrix/client/v3/sized';
/** Frames of one of the answers that wait. */
const FRAMES = 3;
/** Fewer bytes than Portico holds for a stream, so that all of an answer waits there. */
const WAITING_BYTES = FRAMES * MAX_FRAME_SIZE;
const PRIORITY_UPDATE = 0x10;
const MAX_STREAMS = 128;

/** Answers with as many bytes as the query says. */
const sized: Script = async (exchange) => {
  if ((await exchange.body()) === null) return;
  const size = Number(/\?(\d+)/.exec(exchange.request.target)?.[1] ?? 2);
  await exchange.write(response(200, 'x'.repeat(size)));
};

/** PRIORITY_UPDATE (RFC 9218 §7.1). */
function priorityUpdate(streamId: number, value: string): Buffer {
  return frame(PRIORITY_UPDATE, Flag.none, 0, Buffer.concat([u32(streamId), Buffer.from(value, 'latin1')]));
}

const fieldsOf = (priority: string | null, bytes = WAITING_BYTES): ReturnType<typeof requestFields> =>
  requestFields(
    { ':path': `${SIZED}?${String(bytes)}` },
    ...(priority === null ? [] : [['priority', priority] as const]),
  );

/** Portico, and a client whose connection window is used up while all stream windows are open. */
async function exhausted(stage: Stage, script: Script = sized): Promise<{ front: Front; client: H2Client }> {
  const front = await stage.front(script);
  const client = await connectH2(front, { giveBack: false });
  const filler = await client.open(fieldsOf(null, INITIAL_WINDOW));
  await client.response(filler);
  expect(client.stream(filler).bytes).toBe(INITIAL_WINDOW);
  return { front, client };
}

/** Waits until the answers of all streams lie in Portico, whole. */
async function allWait(front: Front, client: H2Client, ids: readonly number[]): Promise<void> {
  for (const id of ids) await client.head(id);
  await eventually(async () => {
    expect(await front.portico.metric('portico_requests_in_flight')).toBe(0);
  });
  expect(ids.map((id) => client.stream(id).bytes)).toEqual(ids.map(() => 0));
}

/** One stream for each of the priorities, all waiting for the connection's window. */
async function waiting(front: Front, client: H2Client, priorities: readonly (string | null)[]): Promise<number[]> {
  const ids: number[] = [];
  for (const priority of priorities) ids.push(await client.open(fieldsOf(priority)));
  await allWait(front, client, ids);
  return ids;
}

/** Opens the connection's window by `bytes` and returns the streams of the DATA frames that follow, `count` of them. */
async function served(client: H2Client, bytes: number, count: number): Promise<number[]> {
  const before = client.frames.length;
  const seen = (): number[] =>
    client.frames
      .slice(before)
      .filter((one) => one.type === FrameType.data && one.payload.length > 0)
      .map((one) => one.streamId);
  await client.send(windowUpdate(0, bytes));
  await client.until(() => seen().length >= count, `${String(count)} DATA frames`);
  await client.roundTrip();
  return seen();
}

/** Opens the window for everything that waits. */
async function servedAll(client: H2Client, ids: readonly number[]): Promise<number[]> {
  const order = await served(client, ids.length * WAITING_BYTES, ids.length * FRAMES);
  for (const id of ids) expect([client.stream(id).bytes, client.stream(id).ended]).toEqual([WAITING_BYTES, true]);
  return order;
}

/** Each id as often as one answer has frames. */
const oneAfterAnother = (...ids: readonly number[]): number[] =>
  ids.flatMap((id) => Array.from({ length: FRAMES }, () => id));
const inTurn = (...ids: readonly number[]): number[] => Array.from({ length: FRAMES }, () => ids).flat();

describe('urgency', () => {
  test('0 before 1 before the default 3 before 7, however they were asked', async ({ stage }) => {
    const { front, client } = await exhausted(stage);
    const [last = 0, normal = 0, first = 0, later = 0, second = 0] = await waiting(front, client, [
      'u=7',
      null,
      'u=0',
      'u=5, i',
      'u=1;foo="bar", i=?0',
    ]);
    const order = await servedAll(client, [last, normal, first, later, second]);
    expect(order).toEqual(oneAfterAnother(first, second, normal, later, last));
  });

  test('the connection’s window, opened a frame at a time, goes to the most urgent', async ({ stage }) => {
    const { front, client } = await exhausted(stage);
    const [low = 0, high = 0, middle = 0] = await waiting(front, client, ['u=6, i', 'u=1, i', 'u=4, i']);
    const order: number[] = [];
    for (let step = 0; step < 3 * FRAMES; step += 1) order.push(...(await served(client, MAX_FRAME_SIZE, 1)));
    expect(order).toEqual(oneAfterAnother(high, middle, low));
  });

  test('a stalled stream of high urgency does not hold the others', async ({ stage }) => {
    const { client } = await exhausted(stage);
    // More than a stream's window: it stops there, whatever the connection's allows.
    const stalled = await client.open(fieldsOf('u=0', 2 * INITIAL_WINDOW));
    await client.head(stalled);
    const low = await client.open(fieldsOf('u=7'));
    await client.head(low);
    await client.send(windowUpdate(0, MAX_WINDOW - INITIAL_WINDOW));
    expect((await client.response(low)).body.length).toBe(WAITING_BYTES);
    await client.until(() => client.stream(stalled).bytes === INITIAL_WINDOW, 'a stream window of the urgent one');
    expect(client.stream(stalled).ended).toBe(false);
    await client.send(windowUpdate(stalled, INITIAL_WINDOW));
    expect((await client.response(stalled)).ended).toBe(true);
  });

  test('an answer of Portico’s own does not overtake one that is more urgent and waits', async ({ stage }) => {
    const { front, client } = await exhausted(stage);
    const [urgent = 0] = await waiting(front, client, ['u=1']);
    const own = client.nextId();
    const fields = requestFields({ ':path': '/.well-known/matrix/server' }, ['priority', 'u=6']);
    // In one read: the window opens for less than a frame, and there is something small that would fit.
    await client.send(windowUpdate(0, 2000), headers(own, headerBlock(fields)));
    await client.until(() => client.stream(urgent).bytes > 0, 'bytes of the urgent one');
    await client.head(own);
    await client.roundTrip();
    expect([client.stream(urgent).bytes, client.stream(own).bytes]).toEqual([2000, 0]);
  });
});

describe('incremental', () => {
  test('responses of use in pieces share: a frame each in turn', async ({ stage }) => {
    const { front, client } = await exhausted(stage);
    const ids = await waiting(front, client, ['u=2, i', 'i, u=2', 'u=2, i=?1']);
    expect(await servedAll(client, ids)).toEqual(inTurn(...ids));
  });

  test('without a named priority they share as well', async ({ stage }) => {
    const { front, client } = await exhausted(stage);
    const ids = await waiting(front, client, [null, null, null, null]);
    expect(await servedAll(client, ids)).toEqual(inTurn(...ids));
  });

  test('others come whole, in the order of their requests, also when their answers came in another', async ({
    stage,
  }) => {
    const arrived: (() => void)[] = [];
    const { front, client } = await exhausted(stage, async (exchange) => {
      await exchange.body();
      const size = Number(/\?(\d+)/.exec(exchange.request.target)?.[1] ?? 2);
      if (size === WAITING_BYTES) await new Promise<void>((resolve) => arrived.push(resolve));
      await exchange.write(response(200, 'x'.repeat(size)));
    });
    const ids: number[] = [];
    for (const count of [1, 2, 3, 4, 5]) {
      ids.push(await client.open(fieldsOf('u=3, i=?0')));
      await eventually(() => {
        expect(arrived).toHaveLength(count);
      });
    }
    for (const [index, id] of [...ids.entries()].reverse()) {
      arrived[index]?.();
      await client.head(id);
    }
    await allWait(front, client, ids);
    expect(await servedAll(client, ids)).toEqual(oneAfterAnother(...ids));
  });

  test('one that is of use in pieces is not starved by a whole one of its urgency, nor the other way', async ({
    stage,
  }) => {
    const { front, client } = await exhausted(stage);
    const [pieces = 0, whole = 0] = await waiting(front, client, ['u=3, i', 'u=3']);
    const order: number[] = [];
    for (let step = 0; step < 2 * FRAMES; step += 1) order.push(...(await served(client, MAX_FRAME_SIZE, 1)));
    expect(order.slice(0, FRAMES + 1)).toEqual(expect.arrayContaining([pieces, whole]));
    expect(order.filter((id) => id === whole)).toHaveLength(FRAMES);
  });
});

describe('a Priority field', () => {
  const DEFAULT = 'between u=2 and u=4';
  test.for([
    ['u=9', DEFAULT],
    ['u=-1', DEFAULT],
    ['urgent', DEFAULT],
    ['', DEFAULT],
    ['u=5, u=0', 'before u=2'],
    ['u=0, u=7', 'after u=4'],
    ['\tu=7', 'malformed'],
    ['foo=7,u=0,bar', 'before u=2'],
  ] as const)('%j: served %s', async ([value, where], { stage }) => {
    const { front, client } = await exhausted(stage);
    if (where === 'malformed') {
      const id = await client.open(fieldsOf(value));
      expect((await client.response(id)).reset).toBe(ErrorCode.protocolError);
      return;
    }
    const [low = 0, high = 0, probe = 0] = await waiting(front, client, ['u=4', 'u=2', value]);
    const expected = {
      'before u=2': [probe, high, low],
      [DEFAULT]: [high, probe, low],
      'after u=4': [high, low, probe],
    };
    expect(await servedAll(client, [low, high, probe])).toEqual(oneAfterAnother(...expected[where]));
  });

  test('in two lines is one list', async ({ stage }) => {
    const { front, client } = await exhausted(stage);
    const split = requestFields(
      { ':path': `${SIZED}?${String(WAITING_BYTES)}` },
      ['priority', 'u=1'],
      ['priority', 'i'],
    );
    const ids = [await client.open(split), await client.open(split)];
    const [low = 0] = await waiting(front, client, ['u=2']);
    await allWait(front, client, [...ids, low]);
    expect(await servedAll(client, [...ids, low])).toEqual([...inTurn(...ids), ...oneAfterAnother(low)]);
  });
});

describe('PRIORITY_UPDATE', () => {
  test('changes the order of what waits', async ({ stage }) => {
    const { front, client } = await exhausted(stage);
    const [first = 0, second = 0, third = 0] = await waiting(front, client, ['u=0', 'u=3', null]);
    await client.send(priorityUpdate(first, 'u=6'), priorityUpdate(second, 'u=4'), priorityUpdate(third, 'u=1'));
    await client.roundTrip();
    expect(await servedAll(client, [first, second, third])).toEqual(oneAfterAnother(third, second, first));
  });

  test('ahead of its request holds, and overrules the field', async ({ stage }) => {
    const { front, client } = await exhausted(stage);
    const next = client.nextId();
    const after = client.nextId();
    await client.send(priorityUpdate(after, 'u=7'), priorityUpdate(after, 'u=0'), priorityUpdate(next, 'u=5'));
    for (const id of [next, after]) await client.send(headers(id, headerBlock(fieldsOf('u=3'))));
    await allWait(front, client, [next, after]);
    const [plain = 0] = await waiting(front, client, ['u=3']);
    expect(await servedAll(client, [next, after, plain])).toEqual(oneAfterAnother(after, plain, next));
  });

  test('for a stream that was passed over, or is over, changes nothing', async ({ stage }) => {
    const { front, client } = await exhausted(stage);
    const skipped = client.nextId();
    await client.send(priorityUpdate(skipped, 'u=0'));
    const [only = 0] = await waiting(front, client, ['u=3']);
    await client.send(priorityUpdate(skipped, 'u=0'), priorityUpdate(1, 'u=0'));
    expect(await servedAll(client, [only])).toEqual(oneAfterAnother(only));
  });

  test.for([
    ['for stream 0', () => [priorityUpdate(0, 'u=1')]],
    ['for a stream that only a server opens', () => [priorityUpdate(2, 'u=1')]],
    [
      'for more streams to come than may be open',
      () => Array.from({ length: MAX_STREAMS + 1 }, (_, index) => priorityUpdate(1001 + 2 * index, 'u=1')),
    ],
  ] as const)('%s: PROTOCOL_ERROR, seen in the metrics', async ([, make], { stage }) => {
    const front = await stage.front(sized);
    const client = await connectH2(front);
    await client.send(...make());
    await expectConnectionError(client, ErrorCode.protocolError);
    expect(await front.portico.metric('portico_limit_hits_total', 'code="H2_PROTOCOL"')).toBe(1);
    await expectHonestService(front);
  });
});
