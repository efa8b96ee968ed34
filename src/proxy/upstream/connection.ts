/**
 * One connection to an upstream: writes requests, parses responses, and says after each whether it can be used again.
 * HTTP/1.1 only, never pipelined. Reads go into one buffer shared by all connections; while a long body streams, into fresh
 * buffers that can be handed on without a copy.
 */
import type { Socket } from 'node:net';
import type { FieldList } from '../fields.ts';
import { ChunkedDecoder, ChunkedResult } from '../http1/chunked.ts';
import type { ReadBuffers } from '../read-buffers.ts';
import type { Turn } from '../turn.ts';
import { parseResponseHead, type Http1ResponseHead } from '../http1/head-parser.ts';

/** What an exchange hears from its upstream connection. No call throws. */
export interface UpstreamHandler {
  /** A 1xx response other than 101. */
  onInformational(status: number, fields: FieldList): void;
  onResponseHead(head: Http1ResponseHead): void;
  /** @param borrowed - the bytes are valid only during the call */
  onResponseData(chunk: Buffer, borrowed: boolean): void;
  /** The response is complete; the connection belongs to the pool again. */
  onResponseEnd(): void;
  /** All of one read was delivered: what was sent on can leave now. */
  onReadEnd(): void;
  /**
   * The connection broke before the response was complete.
   * @param code - `UPSTREAM_INVALID` (the response broke the grammar) or `UPSTREAM_CLOSED`
   * @param silent - not a byte of response had come
   */
  onUpstreamFailure(code: 'UPSTREAM_INVALID' | 'UPSTREAM_CLOSED', silent: boolean): void;
  /** The upstream takes data again after `write` returned false. */
  onUpstreamDrain(): void;
}

type Phase = 'idle' | 'head' | 'length' | 'chunked' | 'untilClose' | 'tunnel' | 'closed';

const MAX_HEAD_BYTES = 65536;
const MAX_FIELDS = 200;
const MAX_INFORMATIONAL = 16;
/**
 * A body that comes in reads of this size or more streams on, and a fresh buffer for the next read saves a copy; below it
 * the copy is cheaper than 64 kB kept for a few bytes.
 */
const LARGE_READ_BYTES = 16384;
const HEAD_END = Buffer.from('\r\n\r\n');
const EMPTY = Buffer.alloc(0);

/** What all connections share. */
export interface UpstreamMeans {
  readonly turn: Turn;
  readonly buffers: ReadBuffers;
}

/** One connection to an upstream. */
export class UpstreamConnection {
  readonly socket: Socket;
  /** Requests sent on this connection, the present one included. */
  requests = 0;
  /** Monotonic time (ms) since which it is idle. */
  idleSince = 0;
  #phase: Phase = 'idle';
  #handler: UpstreamHandler | null = null;
  #method = 'GET';
  #websocket = false;
  #pending: Buffer = EMPTY;
  #remaining = 0;
  #decoder: ChunkedDecoder | null = null;
  #keepAlive = false;
  #informational = 0;
  #silent = true;
  #fresh = false;
  #sending = false;
  readonly #turn: Turn;
  readonly #buffers: ReadBuffers;
  readonly #onRelease: (connection: UpstreamConnection, reusable: boolean) => void;

  /** @param onRelease - called once a response is complete, or the connection is of no more use */
  constructor(
    socket: Socket,
    { turn, buffers }: UpstreamMeans,
    onRelease: (connection: UpstreamConnection, reusable: boolean) => void,
  ) {
    this.socket = socket;
    this.#turn = turn;
    this.#buffers = buffers;
    this.#onRelease = onRelease;
    socket.on('drain', () => this.#handler?.onUpstreamDrain());
    socket.on('end', () => {
      this.#onEnd();
    });
    // The cause of an error does not matter here; that the connection is gone does, and `close` follows every error.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#fail('UPSTREAM_CLOSED');
    });
  }

  /** The buffer the next read goes into. */
  nextBuffer(): Buffer {
    return this.#fresh ? this.#buffers.fresh() : this.#buffers.shared;
  }

  /** Takes a read; the `onread` callback of the socket. */
  onRead(buffer: Buffer, length: number): void {
    if (this.#phase === 'closed') return;
    const borrowed = !this.#fresh;
    if (this.#pending.length > 0) {
      const whole = Buffer.concat([this.#pending, buffer.subarray(0, length)]);
      this.#pending = EMPTY;
      this.#consume(whole, whole.length, false);
    } else {
      this.#consume(buffer, length, borrowed);
    }
    this.#handler?.onReadEnd();
  }

  /** True until a request has been started. */
  get isIdle(): boolean {
    return this.#phase === 'idle';
  }

  /**
   * Starts a request.
   * @param websocket - a 101 answer is expected and turns the connection into a tunnel
   */
  start(handler: UpstreamHandler, method: string, websocket: boolean): void {
    this.#handler = handler;
    this.#method = method;
    this.#websocket = websocket;
    this.#phase = 'head';
    this.#informational = 0;
    this.#silent = true;
    this.#sending = true;
    this.requests++;
  }

  /**
   * Writes bytes of the request; they must not change afterwards.
   * @returns false when the upstream takes no more for now
   */
  write(bytes: Buffer | string): boolean {
    if (this.#phase === 'closed') return true;
    return this.#turn.write(this.socket, bytes);
  }

  /** The request is complete; without this the connection is not used again. */
  requestSent(): void {
    this.#sending = false;
  }

  /** Bytes of the request the upstream has not taken yet. */
  get pendingBytes(): number {
    return this.socket.writableLength;
  }

  pause(): void {
    if (this.#phase !== 'closed') this.socket.pause();
  }

  resume(): void {
    if (this.#phase !== 'closed') this.socket.resume();
  }

  /** Ends a tunnel after what was written. No callback follows. */
  endTunnel(): void {
    this.#handler = null;
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.socket.destroySoon();
    this.#onRelease(this, false);
  }

  /** Breaks the connection; the upstream cannot take an unfinished request for complete. No callback follows. */
  destroy(): void {
    this.#handler = null;
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.socket.destroy();
    this.#onRelease(this, false);
  }

  #consume(buffer: Buffer, length: number, borrowed: boolean): void {
    let position = 0;
    while (position < length) {
      switch (this.#phase) {
        case 'head':
          position = this.#readHead(buffer, position, length, borrowed);
          break;
        case 'length': {
          const stop = Math.min(length, position + this.#remaining);
          this.#remaining -= stop - position;
          this.#fresh = this.#remaining > 0 && length >= LARGE_READ_BYTES;
          this.#handler?.onResponseData(this.#piece(buffer, position, stop, length, borrowed), borrowed);
          position = stop;
          if (this.#remaining === 0) this.#complete(position === length);
          break;
        }
        case 'chunked': {
          const handler = this.#handler;
          const result = (this.#decoder ??= new ChunkedDecoder()).feed(buffer, position, length, (bytes, from, to) => {
            if (this.#handler === handler) handler?.onResponseData(bytes.subarray(from, to), borrowed);
          });
          if (result === ChunkedResult.invalid) {
            this.#fail('UPSTREAM_INVALID');
            return;
          }
          if (result === ChunkedResult.more || this.#handler !== handler) return;
          position = result;
          this.#complete(position === length);
          break;
        }
        case 'untilClose':
        case 'tunnel':
          this.#fresh = length >= LARGE_READ_BYTES;
          this.#handler?.onResponseData(this.#piece(buffer, position, length, length, borrowed), borrowed);
          return;
        case 'idle':
          // Bytes nobody asked for: an answer that belongs to no request is the start of response smuggling.
          this.destroy();
          return;
        case 'closed':
          return;
      }
    }
  }

  /** A piece of a read; one that is all of a buffer of its own can be given back. */
  #piece(buffer: Buffer, start: number, stop: number, length: number, borrowed: boolean): Buffer {
    const piece = buffer.subarray(start, stop);
    if (!borrowed && start === 0 && stop === length) this.#buffers.lend(piece, buffer);
    return piece;
  }

  /** @returns the position after the head, or `length` when it is not complete yet */
  #readHead(buffer: Buffer, start: number, length: number, borrowed: boolean): number {
    this.#silent = false;
    const found = buffer.subarray(start, length).indexOf(HEAD_END);
    if (found === -1 || found + 4 > MAX_HEAD_BYTES) {
      if (found !== -1 || length - start >= MAX_HEAD_BYTES) {
        this.#fail('UPSTREAM_INVALID');
      } else {
        this.#pending = borrowed ? Buffer.from(buffer.subarray(start, length)) : buffer.subarray(start, length);
      }
      return length;
    }
    const end = start + found + 4;
    const head = parseResponseHead(buffer, start, end, this.#method, MAX_FIELDS);
    if (head === null || (head.status === 101 && !this.#websocket)) {
      this.#fail('UPSTREAM_INVALID');
      return length;
    }
    if (head.status < 200 && head.status !== 101) {
      if (++this.#informational > MAX_INFORMATIONAL || head.bodyLength !== 0) this.#fail('UPSTREAM_INVALID');
      else this.#handler?.onInformational(head.status, head.fields);
      return this.#phase === 'head' ? end : length;
    }
    this.#keepAlive = head.keepAlive;
    this.#decoder = null;
    if (head.status === 101) {
      this.#phase = 'tunnel';
      this.#handler?.onResponseHead(head);
      return end;
    }
    if (head.chunked) this.#phase = 'chunked';
    else if (head.bodyLength > 0) this.#phase = 'length';
    else if (head.bodyLength === -1) this.#phase = 'untilClose';
    this.#remaining = head.bodyLength;
    this.#handler?.onResponseHead(head);
    if (this.#phase === 'head') this.#complete(end === length);
    return end;
  }

  /** @param clean - nothing came after the response's last byte */
  #complete(clean: boolean): void {
    // Given up by its exchange while the last bytes were delivered.
    if (this.#phase === 'closed') return;
    const handler = this.#handler;
    // Bytes of the request that have not left yet would stand before the next one.
    const reusable = clean && this.#keepAlive && !this.#sending && this.socket.writableLength === 0;
    this.#handler = null;
    this.#fresh = false;
    this.#decoder = null;
    this.#phase = reusable ? 'idle' : 'closed';
    if (!reusable) this.socket.destroy();
    // The exchange that paused it for a slow client has nothing to do with the next one.
    else if (this.socket.isPaused()) this.socket.resume();
    // The pool first: the next request of the same client may want this very connection.
    this.#onRelease(this, reusable);
    handler?.onResponseEnd();
    handler?.onReadEnd();
  }

  #onEnd(): void {
    if (this.#phase === 'untilClose') {
      this.#keepAlive = false;
      this.#complete(true);
    } else if (this.#phase === 'tunnel') {
      const handler = this.#handler;
      this.#handler = null;
      handler?.onResponseEnd();
    } else {
      // FIN before the response was complete, or on an idle connection.
      this.#fail('UPSTREAM_CLOSED');
    }
  }

  #fail(code: 'UPSTREAM_INVALID' | 'UPSTREAM_CLOSED'): void {
    if (this.#phase === 'closed') return;
    const handler = this.#handler;
    this.#handler = null;
    this.#phase = 'closed';
    this.socket.destroy();
    this.#onRelease(this, false);
    handler?.onUpstreamFailure(code, this.#silent);
  }
}
