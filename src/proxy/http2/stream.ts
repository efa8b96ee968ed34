/**
 * One HTTP/2 stream: the front of one exchange. It keeps what waits for the client, both flow-control windows (RFC 9113
 * §5.2), and the rule that a request or response that broke off never looks complete.
 */
import type { Exchange } from '../exchange.ts';
import type { FieldList } from '../fields.ts';
import { DROPPED_FROM_RESPONSES, endsHere } from '../fields.ts';
import type { Front, RequestHead, ResponseHead } from '../front.ts';
import { DEFAULT_WINDOW, ErrorCode, Flag, FrameType, type FrameWriter } from './frames.ts';
import type { HpackEncoder } from './hpack/encoder.ts';
import { DEFAULT_PRIORITY, type Priority } from './request-head.ts';

/** What a stream needs of its session. */
export interface StreamHost {
  readonly writer: FrameWriter;
  readonly encoder: HpackEncoder;
  /** Grows with every write to the socket: frames of an earlier turn cannot be changed any more. */
  readonly turn: number;
  /** Takes from the connection's window if a frame of that size may leave at once, ahead of what waits. */
  takeWindow(bytes: number, urgency: number): boolean;
  /** Sends what waits at the end of this turn of the event loop. */
  schedule(): void;
  /** Body bytes wait for their turn. */
  markReady(stream: Http2Stream): void;
  /** Ends a stream with RST_STREAM. */
  reset(stream: Http2Stream, code: number): void;
  /** Both directions are done. */
  done(stream: Http2Stream): void;
  /** The bytes of a piece are not needed any more. */
  giveBack(piece: Buffer): void;
}

/** Body bytes that may wait for one stream before its exchange is held back. */
const HIGH_WATER_BYTES = 65536;
const LOW_WATER_BYTES = 16384;
/** A piece up to this size leaves without queueing when it can. */
const DIRECT_BYTES = 16384;
/** The window of a stream that has shown that it flows. */
const GROWN_WINDOW = 256 * 1024;

/** Response fields whose values do not repeat: not worth a place in the table. */
const CHANGING: ReadonlySet<string> = new Set([
  'content-length',
  'etag',
  'location',
  'last-modified',
  'content-range',
  'content-disposition',
  'expires',
  'age',
  'synapse-trace-id',
  'x-request-id',
]);
/** RFC 7541 §7.1.3: not to be kept in any table on the way. */
const SECRET: ReadonlySet<string> = new Set(['set-cookie', 'authorization']);

const EMPTY = Buffer.alloc(0);

/** One stream. */
export class Http2Stream implements Front {
  readonly protocol = 'HTTP/2';
  readonly id: number;
  exchange: Exchange | null = null;
  /** The head of a request that waits for its first byte or its end. */
  deferred: RequestHead | null = null;
  /** The request is not complete. */
  remoteOpen: boolean;
  priority: Priority = DEFAULT_PRIORITY;
  /** The client named a priority: only then does its order mean anything. */
  ordered = false;
  sendWindow: number;
  receiveWindow = DEFAULT_WINDOW;
  /** Monotonic ms. */
  readonly openedAt: number;
  /** Monotonic ms by which what waits must be gone, once the exchange is over; 0 before. */
  deadlineAt = 0;
  readonly #host: StreamHost;
  readonly #expectedBytes: number;
  #receivedBytes = 0;
  #requestEnded = false;
  #receiveTarget = DEFAULT_WINDOW;
  #paused = false;
  #queue: Buffer[] = [];
  /** Bytes of the first piece that have left. */
  #taken = 0;
  #queued = 0;
  #heldBack = false;
  #ended = false;
  #closed = false;
  #headEndedStream = false;
  #lastFlagsAt = -1;
  #lastTurn = -1;

  /** @param bodyLength - as in `RequestHead` */
  constructor(host: StreamHost, id: number, bodyLength: number, sendWindow: number, openedAt: number) {
    this.openedAt = openedAt;
    this.#host = host;
    this.id = id;
    this.#expectedBytes = bodyLength;
    this.remoteOpen = bodyLength !== 0;
    // With nothing to come the request is complete, though its END_STREAM may follow on an empty frame.
    this.#requestEnded = bodyLength === 0;
    this.sendWindow = sendWindow;
  }

  // From the session

  /** @returns false when there are more bytes than Content-Length said */
  receive(bytes: Buffer): boolean {
    this.#receivedBytes += bytes.length;
    if (this.#expectedBytes >= 0 && this.#receivedBytes > this.#expectedBytes) return false;
    if (bytes.length > 0) this.exchange?.requestData(bytes);
    // The last byte that Content-Length announces completes the request; some clients send END_STREAM by itself behind it.
    if (this.#receivedBytes === this.#expectedBytes) this.#endRequest();
    return true;
  }

  /** The request is complete. @returns false when it is shorter than Content-Length said */
  endReceive(): boolean {
    if (this.#expectedBytes >= 0 && this.#receivedBytes !== this.#expectedBytes) return false;
    this.remoteOpen = false;
    this.#endRequest();
    if (this.#closed) this.#host.done(this);
    return true;
  }

  /** How much the client may be told to send more; 0 while it is held back or has enough. */
  creditDue(): number {
    if (this.#paused || !this.remoteOpen || this.receiveWindow > this.#receiveTarget / 2) return 0;
    this.#receiveTarget = GROWN_WINDOW;
    const credit = this.#receiveTarget - this.receiveWindow;
    this.receiveWindow = this.#receiveTarget;
    return credit;
  }

  /** The connection is over, or the client has reset the stream. */
  clientGone(): void {
    this.#closed = true;
    this.#queue = [];
    this.#taken = 0;
    this.#queued = 0;
    const { exchange } = this;
    this.exchange = null;
    this.deferred = null;
    exchange?.clientGone();
  }

  /**
   * Writes the next frame of what waits.
   * @param limit - bytes that may leave
   * @returns bytes written; 0 when the stream's own window is used up, or nothing waits
   */
  writeNext(limit: number): number {
    const [first] = this.#queue;
    if (first === undefined || this.#closed) return 0;
    const from = this.#taken;
    const left = first.length - from;
    const size = Math.min(left, limit, this.sendWindow, DIRECT_BYTES);
    if (size <= 0) return 0;
    this.#taken = size === left ? 0 : from + size;
    if (size === left) this.#queue.shift();
    this.#queued -= size;
    this.sendWindow -= size;
    const last = this.#queued === 0 && this.#ended;
    this.#lastFlagsAt = this.#host.writer.frame(
      FrameType.data,
      last ? Flag.endStream : 0,
      this.id,
      size === first.length ? first : first.subarray(from, from + size),
    );
    // The frame has a copy of its own.
    if (size === left) this.#host.giveBack(first);
    this.#lastTurn = this.#host.turn;
    if (last) this.#close();
    else if (this.#heldBack && this.#queued <= LOW_WATER_BYTES) {
      this.#heldBack = false;
      this.exchange?.onClientDrain();
    }
    return size;
  }

  /** Bytes wait, and the stream's window lets some of them leave. */
  get canWrite(): boolean {
    return this.#queued > 0 && this.sendWindow > 0 && !this.#closed;
  }

  // Front

  sendInformational(status: number, fields: FieldList): void {
    if (this.#closed) return;
    this.#host.writer.headers(this.id, this.#encode(status, fields, null, null), false);
    this.#host.schedule();
  }

  sendHead(head: ResponseHead): void {
    if (this.#closed) return;
    this.#headEndedStream = head.bodyLength === 0;
    const length = head.status === 204 ? null : head.contentLength;
    const block = this.#encode(head.status, head.fields, head.connectionNames, length);
    this.#host.writer.headers(this.id, block, this.#headEndedStream);
    this.#host.schedule();
  }

  sendBody(chunk: Buffer, borrowed: boolean): boolean {
    const size = chunk.length;
    if (this.#closed || size === 0) return true;
    const { urgency } = this.priority;
    if (this.#queued === 0 && size <= DIRECT_BYTES && size <= this.sendWindow && this.#host.takeWindow(size, urgency)) {
      this.sendWindow -= size;
      this.#lastFlagsAt = this.#host.writer.frame(FrameType.data, 0, this.id, chunk);
      this.#lastTurn = this.#host.turn;
      this.#host.giveBack(chunk);
      this.#host.schedule();
      return true;
    }
    this.#queue.push(borrowed ? Buffer.from(chunk) : chunk);
    this.#queued += size;
    this.#host.markReady(this);
    if (this.#queued < HIGH_WATER_BYTES) return true;
    this.#heldBack = true;
    return false;
  }

  sendEnd(): void {
    this.exchange = null;
    if (this.#closed) return;
    this.#ended = true;
    if (this.#queued > 0) return;
    if (!this.#headEndedStream) {
      if (this.#lastTurn === this.#host.turn && this.#lastFlagsAt >= 0) {
        this.#host.writer.setFlag(this.#lastFlagsAt, Flag.endStream);
      } else {
        this.#host.writer.frame(FrameType.data, Flag.endStream, this.id, EMPTY);
      }
    }
    this.#close();
  }

  flush(): void {
    this.#host.schedule();
  }

  abort(): void {
    this.exchange = null;
    if (!this.#closed) this.#host.reset(this, ErrorCode.internalError);
    this.#closed = true;
  }

  switchToTunnel(): void {
    // Upgrades do not exist in HTTP/2 (RFC 9113 §8.6), so no request asks for one.
    this.abort();
  }

  pauseRequest(): void {
    this.#paused = true;
  }

  resumeRequest(): void {
    this.#paused = false;
    const credit = this.creditDue();
    if (credit > 0 && !this.#closed) {
      this.#host.writer.number(FrameType.windowUpdate, this.id, credit);
      this.#host.schedule();
    }
  }

  pendingBytes(): number {
    return this.#queued;
  }

  // Inside

  #close(): void {
    this.#closed = true;
    this.#host.schedule();
    // RFC 9113 §8.1: the answer is complete; the rest of the request is not wanted. Where only END_STREAM is missing, it is
    // waited for instead: a reset would meet clients that are about to send it.
    if (!this.remoteOpen) this.#host.done(this);
    else if (!this.#requestEnded) this.#host.reset(this, ErrorCode.noError);
  }

  #endRequest(): void {
    if (this.#requestEnded) return;
    this.#requestEnded = true;
    this.exchange?.requestEnd();
  }

  #encode(
    status: number,
    fields: FieldList,
    connectionNames: readonly string[] | null,
    contentLength: string | null,
  ): Buffer {
    const { encoder } = this.#host;
    encoder.begin();
    encoder.status(status);
    for (let index = 0; index < fields.length; index++) {
      const lower = fields.name(index).toLowerCase();
      if (endsHere(DROPPED_FROM_RESPONSES, fields.id(index), lower, connectionNames)) continue;
      encoder.field(
        lower,
        fields.value(index),
        SECRET.has(lower) ? 'never' : CHANGING.has(lower) ? 'literal' : 'index',
      );
    }
    if (contentLength !== null) encoder.field('content-length', contentLength, 'literal');
    return encoder.end();
  }
}
