/**
 * HPACK decoding (RFC 7541 §3.2 and §6): from header blocks to fields, with the table that one direction of a connection
 * shares. It bounds what a block may become, not what a name or value may contain: that is for whoever takes the fields.
 */
import { BlockReader } from './block-reader.ts';
import { DynamicTable, ENTRY_OVERHEAD } from './dynamic-table.ts';
import { STATIC_LENGTH, STATIC_NAMES, STATIC_VALUES } from './static-table.ts';

/**
 * How a block ended. `error`: COMPRESSION_ERROR, the connection is lost (RFC 9113 §4.3). `too_large`: the list is larger
 * than we announced; the table is still right, so only the stream need be refused.
 */
export type HpackResult = 'ok' | 'error' | 'too_large';

/** What the peer's encoder starts from, whatever we announce (RFC 9113 §6.5.2). */
const INITIAL_TABLE_SIZE = 4096;
/** The smallest size since the last block, then the final one (RFC 7541 §4.2). */
const MAX_SIZE_UPDATES = 2;

/**
 * Decodes the header blocks of one direction of one connection, each whole and in the order they came.
 *
 * Work and memory are linear in the octets of the block: a reference costs one step and no copy, so a block that names a
 * large entry thousands of times (an "HPACK bomb") ends as `too_large` without ever being put together.
 */
export class HpackDecoder {
  readonly #table = new DynamicTable(INITIAL_TABLE_SIZE);
  readonly #reader = new BlockReader();
  readonly #announcedTableSize: number;
  readonly #maxListBytes: number;
  #maxTableSize: number;
  #sizeUpdateDue = false;
  #failed = false;

  /**
   * A decoder with an empty table of 4096 octets.
   * @param maxTableSize - our SETTINGS_HEADER_TABLE_SIZE: the largest table the peer may ask for
   * @param maxListBytes - our SETTINGS_MAX_HEADER_LIST_SIZE: name, value and 32 for each field (RFC 9113 §6.5.2)
   */
  constructor(maxTableSize: number, maxListBytes: number) {
    this.#announcedTableSize = maxTableSize;
    this.#maxListBytes = maxListBytes;
    // Until our settings are acknowledged the peer may go on with the initial size.
    this.#maxTableSize = Math.max(maxTableSize, INITIAL_TABLE_SIZE);
  }

  /**
   * The peer acknowledged our SETTINGS. Only needed when we announce a table below 4096 octets: from now on the peer is
   * held to it, and its next block must begin by saying so (RFC 9113 §4.3.1).
   */
  settingsAcknowledged(): void {
    this.#maxTableSize = this.#announcedTableSize;
    this.#sizeUpdateDue = this.#table.capacity > this.#maxTableSize;
  }

  /**
   * Decodes one whole block, `block[start..end)`, and calls `onField` for each field in order, as latin1 strings of one
   * char an octet. The block is not kept. Nothing is delivered past `maxListBytes`; fields delivered before `error` or
   * `too_large` are to be dropped. After `error` the table is lost and every further call says `error`.
   */
  decode(block: Buffer, start: number, end: number, onField: (name: string, value: string) => void): HpackResult {
    if (this.#failed) return 'error';
    this.#reader.open(block, start, end);
    const listBytes = this.#fields(onField);
    this.#reader.close();
    this.#failed = listBytes < 0;
    if (this.#failed) return 'error';
    return listBytes > this.#maxListBytes ? 'too_large' : 'ok';
  }

  /** The size of the whole list, also of what was not delivered; -1 on an error. */
  #fields(onField: (name: string, value: string) => void): number {
    const reader = this.#reader;
    if (!this.#sizeUpdates()) return -1;
    let listBytes = 0;
    while (!reader.atEnd) {
      const octet = reader.peek();
      let name: string | undefined;
      let value: string | null | undefined;
      if (octet >= 0x80) {
        // Indexed field (§6.1).
        const index = reader.integer(7);
        name = this.#nameAt(index);
        value = this.#valueAt(index);
        if (name === undefined || value === undefined) return -1;
      } else {
        const indexing = octet >= 0x40;
        // A size update after a field (§4.2).
        if (!indexing && octet >= 0x20) return -1;
        // Literal with indexing (§6.2.1), without (§6.2.2) or never indexed (§6.2.3).
        const index = reader.integer(indexing ? 6 : 4);
        name = index === 0 ? (reader.string() ?? undefined) : this.#nameAt(index);
        if (name === undefined) return -1;
        value = reader.string();
        if (value === null) return -1;
        if (indexing) this.#table.add(name, value);
      }
      listBytes += name.length + value.length + ENTRY_OVERHEAD;
      if (listBytes <= this.#maxListBytes) onField(name, value);
    }
    return listBytes;
  }

  /** Takes the size updates at the beginning of a block (§4.2, §6.3); says whether they were as they must be. */
  #sizeUpdates(): boolean {
    const reader = this.#reader;
    let taken = 0;
    while (!reader.atEnd && (reader.peek() & 0xe0) === 0x20) {
      const size = reader.integer(5);
      if (size < 0 || size > this.#maxTableSize || ++taken > MAX_SIZE_UPDATES) return false;
      this.#table.resize(size);
    }
    if (this.#sizeUpdateDue && taken === 0) return false;
    this.#sizeUpdateDue = false;
    return true;
  }

  #nameAt(index: number): string | undefined {
    if (index <= 0) return undefined;
    return index <= STATIC_LENGTH ? STATIC_NAMES[index] : this.#table.name(index - STATIC_LENGTH - 1);
  }

  /** For an index whose name was found. */
  #valueAt(index: number): string | undefined {
    return index <= STATIC_LENGTH ? STATIC_VALUES[index] : this.#table.value(index - STATIC_LENGTH - 1);
  }
}
