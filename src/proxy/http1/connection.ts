/**
 * A client's HTTP/1 connection: bytes in, exchanges out, one at a time and answered in order. It owns the socket, the
 * request framing and the response framing; what a request means is the exchange's business.
 */
import type { Socket } from 'node:net';
import type { AccessEntry } from '../../observability/access-entry.ts';
import { REFUSALS, type RefusalCode } from '../../policy/refusals.ts';
import { answerFor } from '../answers.ts';
import type { ClientConnection } from '../client-connection.ts';
import type { ConnectionContext } from '../connection-context.ts';
import { Exchange } from '../exchange.ts';
import type { FieldList } from '../fields.ts';
import type { Front, ResponseHead } from '../front.ts';
import { localResponse } from '../local-response.ts';
import { ChunkedDecoder, ChunkedResult } from './chunked.ts';
import { joinBytes } from './join.ts';
import { parseRequestHead } from './head-parser.ts';
import { SmallPieces } from './small-pieces.ts';
import {
  informationalText,
  responseFraming,
  responseHeadText,
  switchingText,
  type ResponseFraming,
} from './response-head.ts';
import { unfinishedHeadProblem } from './unfinished-head.ts';

/** What becomes of the request bytes. `discard`: the connection is ending, they are read and forgotten. */
type Phase = 'head' | 'length' | 'chunked' | 'waiting' | 'tunnel' | 'discard' | 'closed';

const HEAD_END = Buffer.from('\r\n\r\n');
const EMPTY = Buffer.alloc(0);
/** A response head and a first piece of body up to this size leave in one write. */
const JOINED_BYTES = 32768;
/** Pipelined bytes kept while an exchange runs; beyond it the connection is not read. */
const MAX_PIPELINED_BYTES = 65536;
/**
 * How long a connection that is ending still reads, so that the client gets our answer instead of a reset
 * (RFC 9112 §9.6): in all, and without a byte (ms).
 */
const LINGER_MS = 30_000;
const LINGER_IDLE_MS = 5_000;
/** Slowest rate at which a client may take the rest of its last answer (bytes per second). */
const LINGER_RATE = 240;

/** Told when the connection is over. */
export type OnClosed = (connection: Http1Connection) => void;

/** A client's HTTP/1 connection. */
export class Http1Connection implements Front, ClientConnection {
  readonly #socket: Socket;
  readonly #context: ConnectionContext;
  readonly #onClosed: OnClosed;
  #phase: Phase = 'head';
  /** Bytes not consumed yet: the start of a head, or pipelined requests. */
  #pending: Buffer = EMPTY;
  #remaining = 0;
  #decoder: ChunkedDecoder | null = null;
  #exchange: Exchange | null = null;
  #minor = 1;
  #keepAlive = true;
  #framing: ResponseFraming = 'none';
  #closeAfterResponse = false;
  #headText = '';
  readonly #small = new SmallPieces();
  #requestPaused = false;
  #draining = false;
  /** Monotonic ms: when the first byte of the present head came, 0 between requests. */
  #headAt = 0;
  #idleAt: number;
  #lingerAt = 0;
  #lingerDataAt = 0;
  #pipelinedPause = false;

  constructor(socket: Socket, context: ConnectionContext, onClosed: OnClosed) {
    this.#socket = socket;
    this.#context = context;
    this.#onClosed = onClosed;
    this.#idleAt = context.plane.clock.monotonic();
    socket.on('data', (chunk: Buffer) => {
      this.#onData(chunk);
    });
    socket.on('drain', () => {
      if (this.#exchange !== null) this.#exchange.onClientDrain();
      else if (this.#phase === 'waiting') this.#nextRequest();
    });
    socket.on('end', () => {
      this.#onEnd();
    });
    // What went wrong on a client's connection is the client's; `close` follows and does the accounting.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#onClose();
    });
  }

  get protocol(): 'HTTP/1.0' | 'HTTP/1.1' {
    return this.#minor === 0 ? 'HTTP/1.0' : 'HTTP/1.1';
  }

  /** True while no request is being read or answered. */
  get isIdle(): boolean {
    return this.#exchange === null && this.#phase === 'head' && this.#pending.length === 0;
  }

  /** Finishes what is under way and takes no more requests. */
  drain(): void {
    this.#draining = true;
    if (this.isIdle) this.#close(false);
  }

  /** Ends the connection now. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** Looks at the clock; called a few times a second. */
  check(now: number): void {
    const { limits } = this.#context.plane;
    if (this.#phase === 'discard' || this.#phase === 'closed') {
      this.#checkEnding(now);
    } else if (this.#exchange !== null) {
      this.#exchange.check(now);
    } else if (this.#headAt !== 0) {
      if (now - this.#headAt > limits.requestHeadMs) this.#refuse('REQUEST_TIMEOUT');
    } else if (now - this.#idleAt > limits.keepAliveMs) {
      this.#close(false);
    }
  }

  /** A connection that is ending may take its time for what was sent on it, and no more. */
  #checkEnding(now: number): void {
    const pending = this.#socket.writableLength;
    const allowedMs = Math.max(LINGER_MS, (pending * 1000) / LINGER_RATE);
    const silent = this.#phase === 'discard' && pending === 0 && now - this.#lingerDataAt > LINGER_IDLE_MS;
    if (silent || now - this.#lingerAt > allowedMs) this.#socket.destroy();
  }

  // Front

  sendInformational(status: number, fields: FieldList): void {
    this.#write(informationalText(status, fields));
  }

  sendHead(head: ResponseHead, close: boolean): void {
    this.#framing = responseFraming(head, this.#minor);
    if (close || !this.#keepAlive || this.#draining || this.#context.plane.draining || this.#framing === 'close') {
      this.#closeAfterResponse = true;
    }
    this.#headText = responseHeadText(head, this.#framing, this.#closeAfterResponse);
  }

  sendBody(chunk: Buffer, borrowed: boolean): boolean {
    if (this.#phase === 'closed') return true;
    if (chunk.length === 0) return true;
    if (this.#framing !== 'chunked') return this.#writeBytes(this.#takeHead(), chunk, borrowed, '');
    if (this.#small.add(chunk, borrowed)) return true;
    this.#writeSmall();
    return this.#writeChunk(chunk, borrowed);
  }

  sendEnd(): void {
    this.#writeSmall();
    if (this.#framing === 'chunked') this.#headText += '0\r\n\r\n';
    this.flush();
    this.#exchange = null;
    if (this.#closeAfterResponse || this.#phase !== 'waiting') {
      this.#close(this.#phase !== 'waiting');
    } else {
      this.#nextRequest();
    }
  }

  flush(): void {
    if (this.#phase === 'closed') return;
    if (this.#small.size > 0) this.#writeSmall();
    else if (this.#headText !== '') this.#write(this.#takeHead());
  }

  abort(): void {
    // A head without its body says more than an empty connection, which some clients take for leave to try again.
    this.flush();
    this.#exchange = null;
    this.#phase = 'closed';
    this.#socket.uncork();
    this.#socket.destroy();
  }

  switchToTunnel(head: ResponseHead): void {
    this.#phase = 'tunnel';
    this.#framing = 'none';
    this.#write(switchingText(head));
    const pipelined = this.#pending;
    this.#pending = EMPTY;
    if (this.#pipelinedPause) {
      this.#pipelinedPause = false;
      if (!this.#requestPaused) this.#socket.resume();
    }
    if (pipelined.length > 0) this.#exchange?.requestData(pipelined);
  }

  pauseRequest(): void {
    this.#requestPaused = true;
    this.#socket.pause();
  }

  resumeRequest(): void {
    this.#requestPaused = false;
    if (this.#phase !== 'closed') this.#socket.resume();
  }

  pendingBytes(): number {
    return this.#socket.writableLength;
  }

  // Writing

  #takeHead(): string {
    const text = this.#headText;
    this.#headText = '';
    return text;
  }

  #writeSmall(): void {
    if (this.#small.size > 0) this.#writeChunk(this.#small.take(), false);
  }

  /** RFC 9112 §7.1 */
  #writeChunk(chunk: Buffer, borrowed: boolean): boolean {
    return this.#writeBytes(`${this.#takeHead()}${chunk.length.toString(16)}\r\n`, chunk, borrowed, '\r\n');
  }

  #writeBytes(before: string, chunk: Buffer, borrowed: boolean, after: string): boolean {
    const { turn, buffers } = this.#context.plane;
    if (chunk.length <= JOINED_BYTES || borrowed || after !== '') {
      if (before === '' && after === '' && !borrowed) return this.#writeWhole(chunk);
      const joined = joinBytes(before, chunk, after);
      buffers.giveBack(chunk);
      return turn.write(this.#socket, joined);
    }
    if (before !== '') turn.write(this.#socket, before);
    return this.#writeWhole(chunk);
  }

  #writeWhole(chunk: Buffer): boolean {
    const { turn, buffers } = this.#context.plane;
    if (!buffers.isLent(chunk)) return turn.write(this.#socket, chunk);
    return turn.write(this.#socket, chunk, () => {
      buffers.giveBack(chunk);
    });
  }

  // Reading

  #onData(chunk: Buffer): void {
    if (this.#phase === 'discard') {
      this.#lingerDataAt = this.#context.plane.clock.monotonic();
      return;
    }
    let bytes = chunk;
    if (this.#pending.length > 0) {
      bytes = Buffer.concat([this.#pending, chunk]);
      this.#pending = EMPTY;
    }
    this.#deliver(bytes);
  }

  /** A defect met by a stranger's bytes costs that stranger the connection, not everybody the process. */
  #deliver(bytes: Buffer): void {
    try {
      this.#consume(bytes);
      this.#exchange?.requestFlush();
    } catch (error) {
      this.#context.plane.defect(error);
      if (this.#exchange?.defect() !== true) this.#socket.destroy();
    }
  }

  #consume(bytes: Buffer): void {
    let position = 0;
    const end = bytes.length;
    while (position < end) {
      switch (this.#phase) {
        case 'head':
          position = this.#readHead(bytes, position);
          break;
        case 'length': {
          const stop = Math.min(end, position + this.#remaining);
          this.#remaining -= stop - position;
          this.#exchange?.requestData(position === 0 && stop === end ? bytes : bytes.subarray(position, stop));
          position = stop;
          if (this.#remaining === 0) this.#requestEnd('length');
          break;
        }
        case 'chunked': {
          const exchange = this.#exchange;
          const decoder = (this.#decoder ??= new ChunkedDecoder());
          const result = decoder.feed(bytes, position, end, (buffer, from, to) => {
            if (this.#phase === 'chunked') exchange?.requestData(buffer.subarray(from, to));
          });
          // An exchange that has ended meanwhile closes the connection; what follows is not looked at.
          if (result === ChunkedResult.more) return;
          if (result === ChunkedResult.invalid) {
            exchange?.requestBroken();
            return;
          }
          position = result;
          this.#requestEnd('chunked');
          break;
        }
        case 'waiting':
          this.#keepPipelined(position === 0 ? bytes : bytes.subarray(position));
          return;
        case 'tunnel':
          this.#exchange?.requestData(position === 0 ? bytes : bytes.subarray(position));
          return;
        case 'discard':
        case 'closed':
          return;
      }
    }
  }

  /** @returns the position after the head, or the end of the bytes when it is not complete */
  #readHead(bytes: Buffer, start: number): number {
    const { plane } = this.#context;
    const { limits } = plane;
    const found = start === 0 ? bytes.indexOf(HEAD_END) : bytes.subarray(start).indexOf(HEAD_END) + start;
    if (found < start || found + 4 - start > limits.maxHeadBytes) {
      const end = found < start ? bytes.length : found + 4;
      const problem = unfinishedHeadProblem(bytes, start, end, limits);
      if (problem !== null) {
        this.#refuse(problem);
      } else {
        if (this.#headAt === 0) this.#headAt = plane.clock.monotonic();
        this.#pending = start === 0 ? bytes : bytes.subarray(start);
      }
      return bytes.length;
    }
    const head = parseRequestHead(bytes, start, found + 4, limits, plane.requestFields);
    if (typeof head === 'string') {
      this.#refuse(head);
      return bytes.length;
    }
    this.#headAt = 0;
    this.#minor = head.minor;
    this.#keepAlive = head.keepAlive;
    this.#closeAfterResponse = false;
    this.#decoder = null;
    this.#remaining = head.bodyLength;
    this.#phase = head.bodyLength === 0 ? 'waiting' : head.chunked ? 'chunked' : 'length';
    const exchange = new Exchange(this, this.#context, head);
    this.#exchange = exchange;
    exchange.start();
    return found + 4;
  }

  /** @param reading - the phase in which the body was read; an exchange that ended meanwhile has changed it */
  #requestEnd(reading: Phase): void {
    if (this.#phase !== reading) return;
    this.#phase = 'waiting';
    this.#exchange?.requestEnd();
  }

  #nextRequest(): void {
    this.#phase = 'head';
    this.#idleAt = this.#context.plane.clock.monotonic();
    if (this.#draining) {
      this.#close(false);
      return;
    }
    // Answers do not pile up for a client that sends requests and reads nothing.
    if (this.#socket.writableNeedDrain) {
      this.#phase = 'waiting';
      this.#socket.pause();
      return;
    }
    // A body that came whole in one read may have paused the socket for an upstream that then refused it.
    this.#requestPaused = false;
    this.#pipelinedPause = false;
    if (this.#socket.isPaused()) this.#socket.resume();
    if (this.#pending.length > 0) {
      // From the event loop, so that a thousand pipelined requests do not nest a thousand deep.
      setImmediate(() => {
        if (this.#phase !== 'head') return;
        const bytes = this.#pending;
        this.#pending = EMPTY;
        this.#deliver(bytes);
      });
    }
  }

  #keepPipelined(bytes: Buffer): void {
    this.#pending = bytes;
    if (bytes.length > MAX_PIPELINED_BYTES && !this.#pipelinedPause) {
      this.#pipelinedPause = true;
      this.#socket.pause();
    }
  }

  // Ending

  /** Refuses bytes that never became a request. */
  #refuse(code: RefusalCode): void {
    const { plane, facts, tls } = this.#context;
    const refusal = REFUSALS[code];
    const requestId = plane.nextRequestId();
    const answer = answerFor(refusal, { matrix: true, accept: null, requestId });
    const { head, body } = localResponse(answer, 'GET', plane.httpDate());
    const now = plane.clock.monotonic();
    const entry: AccessEntry = {
      time: plane.clock.now(),
      site: '-',
      requestClass: 'site',
      method: '-',
      target: '-',
      status: refusal.status,
      outcome: 'refused',
      errorCode: refusal.code,
      bytesIn: 0,
      bytesOut: body?.length ?? 0,
      durationMs: this.#headAt === 0 ? 0 : now - this.#headAt,
      upstreamMs: null,
      upstream: null,
      tls,
      protocol: this.protocol,
      peer: facts.peer,
      requestId,
      authorization: null,
    };
    plane.metrics.limitHit(refusal.code);
    plane.metrics.requestFinished(entry);
    plane.accessLog.record(entry);
    this.sendHead(head, true);
    if (body !== null) this.sendBody(body, false);
    this.flush();
    this.#close(true);
  }

  #write(text: string): void {
    if (this.#phase !== 'closed') this.#context.plane.turn.write(this.#socket, text);
  }

  /**
   * Ends our side after what was written.
   * @param linger - the client may still be sending: read on for a while, so that our answer is not lost in a reset
   */
  #close(linger: boolean): void {
    if (this.#phase === 'closed' || this.#phase === 'discard') return;
    this.#pending = EMPTY;
    this.#lingerAt = this.#context.plane.clock.monotonic();
    this.#lingerDataAt = this.#lingerAt;
    if (!linger) {
      this.#phase = 'closed';
      this.#socket.destroySoon();
      return;
    }
    this.#phase = 'discard';
    this.#socket.end();
    this.#socket.resume();
  }

  #onEnd(): void {
    const exchange = this.#exchange;
    if (this.#phase === 'tunnel') {
      this.#exchange = null;
      exchange?.clientEnded();
      this.#close(false);
      return;
    }
    this.#exchange = null;
    this.#close(false);
    this.#phase = 'closed';
    exchange?.clientGone();
  }

  #onClose(): void {
    const exchange = this.#exchange;
    this.#exchange = null;
    this.#phase = 'closed';
    this.#pending = EMPTY;
    exchange?.clientGone();
    this.#onClosed(this);
  }
}
