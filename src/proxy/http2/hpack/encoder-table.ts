/**
 * The encoder's dynamic table (RFC 7541 §2.3.2 and §4), kept for finding: by name, then among the few values that a response
 * field of that name has. It holds exactly what the peer's decoder holds, because both evict by the same rule.
 */
import { ENTRY_OVERHEAD } from './dynamic-table.ts';
import { STATIC_LENGTH } from './static-table.ts';

interface Entry {
  readonly name: string;
  readonly value: string;
  /** How many entries came before it since the connection began. */
  readonly order: number;
}

/** First in, first out by octets; latin1 strings, so that lengths are sizes. */
export class EncoderTable {
  /** Oldest first. At most 128 in a table of 4096 octets, so taking the first one off costs little. */
  readonly #entries: Entry[] = [];
  /** The same entries by name, oldest first; a name without entries is not here. */
  readonly #byName = new Map<string, Entry[]>();
  #added = 0;
  #size = 0;
  #capacity: number;

  /**
   * An empty table.
   * @param capacity - octets it may hold
   */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Octets held, 32 on top of each entry (RFC 7541 §4.1). */
  get size(): number {
    return this.#size;
  }

  /** Octets that may be held. */
  get capacity(): number {
    return this.#capacity;
  }

  /** Index of an entry with this name and value; the negative index of one with this name only; 0 for neither. */
  find(name: string, value: string): number {
    const entries = this.#byName.get(name);
    if (entries === undefined) return 0;
    for (let at = entries.length - 1; at >= 0; at--) {
      const entry = entries[at];
      if (entry?.value === value) return this.#index(entry);
    }
    const newest = entries.at(-1);
    return newest === undefined ? 0 : -this.#index(newest);
  }

  /** Adds the newest entry and evicts old ones for it; one larger than the table empties it (RFC 7541 §4.4). */
  add(name: string, value: string): void {
    const size = name.length + value.length + ENTRY_OVERHEAD;
    this.#evictDownTo(this.#capacity - size);
    if (size > this.#capacity) return;
    const entry = { name, value, order: this.#added++ };
    this.#entries.push(entry);
    this.#size += size;
    const same = this.#byName.get(name);
    if (same === undefined) this.#byName.set(name, [entry]);
    else same.push(entry);
  }

  /** Changes the capacity and evicts what no longer fits (RFC 7541 §4.3). */
  resize(capacity: number): void {
    this.#capacity = capacity;
    this.#evictDownTo(capacity);
  }

  #index(entry: Entry): number {
    return STATIC_LENGTH + this.#added - entry.order;
  }

  #evictDownTo(size: number): void {
    while (this.#size > size) {
      const oldest = this.#entries.shift();
      if (oldest === undefined) return;
      this.#size -= oldest.name.length + oldest.value.length + ENTRY_OVERHEAD;
      const same = this.#byName.get(oldest.name);
      same?.shift();
      if (same?.length === 0) this.#byName.delete(oldest.name);
    }
  }
}
