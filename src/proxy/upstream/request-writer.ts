/**
 * Writes one request to an upstream connection in as few writes as may be: the head waits for the first body bytes, and
 * body bytes wait for a connection. Length and chunks follow the one framing that the head announces.
 */
import { joinBytes } from '../http1/join.ts';
import { SmallPieces } from '../http1/small-pieces.ts';
import type { UpstreamConnection } from './connection.ts';

/** A body up to this size shares one write with its head. */
const SMALL_BODY_BYTES = 16384;

/** Writes one request. */
export class RequestWriter {
  readonly #chunked: boolean;
  #connection: UpstreamConnection | null = null;
  /** Head that has not left yet. */
  #head = '';
  /** Body bytes that came before there was a connection. */
  #gathered: Buffer[] = [];
  readonly #small = new SmallPieces();
  #complete = false;

  /** @param chunked - the body's size is not known */
  constructor(chunked: boolean) {
    this.#chunked = chunked;
  }

  /** Bytes can leave. */
  get connected(): boolean {
    return this.#connection !== null;
  }

  /**
   * Starts on a connection, with what was gathered; the head alone waits for `flush`.
   * @param head - latin1 text, the empty line included
   * @returns false when the upstream takes no more for now
   */
  connect(connection: UpstreamConnection, head: string): boolean {
    this.#connection = connection;
    this.#head = head;
    let taken = true;
    for (const chunk of this.#gathered.splice(0)) taken = this.write(chunk);
    if (this.#complete) this.#finish(connection);
    return taken;
  }

  /**
   * Writes a piece of the body, or keeps it until there is a connection. The bytes must not change afterwards.
   * @returns false when no more should come for now
   */
  write(chunk: Buffer): boolean {
    const connection = this.#connection;
    if (connection === null) {
      this.#gathered.push(chunk);
      return false;
    }
    if (chunk.length === 0) return true;
    if (!this.#chunked) return this.#writeBytes(connection, this.#takeHead(), chunk, '');
    if (this.#small.add(chunk, false)) return true;
    this.#writeSmall(connection);
    return this.#writeChunk(connection, chunk);
  }

  /** The body is complete. */
  end(): void {
    this.#complete = true;
    if (this.#connection !== null) this.#finish(this.#connection);
  }

  /**
   * Lets what still waits leave.
   * @returns false when no more should come for now
   */
  flush(): boolean {
    const connection = this.#connection;
    if (connection === null) return true;
    if (this.#small.size > 0) return this.#writeSmall(connection);
    return this.#head === '' || connection.write(this.#takeHead());
  }

  /** Forgets the connection and what was not written; a retry starts over with `connect`. */
  reset(): void {
    this.#connection = null;
    this.#head = '';
    this.#gathered = [];
    this.#small.take();
  }

  #finish(connection: UpstreamConnection): void {
    if (this.#chunked) {
      this.#writeSmall(connection);
      connection.write(`${this.#takeHead()}0\r\n\r\n`);
    } else {
      this.flush();
    }
    connection.requestSent();
  }

  #takeHead(): string {
    const head = this.#head;
    this.#head = '';
    return head;
  }

  #writeSmall(connection: UpstreamConnection): boolean {
    return this.#small.size === 0 || this.#writeChunk(connection, this.#small.take());
  }

  /** RFC 9112 §7.1 */
  #writeChunk(connection: UpstreamConnection, chunk: Buffer): boolean {
    return this.#writeBytes(connection, `${this.#takeHead()}${chunk.length.toString(16)}\r\n`, chunk, '\r\n');
  }

  #writeBytes(connection: UpstreamConnection, before: string, chunk: Buffer, after: string): boolean {
    if (before === '') return connection.write(chunk);
    if (chunk.length <= SMALL_BODY_BYTES) return connection.write(joinBytes(before, chunk, after));
    connection.write(before);
    const taken = connection.write(chunk);
    return after === '' ? taken : connection.write(after);
  }
}
