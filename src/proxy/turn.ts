/**
 * What is written in one turn of the event loop leaves at its end, all sockets in a row. A write to a peer that sleeps wakes
 * it, which costs the kernel more than the write itself; written one after the other, the first wakes a peer on this machine
 * and the rest find it awake. What one socket gathers in a turn leaves in one system call, too.
 */
import type { Writable } from 'node:stream';

/** From here on bytes leave at once: the system call is no longer what costs. */
const LARGE_BYTES = 16384;

/** Where everything that is written to a socket passes. */
export interface Turn {
  /**
   * Writes at the end of this turn. What the socket is asked meanwhile (`writableLength`, `end`, `destroySoon`) counts these
   * bytes as written; `destroy` drops them, so whoever wants them to arrive calls `uncork` before.
   * @param data - a string is latin1
   * @param onWritten - called when the data has left, or never will
   * @returns as `Writable.write`
   */
  write(socket: Writable, data: Buffer | string, onWritten?: () => void): boolean;
}

/** Gathers the writes of each turn; one for the whole data plane. */
export class GatheringTurn implements Turn {
  #sockets: Writable[] = [];

  write(socket: Writable, data: Buffer | string, onWritten?: () => void): boolean {
    if (socket.writableCorked === 0 && data.length < LARGE_BYTES) {
      socket.cork();
      if (this.#sockets.push(socket) === 1) setImmediate(this.#flush);
    }
    if (typeof data === 'string') return socket.write(data, 'latin1', onWritten);
    return onWritten === undefined ? socket.write(data) : socket.write(data, onWritten);
  }

  readonly #flush = (): void => {
    const sockets = this.#sockets;
    this.#sockets = [];
    for (const socket of sockets) socket.uncork();
  };
}
