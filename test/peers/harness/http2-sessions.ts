/**
 * Made-up HTTP/2 sessions: what a client asks on each stream, what the homeserver answers, and where either breaks off. They
 * are plain data, so that a client in another language can play them and a session that failed can be played again.
 */
import fc from 'fast-check';

/** Start and length within the pattern that all bodies are cut from. */
export type BodySpec = readonly [start: number, length: number];
export type Field = readonly [name: string, value: string];

/** What the homeserver answers on one stream. */
export interface PlannedAnswer {
  readonly status: number;
  readonly fields: readonly Field[];
  readonly body: BodySpec;
  readonly bodyLength: number;
  /** Transfer-Encoding instead of Content-Length, with a trailer. */
  readonly chunked: boolean;
  /** Pieces it is written in. */
  readonly pieces: number;
  /** Fields of a 103 ahead of it. */
  readonly hints: readonly Field[] | null;
  /** Sent without waiting for the end of the request. */
  readonly early: boolean;
}

/** One stream. */
export interface PlannedStream {
  readonly method: string;
  readonly path: string;
  readonly fields: readonly Field[];
  readonly hasBody: boolean;
  readonly body: BodySpec;
  readonly contentLength: boolean;
  readonly trailers: readonly Field[] | null;
  /** END_STREAM on an empty frame of its own. */
  readonly lateEnd: boolean;
  /** The client gives up after so many bytes that it sent, or received. */
  readonly resetAt: readonly ['sent' | 'received', number] | null;
  readonly answer: PlannedAnswer;
}

/** One connection. */
export interface PlannedSession {
  readonly seed: number;
  /** How often frames are cut, padded and mixed with others: 0 never, 1 whenever it can be. */
  readonly wild: number;
  /** SETTINGS_INITIAL_WINDOW_SIZE at first, and what it is changed to later. */
  readonly window: number;
  readonly windowChanges: readonly number[];
  /** SETTINGS_HEADER_TABLE_SIZE. */
  readonly tableSize: number;
  readonly streams: readonly PlannedStream[];
}

const PATTERN_BYTES = 1 << 21;
const MOST_BODY_BYTES = 120_000;
export const PATTERN = Buffer.from(Array.from({ length: PATTERN_BYTES }, (_, i) => (i * 7 + (i >> 8)) & 255));

/** The bytes of a body. */
export function bytesOf([start, length]: BodySpec): Buffer {
  return PATTERN.subarray(start, start + length);
}

const chars = (alphabet: string, minLength: number, maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...alphabet.split(/(?:)/)), minLength, maxLength });
const TOKEN = "abcdefghijklmnopqrstuvwxyz0123456789-.!#$%&'*+^`|~";
const VISIBLE = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i)).join('');
const LATIN = Array.from({ length: 96 }, (_, i) => String.fromCharCode(160 + i)).join('');

const value = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('*', 'application/json', 'gzip, deflate, br', 'Synapse/1.163.2', '') },
  { weight: 3, arbitrary: chars(VISIBLE, 0, 40) },
  { weight: 1, arbitrary: chars(VISIBLE, 200, 900) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(chars(VISIBLE, 1, 5), chars(`${VISIBLE}${LATIN} \t`, 0, 30), chars(`${VISIBLE}${LATIN}`, 1, 5))
      .map((parts) => parts.join('')),
  },
);
// Names of the test's own: those that mean something to Portico or to Node have tests of their own.
const ownName = fc.oneof(
  fc.constantFrom('x-a', 'x-b', 'x-long-name-that-comes-again'),
  chars(TOKEN, 1, 12).map((text) => `x-t-${text}`),
);
const ownFields = (maxLength: number): fc.Arbitrary<Field[]> => fc.array(fc.tuple(ownName, value), { maxLength });

const length = fc.oneof(
  { weight: 2, arbitrary: fc.constant(0) },
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 300 }) },
  { weight: 3, arbitrary: fc.integer({ min: 300, max: 20_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 20_000, max: MOST_BODY_BYTES }) },
);
const body = fc.tuple(fc.integer({ min: 0, max: PATTERN_BYTES - MOST_BODY_BYTES }), length);

const query = fc.oneof(
  fc.constant(''),
  chars(VISIBLE.replaceAll(/[#"<>]/g, ''), 1, 60).map((text) => `?${text}`),
);
const segment = chars("abc~.-_!$&'()*+,;=:@", 1, 12).chain((text) =>
  fc.constantFrom('', '%2F', '%20', '%25', '%7e', '%C3%BC').map((escape) => `x${text}${escape}`),
);

const requestFields = fc
  .tuple(
    ownFields(8),
    fc.array(chars(VISIBLE.replaceAll(/[;,"]/g, ''), 1, 30), { maxLength: 4 }),
    fc.subarray<Field>([
      ['accept', 'application/json'],
      ['authorization', 'Bearer syt_c29tZQ_XYZ'],
      ['content-type', 'application/json; charset=utf-8'],
      ['user-agent', 'Element/1.12 (X11)'],
      ['te', 'trailers'],
      ['priority', 'u=1, i'],
      ['accept-encoding', 'gzip'],
    ]),
  )
  .map(([own, cookies, common]): Field[] => [
    ...common,
    ...own,
    ...cookies.map((crumb, at): Field => ['cookie', `c${String(at)}=${crumb}`]),
  ]);

const answer = fc
  .record({
    status: fc.constantFrom(200, 200, 200, 200, 201, 204, 206, 302, 304, 400, 404, 429, 500, 503),
    fields: fc
      .tuple(ownFields(8), fc.array(chars(VISIBLE, 1, 30), { maxLength: 3 }))
      .map(([own, cookies]): Field[] => [
        ['access-control-allow-origin', '*'],
        ...own,
        ...cookies.map((crumb): Field => ['set-cookie', crumb]),
      ]),
    body,
    chunked: fc.boolean(),
    pieces: fc.integer({ min: 1, max: 5 }),
    hints: fc.option(ownFields(3), { freq: 6 }),
    early: fc.integer({ min: 0, max: 9 }).map((one) => one === 0),
  })
  .map((one): PlannedAnswer => {
    const bodiless = one.status === 204 || one.status === 304;
    const bytes: BodySpec = bodiless ? [one.body[0], 0] : one.body;
    return { ...one, body: bytes, bodyLength: bytes[1], chunked: one.chunked && !bodiless };
  });

const stream = fc
  .record({
    method: fc.constantFrom('GET', 'GET', 'GET', 'HEAD', 'PUT', 'PUT', 'POST', 'POST', 'DELETE', 'PATCH'),
    segment,
    query,
    fields: requestFields,
    wantsBody: fc.boolean(),
    body,
    contentLength: fc.boolean(),
    trailers: fc.option(ownFields(3), { freq: 4 }),
    lateEnd: fc.boolean(),
    givesUp: fc.option(fc.tuple(fc.constantFrom('sent' as const, 'received' as const), fc.nat({ max: 999 })), {
      freq: 8,
    }),
    answer,
  })
  .map((one): PlannedStream => {
    const { method, fields, contentLength, lateEnd } = one;
    const hasBody = !['GET', 'HEAD'].includes(method) && (method !== 'DELETE' || one.wantsBody);
    const bytes: BodySpec = hasBody ? one.body : [0, 0];
    const resetAt = resetOf(one.givesUp, bytes[1], method === 'HEAD' ? 0 : one.answer.bodyLength);
    // A 103 on a stream that the client has reset meanwhile is an error to h2, which it must not be (RFC 9113 §5.1, closed).
    const hints = resetAt?.[0] === 'sent' ? null : one.answer.hints;
    return {
      method,
      path: `/${one.segment}${one.query}`,
      fields,
      hasBody,
      body: bytes,
      contentLength: contentLength && hasBody,
      trailers: hasBody ? one.trailers : null,
      lateEnd,
      resetAt,
      answer: { ...one.answer, hints },
    };
  });

/** Somewhere within the body; never behind its last byte, where a reset comes too late to mean anything. */
function resetOf(
  wish: readonly ['sent' | 'received', number] | null,
  sent: number,
  received: number,
): PlannedStream['resetAt'] {
  if (wish === null) return null;
  const [side, share] = wish;
  if (side === 'sent') return sent === 0 ? null : [side, Math.floor((sent * share) / 1000)];
  return received === 0 ? null : [side, Math.floor((received * share) / 1000)];
}

const window = fc.oneof(
  { weight: 4, arbitrary: fc.constant(65_535) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 2000 }) },
  { weight: 2, arbitrary: fc.integer({ min: 2000, max: 1_000_000 }) },
);

/** Up to six streams with bodies of up to 120 kB each way. */
export const plannedSession: fc.Arbitrary<PlannedSession> = fc.record({
  seed: fc.nat(),
  wild: fc.constantFrom(0, 0.2, 0.5, 1),
  window,
  windowChanges: fc.oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(window, { maxLength: 3 }) },
  ),
  tableSize: fc.constantFrom(4096, 4096, 4096, 0, 100, 1000, 65_536),
  streams: fc.array(stream, { minLength: 1, maxLength: 6 }),
});

/** One run of nghttp: the same request on several paths at once. */
export interface NghttpRun {
  readonly method: string;
  readonly fields: readonly Field[];
  readonly hasBody: boolean;
  readonly body: BodySpec;
  readonly options: readonly string[];
  readonly answers: readonly PlannedAnswer[];
}

// In its output fields are lines, and what stands above ASCII is body.
const plainField = fc.tuple(
  fc.constantFrom('x-a', 'x-b', 'x-long-name-that-comes-again', 'x-t-1'),
  fc.oneof(chars(VISIBLE.replaceAll(/[<>]/g, ''), 1, 40), chars('abc/=', 300, 900)),
);
const plainAnswer = answer.chain((one) =>
  fc
    .array(plainField, { maxLength: 5 })
    .map((fields): PlannedAnswer => ({ ...one, fields, hints: null, early: false })),
);
const optionOf = (name: string, values: readonly (string | number)[]): fc.Arbitrary<string[]> =>
  fc
    .option(fc.constantFrom(...values), { freq: 1 })
    .map((value) => (value === null ? [] : [`${name}=${String(value)}`]));

/** Up to eight streams at once. */
export const nghttpRun: fc.Arbitrary<NghttpRun> = fc
  .record({
    method: fc.constantFrom('GET', 'GET', 'HEAD', 'PUT', 'PUT', 'POST', 'DELETE'),
    fields: fc.array(plainField, { maxLength: 5 }),
    body,
    options: fc
      .tuple(
        optionOf('--window-bits', [10, 12, 14, 16, 20]),
        optionOf('--connection-window-bits', [16, 18, 24]),
        optionOf('--padding', [1, 17, 200]),
        optionOf('--header-table-size', [0, 100, 4096, 65_536]),
        optionOf('--encoder-header-table-size', [0, 100, 1000]),
        optionOf('--max-concurrent-streams', [1, 2, 3]),
        fc.subarray(['--no-content-length', '--no-dep', '--trailer=x-late: ignored']),
      )
      .map((all) => all.flat()),
    answers: fc.array(plainAnswer, { minLength: 1, maxLength: 8 }),
  })
  .map((one): NghttpRun => {
    const hasBody = one.method === 'PUT' || one.method === 'POST';
    // Without a body there is nothing that trailers could follow.
    const options = one.options.filter((option) => hasBody || !/^--(?:trailer|no-content-length)/.test(option));
    return { ...one, hasBody, options };
  });
