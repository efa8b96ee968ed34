/**
 * Gathers small pieces of a chunked body until they are flushed. A sender may cut its body into single bytes; passed on
 * one by one each would cost a system call (and a TLS record), seventy times the work of the same bytes in one chunk.
 */

/** Pieces below this size are gathered. */
const SMALL_BYTES = 1024;
/** So much is gathered at most. */
const MAX_GATHERED_BYTES = 16384;

/** Small pieces that wait to leave as one. */
export class SmallPieces {
  #pieces: Buffer[] = [];
  #bytes = 0;

  /** Bytes that wait. */
  get size(): number {
    return this.#bytes;
  }

  /**
   * Keeps a piece if it is small and there is room.
   * @param borrowed - the bytes are valid only during the call
   * @returns false when the piece must be written now, after what waits
   */
  add(piece: Buffer, borrowed: boolean): boolean {
    if (piece.length >= SMALL_BYTES || this.#bytes + piece.length > MAX_GATHERED_BYTES) return false;
    this.#pieces.push(borrowed ? Buffer.from(piece) : piece);
    this.#bytes += piece.length;
    return true;
  }

  /** What waits, as one piece; nothing waits afterwards. */
  take(): Buffer {
    const [first] = this.#pieces;
    const taken = this.#pieces.length === 1 && first !== undefined ? first : Buffer.concat(this.#pieces, this.#bytes);
    this.#pieces = [];
    this.#bytes = 0;
    return taken;
  }
}
