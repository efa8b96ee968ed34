/**
 * Connections to one upstream: idle ones are kept (last used, first taken), new ones are opened up to a cap, and beyond it
 * requests wait their turn.
 */
import type { Clock } from '../../base/clock.ts';
import type { UpstreamConnection } from './connection.ts';
import type { Dialler } from './dial.ts';

/** Somebody who waits for a connection. */
export interface Waiter {
  onConnection(connection: UpstreamConnection): void;
  /** No connection was to be had. @param error - what dialling said */
  onConnectFailure(error: Error): void;
}

/** What a pool reports; see the metrics of the same names. */
export type PoolEvent = 'opened' | 'closed' | 'reused' | 'failed';

export interface PoolOptions {
  readonly dialler: Dialler;
  readonly clock: Clock;
  readonly maxIdle: number;
  readonly idleMs: number;
  readonly maxConnections: number;
  readonly onEvent: (event: PoolEvent) => void;
  /** A request waits because there are as many connections as there may be; `onWaitOver` follows once. */
  readonly onWait: () => void;
  /** @param waitedMs - until there was a connection, or the request was given up */
  readonly onWaitOver: (waitedMs: number) => void;
}

/** Connections to one upstream. */
export class UpstreamPool {
  readonly #options: PoolOptions;
  readonly #idle: UpstreamConnection[] = [];
  /** Who waits, and since when for a place under the cap (monotonic ms); null for those whose connection is being made. */
  readonly #waiting = new Map<Waiter, number | null>();
  readonly #dials = new Set<() => void>();
  /** Dials made for the queue; those for one waiter of its own are not among them. */
  #queueDials = 0;
  readonly #open = new Set<UpstreamConnection>();
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** Requests that wait for a connection. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** An idle connection, or null: then ask `wait`. */
  take(): UpstreamConnection | null {
    const connection = this.#idle.pop() ?? null;
    if (connection !== null) this.#options.onEvent('reused');
    return connection;
  }

  /** Calls the waiter once, with a fresh connection or one that has become idle; `leave` takes the wish back. */
  wait(waiter: Waiter): void {
    this.#waiting.set(waiter, null);
    this.#dialIfNeeded();
    if (this.#queueDials < this.#waiting.size) {
      this.#waiting.set(waiter, this.#options.clock.monotonic());
      this.#options.onWait();
    }
  }

  /** As `wait`, but never hands out a used connection: for the one retry after a reused connection failed. */
  waitForFresh(waiter: Waiter): () => void {
    return this.#dial(
      (connection) => {
        waiter.onConnection(connection);
      },
      (error) => {
        waiter.onConnectFailure(error);
        this.#dialIfNeeded();
      },
    );
  }

  leave(waiter: Waiter): void {
    const since = this.#waiting.get(waiter);
    if (since === undefined) return;
    this.#waiting.delete(waiter);
    if (since !== null) this.#options.onWaitOver(this.#options.clock.monotonic() - since);
  }

  /** Drops connections that have been idle too long; called now and then. */
  sweep(): void {
    const before = this.#options.clock.monotonic() - this.#options.idleMs;
    while (this.#idle[0] !== undefined && this.#idle[0].idleSince < before) this.#idle.shift()?.destroy();
  }

  /** Keeps no connection any more: idle ones go at once, busy ones when their exchange is over. Who waits is still served. */
  close(): void {
    this.#closed = true;
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }

  #dialIfNeeded(): void {
    const { maxConnections } = this.#options;
    while (this.#queueDials < this.#waiting.size && this.#open.size + this.#dials.size < maxConnections) {
      this.#queueDials++;
      this.#dial(
        (connection) => {
          this.#queueDials--;
          this.#serve(connection);
        },
        (error) => {
          this.#queueDials--;
          const waiter = this.#nextWaiter();
          waiter?.onConnectFailure(error);
          this.#dialIfNeeded();
        },
      );
    }
  }

  #dial(onReady: (connection: UpstreamConnection) => void, onFailure: (error: Error) => void): () => void {
    const giveUp = this.#options.dialler.dial(
      (connection) => {
        this.#dials.delete(giveUp);
        this.#open.add(connection);
        this.#options.onEvent('opened');
        onReady(connection);
      },
      (error) => {
        this.#dials.delete(giveUp);
        this.#options.onEvent('failed');
        onFailure(error);
      },
      (connection, reusable) => {
        this.#release(connection, reusable);
      },
    );
    this.#dials.add(giveUp);
    return () => {
      if (!this.#dials.delete(giveUp)) return;
      giveUp();
      // Its place under the cap is free for who waits.
      this.#dialIfNeeded();
    };
  }

  #release(connection: UpstreamConnection, reusable: boolean): void {
    if (reusable && !this.#closed) {
      this.#serve(connection);
      return;
    }
    const index = this.#idle.indexOf(connection);
    if (index !== -1) this.#idle.splice(index, 1);
    if (this.#open.delete(connection)) this.#options.onEvent('closed');
    if (reusable) connection.destroy();
    this.#dialIfNeeded();
  }

  /** Gives a connection to whoever waits longest, or keeps it. */
  #serve(connection: UpstreamConnection): void {
    const waiter = this.#nextWaiter();
    if (waiter !== null) {
      waiter.onConnection(connection);
    } else if (this.#closed || this.#idle.length >= this.#options.maxIdle) {
      connection.destroy();
    } else {
      connection.idleSince = this.#options.clock.monotonic();
      this.#idle.push(connection);
    }
  }

  #nextWaiter(): Waiter | null {
    for (const waiter of this.#waiting.keys()) {
      this.leave(waiter);
      return waiter;
    }
    return null;
  }
}
