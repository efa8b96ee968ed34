/** Turns the chunks of a socket into "give me up to here" and "give me this many bytes". */
import type { Socket } from 'node:net';

/** How the peer's half of the connection ended. */
export type PeerEnding = 'fin' | 'reset' | 'closed';

/** Reads a socket by demand; every byte is also handed to `onData`, so that nothing escapes the record. */
export class ByteReader {
  #buffer: Buffer = Buffer.alloc(0);
  #ending: PeerEnding | null = null;
  #wake: (() => void)[] = [];

  constructor(socket: Socket, onData: (chunk: Buffer) => void = () => undefined) {
    socket.on('data', (chunk: Buffer) => {
      onData(chunk);
      this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
      this.#notify();
    });
    const ended = (how: PeerEnding) => () => {
      this.#ending ??= how;
      this.#notify();
    };
    socket.on('end', ended('fin'));
    socket.on('error', ended('reset'));
    socket.on('close', ended('closed'));
  }

  /** Null while the peer's half is open. */
  get ending(): PeerEnding | null {
    return this.#ending;
  }

  /** Bytes received and not taken yet. */
  get buffered(): number {
    return this.#buffer.length;
  }

  /** Bytes up to and with the first match; null when the connection ended before it. */
  async until(pattern: RegExp): Promise<Buffer | null> {
    for (;;) {
      const match = pattern.exec(this.#buffer.toString('latin1'));
      if (match !== null) return this.#take(match.index + match[0].length);
      if (this.#ending !== null) return null;
      await this.#change();
    }
  }

  /** Exactly `count` bytes; null when the connection ended before them. */
  async exactly(count: number): Promise<Buffer | null> {
    while (this.#buffer.length < count) {
      if (this.#ending !== null) return null;
      await this.#change();
    }
    return this.#take(count);
  }

  /** Whatever is there, at least one byte; null when the connection ended. */
  async some(): Promise<Buffer | null> {
    while (this.#buffer.length === 0) {
      if (this.#ending !== null) return null;
      await this.#change();
    }
    return this.#take(this.#buffer.length);
  }

  /** Resolves when the peer's half has ended. */
  async ended(): Promise<PeerEnding> {
    for (;;) {
      if (this.#ending !== null) return this.#ending;
      await this.#change();
    }
  }

  #take(count: number): Buffer {
    const bytes = this.#buffer.subarray(0, count);
    this.#buffer = this.#buffer.subarray(count);
    return bytes;
  }
  #notify(): void {
    const wake = this.#wake;
    this.#wake = [];
    for (const resolve of wake) resolve();
  }
  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }
}
