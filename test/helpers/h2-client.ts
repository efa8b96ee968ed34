/**
 * An HTTP/2 client made of raw frames, over TLS with ALPN `h2`. By itself it behaves: it acknowledges SETTINGS and PING and
 * gives windows back; every one of these can be switched off, and `send` takes any bytes.
 */
import { expect } from 'vitest';
import { HpackDecoder } from '../../src/proxy/http2/hpack/decoder.ts';
import { eventually, within } from './eventually.ts';
import {
  ErrorCode,
  Flag,
  FrameReader,
  FrameType,
  INITIAL_WINDOW,
  MAX_FRAME_SIZE,
  PREFACE,
  SETTINGS_ACK,
  Setting,
  data,
  headerBlock,
  headers,
  ping,
  settings,
  windowUpdate,
} from './h2-frames.ts';
import type { Frame, H2Field } from './h2-frames.ts';
import type { Ending, RawClient } from './raw-client.ts';
import type { ClientOptions, Front } from './stage.ts';

/** The path of a request that says nothing else. */
export const PATH = '/_matrix/client/v3/probe';

/** What the client does by itself, and what it says first. */
export interface H2Options extends ClientOptions {
  /** Entries of the first SETTINGS. */
  readonly settings?: readonly (readonly [id: number, value: number])[];
  /** False: not even the preface is sent. */
  readonly preface?: boolean;
  /** False: SETTINGS are not acknowledged. */
  readonly acknowledge?: boolean;
  /** False: received DATA is not given back to the windows. */
  readonly giveBack?: boolean;
}

/** A response as an HTTP/2 client sees it. */
export interface H2Response {
  readonly status: number;
  readonly fields: readonly H2Field[];
  readonly informational: readonly (readonly H2Field[])[];
  readonly body: Buffer;
  /** END_STREAM came. */
  readonly ended: boolean;
  /** Code of the RST_STREAM; null when none came. */
  readonly reset: number | null;
  /** The single value of a field; undefined when absent; throws when it is there more than once. */
  field(name: string): string | undefined;
  values(name: string): string[];
  json(): unknown;
}

/** What the server sent on one stream so far. */
export interface H2Stream {
  readonly sections: H2Field[][];
  readonly chunks: Buffer[];
  bytes: number;
  ended: boolean;
  reset: number | null;
}

/** A GOAWAY. */
export interface Goaway {
  readonly lastStreamId: number;
  readonly code: number;
  readonly debug: string;
}

/** The fields of a request; the defaults are those of an honest GET. */
export function requestFields(overrides: Record<string, string | null> = {}, ...rest: readonly H2Field[]): H2Field[] {
  const pseudo: Record<string, string | null> = {
    ':method': 'GET',
    ':scheme': 'https',
    ':authority': 'example.test',
    ':path': PATH,
    ...overrides,
  };
  const fields = Object.entries(pseudo).filter((entry): entry is [string, string] => entry[1] !== null);
  return [...fields, ...rest];
}

/** One connection. Create it with {@link connectH2}. */
export class H2Client {
  readonly raw: RawClient;
  /** Every frame received, in order. */
  readonly frames: Frame[] = [];
  readonly goaways: Goaway[] = [];
  /** The server's settings, as far as they were sent. */
  readonly serverSettings = new Map<number, number>();
  readonly #options: H2Options;
  readonly #reader = new FrameReader();
  readonly #decoder = new HpackDecoder(4096, 1024 * 1024);
  readonly #streams = new Map<number, H2Stream>();
  readonly #sendWindows = new Map<number, number>();
  #connectionSendWindow = INITIAL_WINDOW;
  #block: { streamId: number; flags: number; parts: Buffer[] } | null = null;
  #failure: Error | null = null;
  #nextId = 1;
  #wake: (() => void)[] = [];

  constructor(raw: RawClient, options: H2Options) {
    this.raw = raw;
    this.#options = options;
    const take = (): void => {
      try {
        for (const one of this.#reader.push(raw.take())) this.#take(one);
      } catch (error) {
        this.#failure ??= error instanceof Error ? error : new Error(String(error));
      }
      this.#notify();
    };
    raw.socket.on('data', take);
    for (const event of ['end', 'close', 'error']) {
      raw.socket.on(event, () => {
        this.#notify();
      });
    }
    take();
  }

  /** Sends frames, or any other bytes. */
  send(...parts: readonly (Uint8Array | string)[]): Promise<void> {
    const bytes = parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part));
    return this.raw.send(Buffer.concat(bytes));
  }

  /** The next odd stream id. */
  nextId(): number {
    const id = this.#nextId;
    this.#nextId += 2;
    return id;
  }

  /**
   * Opens a stream with these fields.
   * @param endStream - no body follows
   * @returns its id
   */
  async open(fields: readonly H2Field[] = requestFields(), endStream = true): Promise<number> {
    const id = this.nextId();
    await this.send(headers(id, headerBlock(fields), Flag.endHeaders | (endStream ? Flag.endStream : 0)));
    return id;
  }

  /** One request with an optional body, and its response. */
  async fetch(
    overrides: Record<string, string | null> = {},
    rest: readonly H2Field[] = [],
    body?: Buffer | string,
  ): Promise<H2Response> {
    const id = await this.open(requestFields(overrides, ...rest), body === undefined);
    if (body !== undefined) await this.upload(id, typeof body === 'string' ? Buffer.from(body, 'latin1') : body);
    return this.response(id);
  }

  /** Sends a body within the server's windows; stops early when the server resets the stream or ends it. */
  async upload(id: number, body: Buffer, endStream = true): Promise<void> {
    let at = 0;
    do {
      await this.until(() => this.sendWindow(id) > 0 || this.#isOver(id), `a window for stream ${String(id)}`);
      if (this.#isOver(id)) return;
      const length = Math.min(this.sendWindow(id), body.length - at, MAX_FRAME_SIZE);
      const last = at + length === body.length;
      this.spend(id, length);
      await this.send(data(id, body.subarray(at, at + length), last && endStream ? Flag.endStream : Flag.none));
      at += length;
    } while (at < body.length);
  }

  /** Bytes of DATA that the server takes on this stream now. */
  sendWindow(id: number): number {
    return Math.min(this.#connectionSendWindow, this.#streamWindow(id));
  }

  /** Notes that so many bytes of DATA were sent on this stream; for tests that send their frames themselves. */
  spend(id: number, length: number): void {
    this.#sendWindows.set(id, this.#streamWindow(id) - length);
    this.#connectionSendWindow -= length;
  }

  /** Bytes of DATA that the server takes on all streams together now. */
  get connectionSendWindow(): number {
    return this.#connectionSendWindow;
  }

  /** What came on this stream so far. */
  stream(id: number): H2Stream {
    let stream = this.#streams.get(id);
    if (stream === undefined) {
      stream = { sections: [], chunks: [], bytes: 0, ended: false, reset: null };
      this.#streams.set(id, stream);
    }
    return stream;
  }

  /**
   * Waits until the stream has ended or was reset.
   * @throws when the connection ends before
   */
  async response(id: number, timeoutMs = 15_000): Promise<H2Response> {
    await this.until(() => this.#isOver(id), `the end of stream ${String(id)}`, timeoutMs);
    return this.responseSoFar(id);
  }

  /** Waits for the head of the response that is not 1xx. */
  async head(id: number): Promise<H2Response> {
    await this.until(
      () => this.#isOver(id) || this.stream(id).sections.some((one) => !(statusOf(one) < 200)),
      `a response head on stream ${String(id)}`,
    );
    return this.responseSoFar(id);
  }

  /** What came on this stream so far, as a response; the status is 0 without a head. */
  responseSoFar(id: number): H2Response {
    const { sections, chunks, ended, reset } = this.stream(id);
    const informational = sections.filter((one) => statusOf(one) < 200);
    const fields = sections.find((one) => !(statusOf(one) < 200)) ?? [];
    const values = (name: string): string[] => fields.filter(([key]) => key === name).map(([, value]) => value);
    const body = Buffer.concat(chunks);
    return {
      status: fields.length === 0 ? 0 : statusOf(fields),
      fields,
      informational,
      body,
      ended,
      reset,
      values,
      field: (name) => {
        const all = values(name);
        if (all.length > 1) throw new Error(`${String(all.length)} values of ${name}`);
        return all[0];
      },
      json: () => JSON.parse(body.toString('utf8')) as unknown,
    };
  }

  /** Waits until something holds about what was received. */
  async until(holds: () => boolean, what: string, timeoutMs = 15_000): Promise<void> {
    const wait = async (): Promise<void> => {
      for (;;) {
        if (this.#failure !== null) throw this.#failure;
        if (holds()) return;
        if (this.raw.ending !== null) throw new Error(`${what}: the connection ended. ${this.describe()}`);
        await new Promise<void>((resolve) => this.#wake.push(resolve));
      }
    };
    try {
      await within(wait(), timeoutMs, what);
    } catch (error) {
      if (error instanceof Error && !error.message.includes('received')) error.message += `. ${this.describe()}`;
      throw error;
    }
  }

  /** Waits for a frame; the first that fits, received already or not. */
  async frame(fits: (frame: Frame) => boolean, what: string, timeoutMs?: number): Promise<Frame> {
    await this.until(() => this.frames.some(fits), what, timeoutMs);
    const found = this.frames.find(fits);
    if (found === undefined) throw new Error(what);
    return found;
  }

  /** Waits until the server has answered a PING: what was sent before has been read. */
  async roundTrip(): Promise<void> {
    const payload = Buffer.from(`rt${String(this.frames.length).padStart(6, '0')}`, 'latin1');
    await this.send(ping(payload));
    await this.frame(
      (one) => one.type === FrameType.ping && (one.flags & Flag.ack) !== 0 && one.payload.equals(payload),
      'the acknowledgement of a PING',
    );
  }

  /** Waits until the server has ended the connection. */
  closed(timeoutMs = 15_000): Promise<Ending> {
    return this.raw.closed(timeoutMs);
  }

  /** The last frames received, for messages. */
  describe(): string {
    const names = Object.entries(FrameType);
    const lines = this.frames.slice(-8).map((one) => {
      const name = names.find(([, type]) => type === one.type)?.[0] ?? String(one.type);
      const code = one.type === FrameType.rstStream ? ` code ${String(one.payload.readUInt32BE(0))}` : '';
      return `${name}#${String(one.streamId)} flags ${String(one.flags)} ${String(one.payload.length)} bytes${code}`;
    });
    const goaways = this.goaways.map((one) => `GOAWAY ${String(one.code)} ${one.debug}`);
    return `received: ${[...lines, ...goaways].join('; ') || 'nothing'}; connection ${this.raw.ending ?? 'open'}`;
  }

  #isOver(id: number): boolean {
    const stream = this.stream(id);
    return stream.ended || stream.reset !== null;
  }
  #streamWindow(id: number): number {
    return this.#sendWindows.get(id) ?? this.serverSettings.get(Setting.initialWindowSize) ?? INITIAL_WINDOW;
  }

  #take(one: Frame): void {
    this.frames.push(one);
    if (this.#block !== null) {
      expect([one.type, one.streamId]).toEqual([FrameType.continuation, this.#block.streamId]);
      this.#block.parts.push(one.payload);
      if ((one.flags & Flag.endHeaders) !== 0) this.#endBlock();
      return;
    }
    switch (one.type) {
      case FrameType.headers:
        expect(one.flags & (Flag.padded | Flag.priority)).toBe(0);
        this.#block = { streamId: one.streamId, flags: one.flags, parts: [one.payload] };
        if ((one.flags & Flag.endHeaders) !== 0) this.#endBlock();
        break;
      case FrameType.data:
        this.#takeData(one);
        break;
      case FrameType.rstStream:
        this.stream(one.streamId).reset ??= one.payload.readUInt32BE(0);
        break;
      case FrameType.settings:
        this.#takeSettings(one);
        break;
      case FrameType.ping:
        if ((one.flags & Flag.ack) === 0) void this.send(ping(one.payload, Flag.ack));
        break;
      case FrameType.goaway:
        this.goaways.push({
          lastStreamId: one.payload.readUInt32BE(0),
          code: one.payload.readUInt32BE(4),
          debug: one.payload.toString('latin1', 8),
        });
        break;
      case FrameType.windowUpdate: {
        const increment = one.payload.readUInt32BE(0);
        if (one.streamId === 0) this.#connectionSendWindow += increment;
        else this.#sendWindows.set(one.streamId, this.#streamWindow(one.streamId) + increment);
        break;
      }
    }
  }

  #takeData(one: Frame): void {
    const stream = this.stream(one.streamId);
    // A server never says anything on a stream that it has ended or reset.
    expect([stream.ended, stream.reset]).toEqual([false, null]);
    stream.chunks.push(one.payload);
    stream.bytes += one.payload.length;
    if ((one.flags & Flag.endStream) !== 0) stream.ended = true;
    if (this.#options.giveBack === false || one.payload.length === 0) return;
    const back = windowUpdate(0, one.payload.length);
    void this.send(stream.ended ? back : Buffer.concat([back, windowUpdate(one.streamId, one.payload.length)]));
  }

  #takeSettings(one: Frame): void {
    if ((one.flags & Flag.ack) !== 0) return;
    for (let at = 0; at < one.payload.length; at += 6) {
      const [id, value] = [one.payload.readUInt16BE(at), one.payload.readUInt32BE(at + 2)];
      if (id === Setting.initialWindowSize) {
        const change = value - (this.serverSettings.get(id) ?? INITIAL_WINDOW);
        for (const [stream, window] of this.#sendWindows) this.#sendWindows.set(stream, window + change);
      }
      this.serverSettings.set(id, value);
    }
    if (this.#options.acknowledge !== false) void this.send(SETTINGS_ACK);
  }

  #endBlock(): void {
    const block = this.#block;
    if (block === null) return;
    this.#block = null;
    const bytes = Buffer.concat(block.parts);
    const fields: H2Field[] = [];
    const result = this.#decoder.decode(bytes, 0, bytes.length, (name, value) => {
      fields.push([name, value]);
    });
    expect(result).toBe('ok');
    const stream = this.stream(block.streamId);
    expect([stream.ended, stream.reset]).toEqual([false, null]);
    // RFC 9113 §8.2: names in lower case, none of the connection-specific ones.
    for (const [name] of fields) {
      expect(name).toMatch(/^:status$|^[!#$%&'*+\-.^_`|~0-9a-z]+$/);
      expect(['connection', 'transfer-encoding', 'keep-alive', 'upgrade', 'proxy-connection']).not.toContain(name);
    }
    stream.sections.push(fields);
    if ((block.flags & Flag.endStream) !== 0) stream.ended = true;
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = [];
    for (const resolve of wake) resolve();
  }
}

function statusOf(fields: readonly H2Field[]): number {
  return Number(fields.find(([name]) => name === ':status')?.[1] ?? 'NaN');
}

/** Connects to Portico, agrees on `h2`, and sends preface and SETTINGS. */
export async function connectH2(front: Front, options: H2Options = {}): Promise<H2Client> {
  const { settings: first = [], preface = true, acknowledge: _acknowledge, giveBack: _giveBack, ...rest } = options;
  const raw = await front.connect({ alpn: ['h2'], ...rest });
  expect(raw.tls.alpnProtocol).toBe('h2');
  const client = new H2Client(raw, options);
  if (preface) await client.send(PREFACE, settings(...first));
  return client;
}

/** Waits for RST_STREAM with one of these codes on the stream, and asserts that the connection lives on. */
export async function expectReset(client: H2Client, id: number, ...codes: readonly number[]): Promise<void> {
  const seen = await client.response(id);
  expect(codes, client.describe()).toContain(seen.reset);
  expect(seen.ended && seen.reset === ErrorCode.noError ? 0 : seen.status, 'no response of the upstream').toBe(0);
  await client.roundTrip();
}

/** Waits for GOAWAY with one of these codes, and for the end of the connection. */
export async function expectConnectionError(client: H2Client, ...codes: readonly number[]): Promise<void> {
  await client.closed();
  const last = client.goaways.at(-1);
  expect(last, client.describe()).toBeDefined();
  expect(codes, client.describe()).toContain(last?.code);
}

/**
 * After whatever was done: an honest client on a connection of its own is served, nothing counts as in flight any more,
 * and nothing reached the log as a defect.
 */
export async function expectHonestService(front: Front): Promise<void> {
  const client = await connectH2(front);
  const seen = await client.fetch();
  expect(seen.status).toBe(200);
  expect(seen.ended).toBe(true);
  client.raw.destroy();
  await eventually(async () => {
    expect(await front.portico.metric('portico_requests_in_flight')).toBe(0);
  });
  expect(front.portico.log.filter((line) => /"level":"(?:error|fatal)"|defect/i.test(line))).toEqual([]);
}
