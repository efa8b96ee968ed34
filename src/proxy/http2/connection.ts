/**
 * A client's HTTP/2 connection (RFC 9113): frames in, exchanges out, as many at once as there are streams. It owns the
 * socket, the header tables, the connection's windows and the budgets; what a request means is the exchange's business.
 *
 * Everything that comes up in one turn of the event loop leaves in one write at its end.
 */
import type { Socket } from 'node:net';
import type { ClientConnection } from '../client-connection.ts';
import type { ConnectionContext } from '../connection-context.ts';
import type { RefusalCode } from '../../policy/refusals.ts';
import { Exchange } from '../exchange.ts';
import type { RequestHead } from '../front.ts';
import { Budget } from './budget.ts';
import {
  DEFAULT_WINDOW,
  ErrorCode,
  Flag,
  FRAME_HEADER_BYTES,
  FrameType,
  FrameWriter,
  MAX_FRAME_BYTES,
  MAX_WINDOW,
  PREFACE,
  Setting,
} from './frames.ts';
import { HpackDecoder } from './hpack/decoder.ts';
import { HpackEncoder } from './hpack/encoder.ts';
import { HeadBuilder, isTrailerField, parsePriority, type Priority } from './request-head.ts';
import { isWhole, servingOrder } from './serving-order.ts';
import { Http2Stream, type StreamHost } from './stream.ts';

const HEADER_TABLE_BYTES = 4096;
const MAX_STREAMS = 128;
/** What the client may send on all streams together before it hears from us. */
const CONNECTION_WINDOW = 1024 * 1024;
/** Frames that are gathered before body bytes wait for the next turn. */
const TURN_BYTES = 131_072;
/** Frames that wait for a client that does not read; beyond it we do not read either. */
const BACKLOG_BYTES = 262_144;
/** Frames of one header block, and what its compressed form may be larger than the list it stands for. */
const MAX_CONTINUATIONS = 16;
/** How long GOAWAY is given to reach the client before the second one names the last stream (ms); RFC 9113 §6.8. */
const GOAWAY_MS = 1000;
/** How long a client that does not read, or a stream whose exchange is over, is waited for (ms). */
const STALL_MS = 30_000;
/** How long a client may take to end a connection that we have ended (ms). */
const ENDING_MS = 5000;
/** Slowest rate at which a client may take the rest (bytes per second). */
const STALL_RATE = 240;
/** What a DATA frame is worth in frames from the client: a WINDOW_UPDATE each for stream and connection. */
const EARNED_PER_FRAME = 2;
/** Streams that we have reset and the client may not know of yet. */
const REMEMBERED_RESETS = 256;

/** Methods whose requests must not have a body here; see the router. */
const BODILESS: ReadonlySet<string> = new Set(['GET', 'HEAD']);

const EMPTY = Buffer.alloc(0);

/** Told when the connection is over. */
export type OnHttp2Closed = (connection: Http2Connection) => void;

/** A header block that is not complete. */
interface Block {
  readonly streamId: number;
  readonly endStream: boolean;
  readonly parts: Buffer[];
  bytes: number;
  frames: number;
}

/** The DATA frame that is being read. */
interface DataFrame {
  readonly stream: Http2Stream | null;
  readonly endStream: boolean;
  left: number;
  padding: number;
}

/** A client's HTTP/2 connection. */
export class Http2Connection implements StreamHost, ClientConnection {
  readonly writer = new FrameWriter();
  readonly encoder = new HpackEncoder();
  turn = 0;
  readonly #socket: Socket;
  readonly #context: ConnectionContext;
  readonly #onClosed: OnHttp2Closed;
  readonly #decoder: HpackDecoder;
  readonly #streams = new Map<number, Http2Stream>();
  readonly #ready = new Set<Http2Stream>();
  readonly #touched = new Set<Http2Stream>();
  readonly #resetIds = new Set<number>();
  /** Priorities that came ahead of their requests, by stream id. */
  readonly #earlyPriorities = new Map<number, Priority>();
  readonly #resets: Budget;
  readonly #control: Budget;
  #pending: Buffer = EMPTY;
  #prefaceLeft = PREFACE.length;
  #settingsSeen = false;
  #block: Block | null = null;
  #blockAt = 0;
  #data: DataFrame | null = null;
  #lastStreamId = 0;
  #sendWindow = DEFAULT_WINDOW;
  #receiveWindow = DEFAULT_WINDOW;
  #initialSendWindow = DEFAULT_WINDOW;
  #scheduled = false;
  #blocked = false;
  #blockedAt = 0;
  #readPaused = false;
  #idleAt: number;
  /** When the first GOAWAY was sent; 0 before. */
  #goawayAt = 0;
  #lastGoawaySent = false;
  #closed = false;
  #endingAt = 0;

  constructor(socket: Socket, context: ConnectionContext, onClosed: OnHttp2Closed) {
    this.#socket = socket;
    this.#context = context;
    this.#onClosed = onClosed;
    const { limits, clock } = context.plane;
    const now = clock.monotonic();
    this.#idleAt = now;
    this.#decoder = new HpackDecoder(HEADER_TABLE_BYTES, limits.maxHeadBytes);
    this.#resets = new Budget(400, 40, now);
    this.#control = new Budget(1000, 100, now);
    this.writer.settings([
      [Setting.maxConcurrentStreams, MAX_STREAMS],
      [Setting.maxHeaderListSize, limits.maxHeadBytes],
      [Setting.noRfc7540Priorities, 1],
    ]);
    this.writer.number(FrameType.windowUpdate, 0, CONNECTION_WINDOW - DEFAULT_WINDOW);
    this.#receiveWindow = CONNECTION_WINDOW;
    this.schedule();
    socket.on('data', (chunk: Buffer) => {
      this.#onData(chunk);
    });
    socket.on('drain', () => {
      this.#onDrain();
    });
    socket.on('end', () => {
      this.#end();
    });
    // What went wrong on a client's connection is the client's; `close` follows and does the accounting.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#onClose();
    });
  }

  /** Finishes the streams that are open and takes no more: GOAWAY twice (RFC 9113 §6.8). */
  drain(): void {
    if (this.#closed || this.#goawayAt !== 0) return;
    this.#goawayAt = this.#context.plane.clock.monotonic();
    this.writer.goaway(MAX_WINDOW, ErrorCode.noError);
    this.schedule();
  }

  /** Ends the connection now. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** Looks at the clock; called a few times a second. */
  check(now: number): void {
    const { limits } = this.#context.plane;
    if (this.#closed) {
      const allowedMs = Math.max(ENDING_MS, (this.#socket.writableLength * 1000) / STALL_RATE);
      if (now - this.#endingAt > allowedMs) this.#socket.destroy();
      return;
    }
    if (this.#context.plane.draining && this.#goawayAt === 0) this.drain();
    if (this.#goawayAt !== 0 && !this.#lastGoawaySent && now - this.#goawayAt > GOAWAY_MS) this.#sendLastGoaway();
    if (
      this.#blocked &&
      now - this.#blockedAt > Math.max(STALL_MS, (this.#socket.writableLength * 1000) / STALL_RATE)
    ) {
      this.#context.plane.metrics.limitHit('RESPONSE_TOO_SLOW');
      this.#socket.destroy();
      return;
    }
    if (this.#block !== null && now - this.#blockAt > limits.requestHeadMs) {
      this.#fail(ErrorCode.enhanceYourCalm, 'H2_HEAD_TIMEOUT');
      return;
    }
    if (this.#streams.size === 0) {
      const patience = this.#settingsSeen ? limits.keepAliveMs : limits.requestHeadMs;
      if (now - this.#idleAt > patience) this.#fail(ErrorCode.noError, null);
      return;
    }
    for (const stream of this.#streams.values()) {
      if (stream.exchange !== null) stream.exchange.check(now);
      else if (stream.deferred !== null) {
        if (now - stream.openedAt > limits.requestHeadMs) {
          this.#context.plane.metrics.limitHit('REQUEST_TIMEOUT');
          this.reset(stream, ErrorCode.cancel);
        }
      } else if (stream.deadlineAt === 0) {
        // Only what waits is left: it may take as long as the slowest rate allows, however it is dripped.
        stream.deadlineAt = now + Math.max(STALL_MS, (stream.pendingBytes() * 1000) / STALL_RATE);
      } else if (now > stream.deadlineAt) {
        this.#context.plane.metrics.limitHit('RESPONSE_TOO_SLOW');
        this.reset(stream, ErrorCode.cancel);
      }
    }
  }

  // StreamHost

  takeWindow(bytes: number, urgency: number): boolean {
    if (this.#blocked || bytes > this.#sendWindow || this.writer.length + bytes > TURN_BYTES) return false;
    for (const other of this.#ready) if (other.priority.urgency < urgency) return false;
    this.#sendWindow -= bytes;
    this.#control.earn(EARNED_PER_FRAME + bytes / 1024);
    return true;
  }

  schedule(): void {
    if (this.#scheduled || this.#blocked) return;
    this.#scheduled = true;
    // After the poll phase: what all sockets brought in this turn is in by then.
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  markReady(stream: Http2Stream): void {
    this.#ready.add(stream);
    this.schedule();
  }

  reset(stream: Http2Stream, code: number): void {
    if (this.#streams.get(stream.id) === stream) this.#resetId(stream.id, code);
    this.done(stream);
    stream.clientGone();
  }

  giveBack(piece: Buffer): void {
    this.#context.plane.buffers.giveBack(piece);
  }

  done(stream: Http2Stream): void {
    this.#ready.delete(stream);
    this.#touched.delete(stream);
    if (this.#streams.get(stream.id) !== stream) return;
    this.#streams.delete(stream.id);
    this.#idleAt = this.#context.plane.clock.monotonic();
    this.#control.earn(4);
    if (this.#streams.size === 0 && this.#lastGoawaySent) this.#close();
  }

  // Writing

  #flush(): void {
    if (this.#socket.destroyed || this.#blocked) return;
    this.#writeBodies();
    const bytes = this.writer.take();
    if (bytes === null) return;
    this.turn++;
    if (!this.#socket.write(bytes)) {
      this.#blocked = true;
      this.#blockedAt = this.#context.plane.clock.monotonic();
    } else if (this.#ready.size > 0) {
      this.schedule();
    }
  }

  /** Gives each stream its share: by urgency where clients named one, else a frame each in turn. */
  #writeBodies(): void {
    if (this.#ready.size === 0) return;
    const order = servingOrder(this.#ready);
    for (let progress = true; progress;) {
      progress = false;
      let urgency = -1;
      for (const stream of order) {
        // Less urgent streams wait while more urgent ones can go on.
        if (progress && stream.priority.urgency > urgency) break;
        urgency = stream.priority.urgency;
        const whole = isWhole(stream);
        do {
          if (this.writer.length >= TURN_BYTES || this.#sendWindow <= 0) {
            this.#rotate(stream);
            return;
          }
          const written = stream.writeNext(this.#sendWindow);
          if (written === 0) break;
          this.#sendWindow -= written;
          // A frame that is small because the client's window is earns nothing.
          this.#control.earn(written / 1024);
          progress = true;
        } while (whole);
        if (!stream.canWrite) this.#ready.delete(stream);
      }
    }
  }

  /** The stream that would have been next is first in the next turn. */
  #rotate(stream: Http2Stream): void {
    if (!this.#ready.has(stream)) return;
    const later: Http2Stream[] = [];
    for (const other of this.#ready) {
      if (other === stream) break;
      later.push(other);
    }
    for (const other of later) {
      this.#ready.delete(other);
      this.#ready.add(other);
    }
  }

  #onDrain(): void {
    this.#blocked = false;
    if (this.#readPaused) {
      this.#readPaused = false;
      this.#socket.resume();
    }
    this.#flush();
  }

  // Reading

  #onData(chunk: Buffer): void {
    if (this.#closed) return;
    let bytes = chunk;
    if (this.#pending.length > 0) {
      bytes = Buffer.concat([this.#pending, chunk]);
      this.#pending = EMPTY;
    }
    try {
      this.#consume(bytes);
      for (const stream of this.#touched) {
        stream.exchange?.requestFlush();
        this.#credit(stream);
      }
    } catch (error) {
      this.#context.plane.defect(error);
      this.#socket.destroy();
    }
    this.#touched.clear();
    if (this.writer.length > BACKLOG_BYTES && this.#blocked && !this.#readPaused) {
      this.#readPaused = true;
      this.#socket.pause();
    }
  }

  #consume(bytes: Buffer): void {
    let position = this.#prefaceLeft > 0 ? this.#readPreface(bytes) : 0;
    while (!this.#closed && position < bytes.length) {
      if (this.#data !== null) {
        position = this.#readData(this.#data, bytes, position);
        continue;
      }
      const available = bytes.length - position;
      const size = available < 3 ? 0 : bytes.readUIntBE(position, 3);
      if (size > MAX_FRAME_BYTES) {
        this.#fail(ErrorCode.frameSizeError, 'H2_PROTOCOL');
        return;
      }
      const type = bytes[position + 3];
      // Of DATA the first payload byte is enough (it may be the padding's length); all others are read whole.
      const needed = FRAME_HEADER_BYTES + (type === FrameType.data ? Math.min(size, 1) : size);
      if (available < FRAME_HEADER_BYTES || available < needed) {
        this.#pending = bytes.subarray(position);
        return;
      }
      const flags = bytes[position + 4] ?? 0;
      const streamId = bytes.readUInt32BE(position + 5) & MAX_WINDOW;
      const payload = position + FRAME_HEADER_BYTES;
      position = payload + (type === FrameType.data ? 0 : size);
      if (!this.#settingsSeen && type !== FrameType.settings) {
        this.#fail(ErrorCode.protocolError, 'H2_PROTOCOL');
      } else if (this.#block !== null && (type !== FrameType.continuation || streamId !== this.#block.streamId)) {
        this.#fail(ErrorCode.protocolError, 'H2_PROTOCOL');
      } else if (type === FrameType.data) {
        position = this.#startData(flags, streamId, bytes, payload, size);
      } else {
        this.#frame(type ?? 0, flags, streamId, bytes.subarray(payload, payload + size));
      }
    }
  }

  /** @returns the position after the preface, or the end of the bytes (RFC 9113 §3.4) */
  #readPreface(bytes: Buffer): number {
    const size = Math.min(bytes.length, this.#prefaceLeft);
    const from = PREFACE.length - this.#prefaceLeft;
    if (PREFACE.compare(bytes, 0, size, from, from + size) !== 0) {
      this.#fail(ErrorCode.protocolError, 'H2_PROTOCOL');
      return bytes.length;
    }
    this.#prefaceLeft -= size;
    return size;
  }

  #frame(type: number, flags: number, streamId: number, payload: Buffer): void {
    switch (type) {
      case FrameType.headers:
        this.#onHeaders(flags, streamId, payload);
        break;
      case FrameType.continuation:
        this.#onContinuation(flags, payload);
        break;
      case FrameType.settings:
        this.#onSettings(flags, streamId, payload);
        break;
      case FrameType.windowUpdate:
        this.#onWindowUpdate(streamId, payload);
        break;
      case FrameType.rstStream:
        this.#onRstStream(streamId, payload);
        break;
      case FrameType.ping:
        this.#onPing(flags, streamId, payload);
        break;
      case FrameType.priority:
        this.#onPriority(streamId, payload);
        break;
      case FrameType.priorityUpdate:
        this.#onPriorityUpdate(streamId, payload);
        break;
      case FrameType.goaway:
        if (streamId !== 0) this.#fail(ErrorCode.protocolError, 'H2_PROTOCOL');
        else if (payload.length < 8) this.#fail(ErrorCode.frameSizeError, 'H2_PROTOCOL');
        else if (this.#spendControl()) this.drain();
        break;
      case FrameType.pushPromise:
        this.#fail(ErrorCode.protocolError, 'H2_PROTOCOL');
        break;
      default:
        // Unknown types are ignored (RFC 9113 §5.5), but not for ever.
        this.#spendControl();
        break;
    }
  }

  // DATA (RFC 9113 §6.1)

  #startData(flags: number, streamId: number, bytes: Buffer, payload: number, size: number): number {
    const padded = (flags & Flag.padded) !== 0;
    const padding = padded ? (bytes[payload] ?? 0) : 0;
    const left = size - padding - (padded ? 1 : 0);
    if (streamId === 0 || left < 0) {
      this.#fail(ErrorCode.protocolError, 'H2_PROTOCOL');
      return bytes.length;
    }
    if (padded && size === 0) {
      this.#fail(ErrorCode.frameSizeError, 'H2_PROTOCOL');
      return bytes.length;
    }
    this.#receiveWindow -= size;
    if (this.#receiveWindow < 0) {
      this.#fail(ErrorCode.flowControlError, 'H2_PROTOCOL');
      return bytes.length;
    }
    if (this.#receiveWindow < CONNECTION_WINDOW / 2) {
      // Bytes go on to their exchange at once; each stream's own window bounds what may wait there.
      this.writer.number(FrameType.windowUpdate, 0, CONNECTION_WINDOW - this.#receiveWindow);
      this.#receiveWindow = CONNECTION_WINDOW;
      this.schedule();
    }
    const endStream = (flags & Flag.endStream) !== 0;
    if (left === 0 && !endStream) this.#spendControl();
    const stream = this.#openFor(streamId);
    if (stream !== null) {
      stream.receiveWindow -= size;
      if (stream.receiveWindow < 0) this.#resetFor(stream, ErrorCode.flowControlError);
    }
    this.#data = { stream, endStream, left, padding };
    const after = payload + (padded ? 1 : 0);
    // A frame without payload has no bytes that would bring the loop round.
    return left + padding === 0 ? this.#readData(this.#data, bytes, after) : after;
  }

  /** The stream that may receive DATA, or null after the answer to one that may not. */
  #openFor(streamId: number): Http2Stream | null {
    const stream = this.#streams.get(streamId);
    if (stream?.remoteOpen === true) return stream;
    if (streamId > this.#lastStreamId || streamId % 2 === 0) this.#fail(ErrorCode.protocolError, 'H2_PROTOCOL');
    else if (stream !== undefined) this.#resetFor(stream, ErrorCode.streamClosed);
    // What was on its way when we reset the stream is ignored, but a window full of it is not a flood.
    else if (this.#resetIds.has(streamId)) this.#spendControl();
    else this.#refuse(streamId, ErrorCode.streamClosed);
    return null;
  }

  #readData(frame: DataFrame, bytes: Buffer, start: number): number {
    let position = start;
    const { stream } = frame;
    if (frame.left > 0) {
      const stop = Math.min(bytes.length, position + frame.left);
      frame.left -= stop - position;
      if (stream !== null && stream.deferred !== null) {
        this.#start(stream, { ...stream.deferred, bodyLength: -1 }, null);
      }
      // Also where the exchange is over and its answer still waits: the request's length must come out right.
      if (stream !== null && (stream.exchange !== null || this.#streams.get(stream.id) === stream)) {
        this.#touched.add(stream);
        if (!stream.receive(bytes.subarray(position, stop))) this.#resetFor(stream, ErrorCode.protocolError);
      }
      position = stop;
    }
    if (frame.left === 0) {
      const skipped = Math.min(bytes.length - position, frame.padding);
      frame.padding -= skipped;
      position += skipped;
      if (frame.padding === 0) {
        this.#data = null;
        if (frame.endStream && stream?.remoteOpen === true && this.#streams.get(stream.id) === stream) {
          this.#endRequest(stream);
        }
      }
    }
    return position;
  }

  #endRequest(stream: Http2Stream): void {
    const { deferred } = stream;
    if (deferred !== null) {
      stream.remoteOpen = false;
      this.#start(stream, { ...deferred, bodyLength: 0 }, null);
    } else if (!stream.endReceive()) this.#resetFor(stream, ErrorCode.protocolError);
  }

  #credit(stream: Http2Stream): void {
    if (this.#streams.get(stream.id) !== stream) return;
    const credit = stream.creditDue();
    if (credit === 0) return;
    this.writer.number(FrameType.windowUpdate, stream.id, credit);
    this.schedule();
  }

  // HEADERS, CONTINUATION (RFC 9113 §6.2, §6.10)

  #onHeaders(flags: number, streamId: number, payload: Buffer): void {
    let start = 0;
    let end = payload.length;
    if ((flags & Flag.padded) !== 0) {
      start = 1;
      end -= payload[0] ?? payload.length + 1;
    }
    const prioritised = (flags & Flag.priority) !== 0;
    const dependency = prioritised && end - start >= 5 ? payload.readUInt32BE(start) & MAX_WINDOW : 0;
    if (prioritised) start += 5;
    if (streamId === 0 || streamId % 2 === 0 || start > end) {
      this.#fail(ErrorCode.protocolError, 'H2_PROTOCOL');
      return;
    }
    const fragment = payload.subarray(start, end);
    this.#block = {
      streamId,
      endStream: (flags & Flag.endStream) !== 0,
      parts: [fragment],
      bytes: fragment.length,
      frames: 0,
    };
    this.#blockAt = this.#context.plane.clock.monotonic();
    if ((flags & Flag.endHeaders) !== 0) this.#endBlock(this.#block, dependency === streamId);
    else if (dependency === streamId) this.#fail(ErrorCode.protocolError, 'H2_PROTOCOL');
    // The payload lies in a buffer of the socket's that is ours alone, so it may be kept.
  }

  #onContinuation(flags: number, payload: Buffer): void {
    const block = this.#block;
    if (block === null) {
      this.#fail(ErrorCode.protocolError, 'H2_PROTOCOL');
      return;
    }
    block.parts.push(payload);
    block.bytes += payload.length;
    block.frames++;
    // CVE-2024-27983: a block that never ends.
    if (
      block.frames > MAX_CONTINUATIONS ||
      block.bytes > 2 * this.#context.plane.limits.maxHeadBytes + MAX_FRAME_BYTES
    ) {
      this.#fail(ErrorCode.enhanceYourCalm, 'H2_CONTINUATION');
      return;
    }
    if ((flags & Flag.endHeaders) !== 0) this.#endBlock(block, false);
  }

  #endBlock(block: Block, dependsOnItself: boolean): void {
    this.#block = null;
    const [first] = block.parts;
    const bytes = block.parts.length === 1 && first !== undefined ? first : Buffer.concat(block.parts, block.bytes);
    const stream = this.#streams.get(block.streamId);
    if (stream !== undefined || block.streamId <= this.#lastStreamId) {
      this.#onTrailers(block, bytes, stream ?? null);
      return;
    }
    this.#lastStreamId = block.streamId;
    const early = this.#takeEarlyPriority(block.streamId);
    const { plane } = this.#context;
    const builder = new HeadBuilder(plane.requestFields);
    const decoded = this.#decoder.decode(bytes, 0, bytes.length, builder.add);
    if (decoded === 'error') {
      this.#fail(ErrorCode.compressionError, 'H2_PROTOCOL');
      return;
    }
    // After the last GOAWAY new streams are ignored: the client knows to ask again elsewhere.
    if (this.#lastGoawaySent) return;
    if (this.#streams.size >= MAX_STREAMS) {
      plane.metrics.limitHit('H2_STREAMS');
      if (this.#spendReset()) this.#resetId(block.streamId, ErrorCode.refusedStream);
      return;
    }
    const result = builder.finish(block.endStream, plane.limits);
    if (result.kind === 'malformed' || dependsOnItself) {
      this.#refuse(block.streamId, decoded === 'too_large' ? ErrorCode.enhanceYourCalm : ErrorCode.protocolError);
      return;
    }
    const { head } = result;
    const opened = new Http2Stream(
      this,
      block.streamId,
      block.endStream ? 0 : head.bodyLength,
      this.#initialSendWindow,
      plane.clock.monotonic(),
    );
    opened.remoteOpen = !block.endStream;
    this.#streams.set(block.streamId, opened);
    this.#touched.add(opened);
    const priority = early ?? (result.kind === 'head' ? result.priority : null);
    if (priority !== null) {
      opened.priority = typeof priority === 'string' ? parsePriority(priority) : priority;
      opened.ordered = true;
    }
    if (decoded === 'too_large') this.#start(opened, head, 'HEAD_TOO_LARGE');
    else if (result.kind === 'refused') this.#start(opened, head, result.code);
    // Whether a GET has a body is known when its first byte or its end has come: both is allowed, only one is refused.
    else if (!block.endStream && head.bodyLength <= 0 && BODILESS.has(head.method)) opened.deferred = head;
    else this.#start(opened, head, null);
  }

  #start(stream: Http2Stream, head: RequestHead, refusal: RefusalCode | null): void {
    const exchange = new Exchange(stream, this.#context, head);
    stream.deferred = null;
    stream.exchange = exchange;
    if (refusal === null) exchange.start();
    else exchange.startRefused(refusal);
  }

  /** A field section after the first: trailers, which are checked and dropped (RFC 9113 §8.1). */
  #onTrailers(block: Block, bytes: Buffer, stream: Http2Stream | null): void {
    let broken = 0;
    const decoded = this.#decoder.decode(bytes, 0, bytes.length, (name, value) => {
      if (!isTrailerField(name, value)) broken++;
    });
    if (decoded === 'error') {
      this.#fail(ErrorCode.compressionError, 'H2_PROTOCOL');
    } else if (stream === null) {
      // One of those that we have reset, or a stream that is over (RFC 9113 §5.1, closed).
      if (!this.#resetIds.has(block.streamId)) this.#fail(ErrorCode.streamClosed, 'H2_PROTOCOL');
    } else if (!stream.remoteOpen) {
      this.#resetFor(stream, ErrorCode.streamClosed);
    } else if (broken > 0 || !block.endStream) {
      this.#resetFor(stream, ErrorCode.protocolError);
    } else {
      this.#touched.add(stream);
      this.#endRequest(stream);
    }
  }

  // The other frames

  /** RFC 9113 §6.5 */
  #onSettings(flags: number, streamId: number, payload: Buffer): void {
    if (streamId !== 0) {
      this.#fail(ErrorCode.protocolError, 'H2_PROTOCOL');
      return;
    }
    if ((flags & Flag.ack) !== 0) {
      if (payload.length !== 0) this.#fail(ErrorCode.frameSizeError, 'H2_PROTOCOL');
      else if (!this.#settingsSeen) this.#fail(ErrorCode.protocolError, 'H2_PROTOCOL');
      else this.#spendControl();
      return;
    }
    if (payload.length % 6 !== 0) {
      this.#fail(ErrorCode.frameSizeError, 'H2_PROTOCOL');
      return;
    }
    this.#settingsSeen = true;
    if (!this.#spendControl(1 + payload.length / 60)) return;
    for (let at = 0; at < payload.length; at += 6) {
      if (!this.#onSetting(payload.readUInt16BE(at), payload.readUInt32BE(at + 2))) return;
    }
    this.writer.frame(FrameType.settings, Flag.ack, 0, EMPTY);
    this.schedule();
  }

  #onSetting(id: number, value: number): boolean {
    switch (id) {
      case Setting.headerTableSize:
        this.encoder.setPeerTableSize(value);
        return true;
      case Setting.enablePush:
        return value <= 1 || this.#fail(ErrorCode.protocolError, 'H2_PROTOCOL');
      case Setting.initialWindowSize:
        return value <= MAX_WINDOW ? this.#moveWindows(value) : this.#fail(ErrorCode.flowControlError, 'H2_PROTOCOL');
      case Setting.maxFrameSize:
        return (value >= MAX_FRAME_BYTES && value <= 0xffffff) || this.#fail(ErrorCode.protocolError, 'H2_PROTOCOL');
      default:
        return true;
    }
  }

  /** RFC 9113 §6.9.2: a new initial window moves those of open streams, below zero if need be. */
  #moveWindows(value: number): boolean {
    const change = value - this.#initialSendWindow;
    this.#initialSendWindow = value;
    for (const stream of this.#streams.values()) {
      stream.sendWindow += change;
      if (stream.sendWindow > MAX_WINDOW) return this.#fail(ErrorCode.flowControlError, 'H2_PROTOCOL');
      if (stream.canWrite) this.markReady(stream);
    }
    return true;
  }

  /** RFC 9113 §6.9 */
  #onWindowUpdate(streamId: number, payload: Buffer): void {
    if (payload.length !== 4) {
      this.#fail(ErrorCode.frameSizeError, 'H2_PROTOCOL');
      return;
    }
    if (!this.#spendControl()) return;
    const increment = payload.readUInt32BE(0) & MAX_WINDOW;
    if (streamId === 0) {
      this.#sendWindow += increment;
      if (increment === 0) this.#fail(ErrorCode.protocolError, 'H2_PROTOCOL');
      else if (this.#sendWindow > MAX_WINDOW) this.#fail(ErrorCode.flowControlError, 'H2_PROTOCOL');
      else this.#flushSoonIfReady();
      return;
    }
    const stream = this.#streams.get(streamId);
    if (stream === undefined) {
      if (streamId > this.#lastStreamId || streamId % 2 === 0) this.#fail(ErrorCode.protocolError, 'H2_PROTOCOL');
      return;
    }
    stream.sendWindow += increment;
    if (increment === 0) this.#resetFor(stream, ErrorCode.protocolError);
    else if (stream.sendWindow > MAX_WINDOW) this.#resetFor(stream, ErrorCode.flowControlError);
    else if (stream.canWrite) this.markReady(stream);
  }

  #flushSoonIfReady(): void {
    for (const stream of this.#streams.values()) if (stream.canWrite) this.#ready.add(stream);
    if (this.#ready.size > 0) this.schedule();
  }

  /** RFC 9113 §6.4 */
  #onRstStream(streamId: number, payload: Buffer): void {
    if (payload.length !== 4) {
      this.#fail(ErrorCode.frameSizeError, 'H2_PROTOCOL');
      return;
    }
    if (streamId === 0 || streamId > this.#lastStreamId || streamId % 2 === 0) {
      this.#fail(ErrorCode.protocolError, 'H2_PROTOCOL');
      return;
    }
    const stream = this.#streams.get(streamId);
    // A stream that is over already costs us nothing but the frame.
    if (stream === undefined) {
      this.#spendControl();
      return;
    }
    if (!this.#spendReset()) return;
    this.done(stream);
    stream.clientGone();
  }

  /** RFC 9113 §6.7 */
  #onPing(flags: number, streamId: number, payload: Buffer): void {
    if (streamId !== 0) {
      this.#fail(ErrorCode.protocolError, 'H2_PROTOCOL');
    } else if (payload.length !== 8) {
      this.#fail(ErrorCode.frameSizeError, 'H2_PROTOCOL');
    } else if (this.#spendControl() && (flags & Flag.ack) === 0) {
      this.writer.frame(FrameType.ping, Flag.ack, 0, payload);
      this.schedule();
    }
  }

  /** RFC 9113 §6.3: deprecated, checked and ignored. */
  #onPriority(streamId: number, payload: Buffer): void {
    if (streamId === 0) {
      this.#fail(ErrorCode.protocolError, 'H2_PROTOCOL');
      return;
    }
    if (!this.#spendControl()) return;
    const selfish = payload.length === 5 && (payload.readUInt32BE(0) & MAX_WINDOW) === streamId;
    if (payload.length === 5 && !selfish) return;
    const code = selfish ? ErrorCode.protocolError : ErrorCode.frameSizeError;
    const stream = this.#streams.get(streamId);
    if (stream !== undefined) this.#resetFor(stream, code);
    else this.#refuse(streamId, code);
  }

  /** RFC 9218 §7.1 */
  #onPriorityUpdate(streamId: number, payload: Buffer): void {
    if (streamId !== 0) {
      this.#fail(ErrorCode.protocolError, 'H2_PROTOCOL');
      return;
    }
    if (payload.length < 4) {
      this.#fail(ErrorCode.frameSizeError, 'H2_PROTOCOL');
      return;
    }
    if (!this.#spendControl()) return;
    const id = payload.readUInt32BE(0) & MAX_WINDOW;
    const priority = parsePriority(payload.toString('latin1', 4, Math.min(payload.length, 260)));
    const stream = this.#streams.get(id);
    if (stream !== undefined) {
      stream.priority = priority;
      stream.ordered = true;
      return;
    }
    if (id % 2 === 0) {
      this.#fail(ErrorCode.protocolError, 'H2_PROTOCOL');
      return;
    }
    if (id <= this.#lastStreamId) return;
    // It overrules the field of the request that is to come.
    this.#earlyPriorities.set(id, priority);
    if (this.#earlyPriorities.size + this.#streams.size > MAX_STREAMS) {
      this.#fail(ErrorCode.protocolError, 'H2_PROTOCOL');
    }
  }

  /** What was said of this stream before it opened; streams below it that did not open never will (RFC 9113 §5.1.1). */
  #takeEarlyPriority(opening: number): Priority | null {
    if (this.#earlyPriorities.size === 0) return null;
    const early = this.#earlyPriorities.get(opening) ?? null;
    for (const id of this.#earlyPriorities.keys()) if (id <= opening) this.#earlyPriorities.delete(id);
    return early;
  }

  // Budgets and endings

  #spendControl(cost = 1): boolean {
    return (
      this.#control.spend(this.#context.plane.clock.monotonic(), cost) ||
      this.#fail(ErrorCode.enhanceYourCalm, 'H2_CONTROL_FRAMES')
    );
  }

  /** Resets, the client's and those it makes us send, are one budget (CVE-2023-44487, CVE-2025-8671). */
  #spendReset(): boolean {
    return (
      this.#resets.spend(this.#context.plane.clock.monotonic()) || this.#fail(ErrorCode.enhanceYourCalm, 'H2_RESETS')
    );
  }

  /** Resets a stream because of what the client did. */
  #resetFor(stream: Http2Stream, code: number): void {
    if (!this.#spendReset()) return;
    this.#context.plane.metrics.limitHit('H2_MALFORMED');
    this.reset(stream, code);
  }

  /** The same for one that is not open. */
  #refuse(streamId: number, code: number): void {
    if (!this.#spendReset()) return;
    this.#context.plane.metrics.limitHit('H2_MALFORMED');
    this.#resetId(streamId, code);
  }

  #resetId(streamId: number, code: number): void {
    this.writer.number(FrameType.rstStream, streamId, code);
    this.schedule();
    this.#resetIds.add(streamId);
    if (this.#resetIds.size > REMEMBERED_RESETS) {
      for (const oldest of this.#resetIds) {
        this.#resetIds.delete(oldest);
        break;
      }
    }
  }

  #sendLastGoaway(): void {
    this.#lastGoawaySent = true;
    this.writer.goaway(this.#lastStreamId, ErrorCode.noError);
    this.schedule();
    if (this.#streams.size === 0) this.#close();
  }

  /**
   * Ends the connection with an error of its own (RFC 9113 §5.4.1).
   * @param limit - code for the metrics, or null
   * @returns false, for the caller to pass on
   */
  #fail(code: number, limit: string | null): false {
    if (this.#closed) return false;
    if (limit !== null) this.#context.plane.metrics.limitHit(limit);
    this.writer.goaway(this.#lastStreamId, code);
    this.#close();
    return false;
  }

  /** Lets what was written leave, and ends. */
  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#endingAt = this.#context.plane.clock.monotonic();
    this.#dropStreams();
    const bytes = this.writer.take();
    if (bytes !== null && !this.#socket.destroyed) this.#socket.write(bytes);
    // The client may still be sending; it gets our reason before it gets a reset.
    this.#socket.end();
    this.#socket.resume();
  }

  /** The client has ended its side: whatever it wanted is not wanted any more. */
  #end(): void {
    this.#closed = true;
    this.#dropStreams();
    this.#socket.destroySoon();
  }

  #dropStreams(): void {
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    this.#ready.clear();
    this.#touched.clear();
    for (const stream of streams) stream.clientGone();
  }

  #onClose(): void {
    this.#closed = true;
    this.#dropStreams();
    this.#onClosed(this);
  }
}
