/** A socket without a network: what is written is kept, what comes in is fed by the test. */
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import type { Turn } from '../../../../src/proxy/turn.ts';

/** Writes pass when they are made. */
export const AT_ONCE: Turn = { write: (socket, data) => socket.write(data) };

export class FakeSocket extends EventEmitter {
  /** All that was written, latin1. */
  written = '';
  writes = 0;
  destroyed = false;
  paused = false;
  /** What `write` answers. */
  takes = true;
  writableLength = 0;
  writableNeedDrain = false;

  write(bytes: Buffer | string): boolean {
    this.writes++;
    this.written += typeof bytes === 'string' ? bytes : bytes.toString('latin1');
    return this.takes;
  }

  uncork(): void {
    // Nothing is held back here.
  }

  pause(): this {
    this.paused = true;
    return this;
  }

  resume(): this {
    this.paused = false;
    return this;
  }

  isPaused(): boolean {
    return this.paused;
  }

  destroy(): this {
    this.destroyed = true;
    return this;
  }

  end(): this {
    return this;
  }

  destroySoon(): void {
    this.destroyed = true;
  }

  asSocket(): Socket {
    return this as unknown as Socket;
  }
}
