/**
 * The chunked transfer coding (RFC 9112 §7.1), strict: sizes of 1 to 8 hexadecimal digits, CRLF everywhere. Extensions
 * (bounded, without control characters) and trailers (bounded, checked against the grammar) are dropped.
 */

type Phase = 'size' | 'extension' | 'sizeLf' | 'data' | 'dataCr' | 'dataLf' | 'trailer' | 'done';

/** Called for every piece of body data; the bytes are a slice of what was fed in. */
export type ChunkSink = (buffer: Buffer, start: number, end: number) => void;

/** What {@link ChunkedDecoder.feed} made of its input. */
export const ChunkedResult = { more: -1, invalid: -2 } as const;

const MAX_EXTENSION_BYTES = 1024;
const MAX_TRAILER_BYTES = 8192;
const TRAILER_LINE = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*$/;

const CR = 0x0d;
const LF = 0x0a;

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/** Decodes one chunked body, fed in any pieces. */
export class ChunkedDecoder {
  #phase: Phase = 'size';
  #remaining = 0;
  #digits = 0;
  #overhead = 0;
  #trailerLine = '';

  /**
   * Decodes from `start` on.
   * @returns the position after the body's last byte, or one of {@link ChunkedResult}
   */
  feed(buffer: Buffer, start: number, end: number, sink: ChunkSink): number {
    let position = start;
    while (position < end) {
      const byte = buffer[position] ?? 0;
      switch (this.#phase) {
        case 'size': {
          const digit = hexDigit(byte);
          if (digit >= 0) {
            if (++this.#digits > 8) return ChunkedResult.invalid;
            this.#remaining = this.#remaining * 16 + digit;
          } else if (this.#digits === 0) {
            return ChunkedResult.invalid;
          } else if (byte === CR) {
            this.#phase = 'sizeLf';
          } else if (byte === 0x3b) {
            this.#overhead = 0;
            this.#phase = 'extension';
          } else {
            return ChunkedResult.invalid;
          }
          position++;
          break;
        }
        case 'extension':
          if (byte === CR) this.#phase = 'sizeLf';
          else if ((byte < 0x20 && byte !== 0x09) || byte === 0x7f || ++this.#overhead > MAX_EXTENSION_BYTES) {
            return ChunkedResult.invalid;
          }
          position++;
          break;
        case 'sizeLf':
          if (byte !== LF) return ChunkedResult.invalid;
          position++;
          this.#digits = 0;
          this.#overhead = 0;
          this.#phase = this.#remaining === 0 ? 'trailer' : 'data';
          break;
        case 'data': {
          const stop = Math.min(end, position + this.#remaining);
          sink(buffer, position, stop);
          this.#remaining -= stop - position;
          position = stop;
          if (this.#remaining === 0) this.#phase = 'dataCr';
          break;
        }
        case 'dataCr':
          if (byte !== CR) return ChunkedResult.invalid;
          position++;
          this.#phase = 'dataLf';
          break;
        case 'dataLf':
          if (byte !== LF) return ChunkedResult.invalid;
          position++;
          this.#phase = 'size';
          break;
        case 'trailer': {
          if (++this.#overhead > MAX_TRAILER_BYTES) return ChunkedResult.invalid;
          position++;
          if (byte !== LF) {
            this.#trailerLine += String.fromCharCode(byte);
            break;
          }
          if (!this.#trailerLine.endsWith('\r')) return ChunkedResult.invalid;
          const line = this.#trailerLine.slice(0, -1);
          this.#trailerLine = '';
          if (line === '') {
            this.#phase = 'done';
            return position;
          }
          if (!TRAILER_LINE.test(line)) return ChunkedResult.invalid;
          break;
        }
        case 'done':
          return position;
      }
    }
    return this.#phase === 'done' ? position : ChunkedResult.more;
  }
}
