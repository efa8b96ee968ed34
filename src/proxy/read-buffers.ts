/**
 * Buffers that upstream connections read into: one shared by all for small reads, and whole ones for bodies that stream, which
 * go on to the client uncopied. A whole one comes back when its bytes have left: allocated anew for each read they would
 * make V8 collect the whole heap every hundred megabytes.
 */

/** Bytes of a read at most. */
const READ_BYTES = 65536;
/** Kept for the next read; more than so many at once is a rush that need not be provided for. */
const MAX_SPARE = 32;

/** The buffers of one data plane. */
export class ReadBuffers {
  readonly shared: Buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  readonly #spare: Buffer[] = [];
  /** By the piece that was handed out: the buffer that it is all of. */
  readonly #lent = new WeakMap<Buffer, Buffer>();

  /** A buffer that nobody else writes to. */
  fresh(): Buffer {
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(READ_BYTES);
  }

  /**
   * Says that a piece is all that was read into a buffer of {@link ReadBuffers.fresh}: with the piece the buffer may be given back.
   * @param piece - a view of `whole` that nobody else has
   */
  lend(piece: Buffer, whole: Buffer): void {
    // Heads that came in several reads were put together in a buffer of another size.
    if (whole.length === READ_BYTES) this.#lent.set(piece, whole);
  }

  /**
   * The bytes of a piece have left and nobody looks at them any more. Pieces that were not lent, or were given back already, are
   * ignored; one that is never given back is left to the garbage collector.
   */
  giveBack(piece: Buffer): void {
    const whole = this.#lent.get(piece);
    if (whole === undefined) return;
    this.#lent.delete(piece);
    if (this.#spare.length < MAX_SPARE) this.#spare.push(whole);
  }

  /** True when giving the piece back is of use. */
  isLent(piece: Buffer): boolean {
    return this.#lent.has(piece);
  }
}
