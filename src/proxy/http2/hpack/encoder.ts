/**
 * HPACK encoding (RFC 7541 §6) of response fields: what repeats on a connection becomes one or two octets by way of the
 * dynamic table; what is secret or different each time stays out of it.
 */
import { BlockWriter } from './block-writer.ts';
import { ENTRY_OVERHEAD } from './dynamic-table.ts';
import { EncoderTable } from './encoder-table.ts';
import { STATIC_BY_NAME } from './static-table.ts';

/**
 * How a field is sent when no table has it. `index`: it will come again, remember it. `literal`: it is different each time.
 * `never`: it is a secret that no intermediary may put in a table either (RFC 7541 §7.1.3).
 */
export type HpackFieldKind = 'index' | 'literal' | 'never';

/** What both peers start from, and the most that we keep for a connection, whatever the peer allows (RFC 7541 §4.2). */
const MAX_TABLE_SIZE = 4096;
/** A field above this share of the table would push out most of what repeats: it is sent as a literal instead. */
const LARGEST_SHARE = 1 / 2;

/** First octet and prefix length of a literal's name index (RFC 7541 §6.2). */
const INDEXING = 0x40;
const WITHOUT_INDEXING = 0x00;
const NEVER_INDEXED = 0x10;

/** Encodes the header blocks of one direction of one connection; blocks must be sent in the order they were made. */
export class HpackEncoder {
  readonly #table = new EncoderTable(MAX_TABLE_SIZE);
  readonly #writer = new BlockWriter();
  #peerTableSize = MAX_TABLE_SIZE;
  /** The smallest table size asked for since the last block; `null` when there is nothing to announce. */
  #smallestDue: number | null = null;

  /**
   * The peer's SETTINGS_HEADER_TABLE_SIZE, to be called for each one as it is acknowledged. The table follows up to 4096
   * octets, and the next block says so. A reduction is always said, even one that changes nothing for us, because the peer
   * waits for it (RFC 9113 §4.3.1).
   */
  setPeerTableSize(size: number): void {
    const own = Math.min(size, MAX_TABLE_SIZE);
    if (size < this.#peerTableSize || own !== this.#table.capacity) {
      this.#smallestDue = Math.min(own, this.#smallestDue ?? own);
    }
    this.#peerTableSize = size;
    this.#table.resize(own);
  }

  /** Begins a block. What was written since the last {@link HpackEncoder.end} must have been ended. */
  begin(): void {
    this.#writer.clear();
    if (this.#smallestDue === null) return;
    // Table size updates (§6.3): the smallest size first, since the peer's table must have evicted what ours did (§4.2).
    if (this.#smallestDue < this.#table.capacity) this.#writer.integer(0x20, 5, this.#smallestDue);
    this.#writer.integer(0x20, 5, this.#table.capacity);
    this.#smallestDue = null;
  }

  /** The `:status` pseudo-header field; it comes before all others (RFC 9113 §8.3). */
  status(code: number): void {
    if (code === 200) this.#writer.octet(0x88);
    else this.field(':status', String(code), 'index');
  }

  /**
   * Adds a field.
   * @param name - in lower case, latin1
   * @param value - latin1, one char an octet
   * @param kind - what to do when no table has it; `never` is sent literally even where one has
   */
  field(name: string, value: string, kind: HpackFieldKind): void {
    if (kind === 'never') {
      this.#literal(NEVER_INDEXED, 4, STATIC_BY_NAME.get(name)?.index ?? 0, name, value);
      return;
    }
    const found = this.#table.find(name, value);
    if (found > 0) {
      this.#writer.integer(0x80, 7, found);
      return;
    }
    const known = STATIC_BY_NAME.get(name);
    const whole = known?.values?.get(value);
    if (whole !== undefined) {
      this.#writer.octet(0x80 | whole);
      return;
    }
    const nameIndex = known?.index ?? -found;
    const size = name.length + value.length + ENTRY_OVERHEAD;
    if (kind === 'index' && size <= this.#table.capacity * LARGEST_SHARE) {
      this.#literal(INDEXING, 6, nameIndex, name, value);
      this.#table.add(name, value);
    } else {
      this.#literal(WITHOUT_INDEXING, 4, nameIndex, name, value);
    }
  }

  /** The block since {@link HpackEncoder.begin}, which is the caller's own. */
  end(): Buffer {
    return this.#writer.take();
  }

  /**
   * A literal (§6.2). The Huffman code takes four times as long to write as plain octets and saves a quarter of them, so
   * only what goes into the table has it: that cost comes once a connection, the other one with every response.
   */
  #literal(pattern: number, prefixBits: number, nameIndex: number, name: string, value: string): void {
    const writer = this.#writer;
    const compact = pattern === INDEXING;
    writer.integer(pattern, prefixBits, nameIndex);
    if (nameIndex === 0) writer.string(name, compact);
    writer.string(value, compact);
  }
}
