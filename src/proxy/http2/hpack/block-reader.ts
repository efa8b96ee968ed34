/**
 * The primitive types of a header block, read: integers (RFC 7541 §5.1) and strings (§5.2). The reader never reads past the
 * end it was given, and says by its result that something is wrong.
 */
import { decodeHuffman } from './huffman.ts';

/** Largest integer taken. Nothing in a header block is that long; more octets than it needs are an attack (RFC 7541 §5.1). */
const MAX_INTEGER = 2 ** 28;
/** Continuation octets carry seven bits each: four of them reach the largest integer. */
const LAST_SHIFT = 21;

const NOTHING: Buffer = Buffer.alloc(0);

/** Reads one header block after another, so that none of them costs an object. */
export class BlockReader {
  #block: Buffer = NOTHING;
  #at = 0;
  #end = 0;

  /** Begins with `block[start..end)`. The buffer is borrowed until {@link BlockReader.close}. */
  open(block: Buffer, start: number, end: number): void {
    this.#block = block;
    this.#at = start;
    this.#end = end;
  }

  /** Lets go of the buffer, so that a quiet connection does not keep its last block alive. */
  close(): void {
    this.#block = NOTHING;
    this.#at = this.#end = 0;
  }

  /** Whether the block is read to its end. */
  get atEnd(): boolean {
    return this.#at >= this.#end;
  }

  /** The next octet, which stays unread: its high bits say what follows. Not to be called at the end. */
  peek(): number {
    return this.#block[this.#at] ?? 0;
  }

  /** An integer in the low `prefixBits` of the next octet and what follows it; -1 when truncated or too large. */
  integer(prefixBits: number): number {
    if (this.#at >= this.#end) return -1;
    const mask = (1 << prefixBits) - 1;
    let value = (this.#block[this.#at++] ?? 0) & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= LAST_SHIFT && this.#at < this.#end; shift += 7) {
      const octet = this.#block[this.#at++] ?? 0;
      value += (octet & 0x7f) << shift;
      if (octet < 0x80) return value <= MAX_INTEGER ? value : -1;
    }
    return -1;
  }

  /** A string as latin1, one char an octet; `null` when truncated or not valid Huffman code. */
  string(): string | null {
    const huffman = !this.atEnd && this.peek() >= 0x80;
    const length = this.integer(7);
    if (length < 0 || length > this.#end - this.#at) return null;
    const start = this.#at;
    this.#at += length;
    return huffman ? decodeHuffman(this.#block, start, this.#at) : this.#block.toString('latin1', start, this.#at);
  }
}
