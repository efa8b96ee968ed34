/** The listeners of the data plane: which stay, change, open and close when a snapshot takes over. */
import { codeOf } from '../base/errors.ts';
import { Listener, type ListenerHost } from './listener.ts';
import type { ListenerData, ListenerRole } from './snapshot.ts';

/** Where a listener really listens. */
export interface BoundListener {
  readonly role: ListenerRole;
  readonly host: string;
  readonly port: number;
}

/** All open listeners. */
export class Listeners {
  readonly #host: ListenerHost;
  /** By address; what is done there may change while the socket stays open. */
  #open = new Map<string, Listener>();

  constructor(host: ListenerHost) {
    this.#host = host;
  }

  addresses(): BoundListener[] {
    return [...this.#open.values()].map((listener) => ({ role: listener.data.role, ...listener.address() }));
  }

  /**
   * Makes the listeners those that are wanted: addresses that stay are never closed.
   * @throws PorticoError as `Listener.listen`; then the listeners are as before
   */
  async use(wanted: readonly ListenerData[]): Promise<void> {
    const before = this.#open;
    const after = new Map<string, Listener>();
    const opened: Listener[] = [];
    const closedEarly: Listener[] = [];
    try {
      for (const [position, data] of wanted.entries()) {
        // Port 0 is another port each time: its place in the list tells which is which.
        const key = `${data.host ?? ''} ${String(data.port)} ${data.port === 0 ? String(position) : ''}`;
        let listener = before.get(key);
        if (listener === undefined) {
          listener = new Listener(data, this.#host);
          await this.#listen(listener, wanted, closedEarly);
          opened.push(listener);
        }
        after.set(key, listener);
      }
    } catch (error) {
      for (const listener of opened) listener.close();
      for (const listener of closedEarly) await listener.listen();
      throw error;
    }
    // Nothing can fail from here on.
    this.#open = after;
    let index = 0;
    for (const listener of after.values()) {
      const data = wanted[index++];
      if (data !== undefined) listener.update(data);
    }
    for (const [key, listener] of before) if (!after.has(key) && !closedEarly.includes(listener)) listener.close();
  }

  check(now: number): void {
    for (const listener of this.#open.values()) listener.check(now);
  }

  close(): void {
    for (const listener of this.#open.values()) listener.close();
  }

  /** Listens; where a listener of our own that is not wanted any more holds the port (`:443` → `127.0.0.1:443`), it goes first. */
  async #listen(listener: Listener, wanted: readonly ListenerData[], closedEarly: Listener[]): Promise<void> {
    try {
      await listener.listen();
    } catch (error) {
      const isWanted = ({ data }: Listener): boolean =>
        wanted.some(({ host, port }) => host === data.host && port === data.port);
      const rivals = [...this.#open.values()].filter(
        (other) => other.address().port === listener.data.port && !isWanted(other),
      );
      if (codeOf(error) !== 'LISTEN_ADDRESS_IN_USE' || rivals.length === 0) throw error;
      for (const rival of rivals) rival.close();
      closedEarly.push(...rivals);
      await listener.listen();
    }
  }
}
