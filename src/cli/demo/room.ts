/**
 * The one room of the demo homeserver: a timeline that can be appended to and waited for. Kept in memory, gone with the
 * process.
 */
import { randomBytes } from 'node:crypto';

/** A room event as it stands in a `/sync` response. */
export interface RoomEvent {
  type: string;
  event_id: string;
  sender: string;
  origin_server_ts: number;
  content: Record<string, unknown>;
  state_key?: string;
}

/** What may be appended; id and time are the room's to give. */
export type NewEvent = Pick<RoomEvent, 'type' | 'sender' | 'content' | 'state_key'>;

/** A timeline with positions: position N is after the first N events. */
export class DemoRoom {
  readonly id: string;
  readonly #events: RoomEvent[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(id: string) {
    this.id = id;
  }

  /** The position after the last event. */
  get position(): number {
    return this.#events.length;
  }

  /** Events after a position, oldest first. */
  after(position: number): readonly RoomEvent[] {
    return this.#events.slice(position);
  }

  /** Appends an event and wakes everybody who waits. */
  append(event: NewEvent): RoomEvent {
    const complete = {
      ...event,
      event_id: `$${randomBytes(32).toString('base64url')}`,
      origin_server_ts: Date.now(),
    };
    this.#events.push(complete);
    for (const wake of [...this.#waiting]) wake();
    return complete;
  }

  /**
   * Resolves when there is something after `position`, when `timeoutMs` is over, or when `signal` aborts, whichever comes
   * first; look at `after(position)` to see which it was.
   */
  waitAfter(position: number, timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (this.position > position || timeoutMs <= 0 || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      this.#waiting.add(done);
      signal.addEventListener('abort', done);
    });
  }
}
