/** A store that forgets everything at the end: for tests and for `portico demo`. */
import { PorticoError } from '../base/errors.ts';
import { parseFolder, parseKey } from './store-key.ts';
import { checkValueSize } from './store-value.ts';
import type { Store, StoreLock } from './store.ts';

export class MemoryStore implements Store {
  readonly #values: Map<string, Buffer>;
  readonly #lock: { holder: MemoryStore | null };

  /** @param sharedWith - another handle of the same values and the same lock, as a second process would be */
  constructor(sharedWith?: MemoryStore) {
    this.#values = sharedWith === undefined ? new Map<string, Buffer>() : sharedWith.#values;
    this.#lock = sharedWith === undefined ? { holder: null } : sharedWith.#lock;
  }

  // The methods are async so that every failure is a rejected promise, never a throw at the call.
  // eslint-disable-next-line @typescript-eslint/require-await
  async get(key: string): Promise<Buffer | null> {
    parseKey(key);
    const value = this.#values.get(key);
    return value === undefined ? null : Buffer.from(value);
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async put(key: string, value: Uint8Array | string): Promise<void> {
    parseKey(key);
    checkValueSize(key, value);
    this.#mustHoldLock();
    this.#values.set(key, Buffer.from(value));
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async delete(key: string): Promise<void> {
    parseKey(key);
    this.#mustHoldLock();
    this.#values.delete(key);
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async list(folder: string): Promise<string[]> {
    parseFolder(folder);
    const start = folder === '' ? '' : `${folder}/`;
    return [...this.#values.keys()].filter((key) => key.startsWith(start)).sort();
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async lock(): Promise<StoreLock> {
    if (this.#lock.holder !== null) {
      throw new PorticoError('STORE_LOCKED', `The store is in use by process ${String(process.pid)}.`);
    }
    this.#lock.holder = this;
    let held = true;
    return {
      problems: [],
      // eslint-disable-next-line @typescript-eslint/require-await
      release: async () => {
        if (held) this.#lock.holder = null;
        held = false;
      },
    };
  }

  #mustHoldLock(): void {
    if (this.#lock.holder !== this) {
      throw new PorticoError('STORE_NOT_LOCKED', 'The store was written to without its lock.');
    }
  }
}
