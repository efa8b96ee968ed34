/**
 * Writes one request to an upstream connection in as few writes as may be: the head waits for the first body bytes, and
 * body bytes wait for a connection. Length and chunks follow the one framing that the head announces.
 */
import { joinBytes } from '../http1/join.ts';
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
    const before = this.#chunked ? `${this.#head}${chunk.length.toString(16)}\r\n` : this.#head;
    const after = this.#chunked ? '\r\n' : '';
    this.#head = '';
    if (before === '') return connection.write(chunk);
    if (chunk.length <= SMALL_BODY_BYTES) return connection.write(joinBytes(before, chunk, after));
    connection.write(before);
    const taken = connection.write(chunk);
    return after === '' ? taken : connection.write(after);
  }

  /** The body is complete. */
  end(): void {
    this.#complete = true;
    if (this.#connection !== null) this.#finish(this.#connection);
  }

  /** Lets a head that still waits leave. */
  flush(): void {
    if (this.#head === '' || this.#connection === null) return;
    const head = this.#head;
    this.#head = '';
    this.#connection.write(head);
  }

  /** Forgets the connection and what was not written; a retry starts over with `connect`. */
  reset(): void {
    this.#connection = null;
    this.#head = '';
    this.#gathered = [];
  }

  #finish(connection: UpstreamConnection): void {
    if (this.#chunked) {
      connection.write(`${this.#head}0\r\n\r\n`);
      this.#head = '';
    } else {
      this.flush();
    }
    connection.requestSent();
  }
}
