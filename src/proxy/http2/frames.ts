/** HTTP/2 frames (RFC 9113 §4 and §6): numbers, and a writer that gathers what leaves in one turn of the event loop. */

/** RFC 9113 §6, RFC 9218 §7.1 */
export const FrameType = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
  priorityUpdate: 16,
} as const;

/** RFC 9113 §6.1, §6.2, §6.5, §6.7 */
export const Flag = { ack: 1, endStream: 1, endHeaders: 4, padded: 8, priority: 32 } as const;

/** RFC 9113 §7 */
export const ErrorCode = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  enhanceYourCalm: 11,
} as const;

/** RFC 9113 §6.5.2, RFC 9218 §2.1 */
export const Setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
  noRfc7540Priorities: 9,
} as const;

export const FRAME_HEADER_BYTES = 9;
/** The largest payload that we take, and that every peer takes from us (RFC 9113 §4.2). */
export const MAX_FRAME_BYTES = 16384;
export const MAX_WINDOW = 0x7fffffff;
export const DEFAULT_WINDOW = 65535;
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

const FIRST_BYTES = 2048;
const EMPTY = Buffer.alloc(0);

/** Gathers frames in one buffer until they are taken. */
export class FrameWriter {
  #buffer: Buffer = EMPTY;
  #length = 0;

  /** Bytes gathered. */
  get length(): number {
    return this.#length;
  }

  /** What was gathered, to be written and not touched again; null when there is nothing. */
  take(): Buffer | null {
    if (this.#length === 0) return null;
    const taken = this.#buffer.subarray(0, this.#length);
    this.#buffer = EMPTY;
    this.#length = 0;
    return taken;
  }

  /** @returns where the frame's flags are, for {@link setFlag} */
  frame(type: number, flags: number, streamId: number, payload: Uint8Array): number {
    const size = payload.length;
    const at = this.#reserve(FRAME_HEADER_BYTES + size);
    this.#header(at, size, type, flags, streamId).set(payload, at + FRAME_HEADER_BYTES);
    return at + 4;
  }

  /** A frame whose payload is one 32-bit number: RST_STREAM, WINDOW_UPDATE. */
  number(type: number, streamId: number, value: number): void {
    const at = this.#reserve(FRAME_HEADER_BYTES + 4);
    this.#header(at, 4, type, 0, streamId).writeUInt32BE(value >>> 0, at + FRAME_HEADER_BYTES);
  }

  settings(values: readonly (readonly [id: number, value: number])[]): void {
    const size = values.length * 6;
    const at = this.#reserve(FRAME_HEADER_BYTES + size);
    const buffer = this.#header(at, size, FrameType.settings, 0, 0);
    let position = at + FRAME_HEADER_BYTES;
    for (const [id, value] of values) {
      buffer.writeUInt16BE(id, position);
      buffer.writeUInt32BE(value >>> 0, position + 2);
      position += 6;
    }
  }

  goaway(lastStreamId: number, code: number): void {
    const at = this.#reserve(FRAME_HEADER_BYTES + 8);
    const buffer = this.#header(at, 8, FrameType.goaway, 0, 0);
    buffer.writeUInt32BE(lastStreamId, at + FRAME_HEADER_BYTES);
    buffer.writeUInt32BE(code, at + FRAME_HEADER_BYTES + 4);
  }

  /** A header block, in as many frames as it needs (RFC 9113 §4.3). */
  headers(streamId: number, block: Buffer, endStream: boolean): void {
    const flags = endStream ? Flag.endStream : 0;
    if (block.length <= MAX_FRAME_BYTES) {
      this.frame(FrameType.headers, flags | Flag.endHeaders, streamId, block);
      return;
    }
    this.frame(FrameType.headers, flags, streamId, block.subarray(0, MAX_FRAME_BYTES));
    for (let at = MAX_FRAME_BYTES; at < block.length; at += MAX_FRAME_BYTES) {
      const last = at + MAX_FRAME_BYTES >= block.length;
      this.frame(
        FrameType.continuation,
        last ? Flag.endHeaders : 0,
        streamId,
        block.subarray(at, at + MAX_FRAME_BYTES),
      );
    }
  }

  /** Sets a flag of a frame that has not been taken yet. */
  setFlag(at: number, flag: number): void {
    this.#buffer[at] = (this.#buffer[at] ?? 0) | flag;
  }

  #header(at: number, size: number, type: number, flags: number, streamId: number): Buffer {
    const buffer = this.#buffer;
    buffer[at] = size >>> 16;
    buffer[at + 1] = (size >>> 8) & 0xff;
    buffer[at + 2] = size & 0xff;
    buffer[at + 3] = type;
    buffer[at + 4] = flags;
    buffer.writeUInt32BE(streamId, at + 5);
    return buffer;
  }

  /** Makes room. @returns where it begins */
  #reserve(size: number): number {
    const at = this.#length;
    const needed = at + size;
    const buffer = this.#buffer;
    if (needed > buffer.length) {
      this.#buffer = Buffer.allocUnsafe(Math.max(FIRST_BYTES, buffer.length * 2, needed));
      buffer.copy(this.#buffer, 0, 0, at);
    }
    this.#length = needed;
    return at;
  }
}
