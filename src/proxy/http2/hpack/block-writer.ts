/**
 * The primitive types of a header block, written: integers (RFC 7541 §5.1) and strings (§5.2), into one buffer that grows
 * as needed and is used again for the next block.
 */
import { encodeHuffman, huffmanLength } from './huffman.ts';

const FIRST_BYTES = 512;
/** A larger buffer is let go after its block: one large response must not be kept for as long as its connection. */
const MAX_KEPT_BYTES = 4096;
/** Octets that an integer may need: 32 bits, seven in each, after the prefix. */
const MAX_INTEGER_BYTES = 6;
/** Up to here a loop is cheaper than the call into native code. */
const SHORT_STRING = 24;

const NOTHING: Buffer = Buffer.alloc(0);

/** Writes one header block after another. */
export class BlockWriter {
  #buffer: Buffer = NOTHING;
  #length = 0;

  /** One octet. */
  octet(value: number): void {
    this.#reserve(1);
    this.#buffer[this.#length++] = value;
  }

  /** An integer below 2^31 in the low `prefixBits` of an octet whose other bits are `pattern`. */
  integer(pattern: number, prefixBits: number, value: number): void {
    this.#reserve(MAX_INTEGER_BYTES);
    const mask = (1 << prefixBits) - 1;
    if (value < mask) {
      this.#buffer[this.#length++] = pattern | value;
      return;
    }
    this.#buffer[this.#length++] = pattern | mask;
    let rest = value - mask;
    for (; rest >= 0x80; rest >>>= 7) this.#buffer[this.#length++] = (rest & 0x7f) | 0x80;
    this.#buffer[this.#length++] = rest;
  }

  /** A latin1 string: in the Huffman code when `compact` and that is shorter, else octet by octet. */
  string(value: string, compact: boolean): void {
    const plain = value.length;
    const coded = compact ? huffmanLength(value) : plain;
    if (coded < plain) {
      this.integer(0x80, 7, coded);
      this.#reserve(coded);
      this.#length = encodeHuffman(value, this.#buffer, this.#length);
      return;
    }
    this.integer(0, 7, plain);
    this.#reserve(plain);
    if (plain <= SHORT_STRING) {
      const buffer = this.#buffer;
      let to = this.#length;
      for (let at = 0; at < plain; at++) buffer[to++] = value.charCodeAt(at);
    } else {
      this.#buffer.write(value, this.#length, 'latin1');
    }
    this.#length += plain;
  }

  /** The block so far, as a copy that the caller owns; the next block begins. */
  take(): Buffer {
    const block = Buffer.from(this.#buffer.subarray(0, this.#length));
    if (this.#buffer.length > MAX_KEPT_BYTES) this.#buffer = NOTHING;
    this.#length = 0;
    return block;
  }

  /** Drops the block so far. */
  clear(): void {
    this.#length = 0;
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    let size = Math.max(FIRST_BYTES, this.#buffer.length);
    while (size < this.#length + bytes) size *= 2;
    const larger = Buffer.allocUnsafeSlow(size);
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}
