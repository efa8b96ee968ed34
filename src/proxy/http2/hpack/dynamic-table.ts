/**
 * The decoder's dynamic table (RFC 7541 §2.3.2 and §4): a ring of name and value, newest first, that never holds more than
 * its capacity in octets as §4.1 counts them. Slots are made as entries come, so an idle connection holds next to nothing.
 */

/** What an entry counts on top of its name and value (RFC 7541 §4.1). */
export const ENTRY_OVERHEAD = 32;

const FIRST_SLOTS = 16;

/** First in, first out by octets. Strings are latin1, one char an octet, so their length is their size. */
export class DynamicTable {
  /** Parallel slots, a power of two of them; the newest entry is at `#newest`, the older ones follow downwards. */
  #names: string[] = [];
  #values: string[] = [];
  #newest = -1;
  #length = 0;
  #size = 0;
  #capacity: number;

  /**
   * An empty table.
   * @param capacity - octets it may hold
   */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Entries held; valid positions are below it. */
  get length(): number {
    return this.#length;
  }

  /** Octets held, 32 on top of each entry (RFC 7541 §4.1). */
  get size(): number {
    return this.#size;
  }

  /** Octets that may be held. */
  get capacity(): number {
    return this.#capacity;
  }

  /** Name of the entry at a position from 0, the newest; `undefined` where there is none. */
  name(position: number): string | undefined {
    return position < this.#length ? this.#names[this.#slot(position)] : undefined;
  }

  /** Value of the entry at a position from 0, the newest; `undefined` where there is none. */
  value(position: number): string | undefined {
    return position < this.#length ? this.#values[this.#slot(position)] : undefined;
  }

  /** Adds the newest entry and evicts old ones for it; one larger than the table empties it (RFC 7541 §4.4). */
  add(name: string, value: string): void {
    const size = name.length + value.length + ENTRY_OVERHEAD;
    this.#evictDownTo(this.#capacity - size);
    if (size > this.#capacity) return;
    if (this.#length === this.#names.length) this.#grow();
    this.#newest = (this.#newest + 1) & (this.#names.length - 1);
    this.#names[this.#newest] = name;
    this.#values[this.#newest] = value;
    this.#length++;
    this.#size += size;
  }

  /** Changes the capacity and evicts what no longer fits (RFC 7541 §4.3). */
  resize(capacity: number): void {
    this.#capacity = capacity;
    this.#evictDownTo(capacity);
  }

  #slot(position: number): number {
    return (this.#newest - position) & (this.#names.length - 1);
  }

  #evictDownTo(size: number): void {
    while (this.#length > 0 && this.#size > size) {
      const oldest = this.#slot(this.#length - 1);
      this.#size -= (this.#names[oldest] ?? '').length + (this.#values[oldest] ?? '').length + ENTRY_OVERHEAD;
      this.#names[oldest] = '';
      this.#values[oldest] = '';
      this.#length--;
    }
  }

  /** Twice the slots, entries laid out anew from the oldest. */
  #grow(): void {
    const slots = Math.max(FIRST_SLOTS, this.#names.length * 2);
    const names = new Array<string>(slots).fill('');
    const values = new Array<string>(slots).fill('');
    for (let position = 0; position < this.#length; position++) {
      const from = this.#slot(position);
      names[this.#length - 1 - position] = this.#names[from] ?? '';
      values[this.#length - 1 - position] = this.#values[from] ?? '';
    }
    this.#names = names;
    this.#values = values;
    this.#newest = this.#length - 1;
  }
}
