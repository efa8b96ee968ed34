/**
 * HTTP/2 frames built by hand (RFC 9113 §4.1, §6), legal or not, and the smallest header block encoder there is: literals
 * only, no Huffman code, no table (RFC 7541 §6.2.2), so that any bytes can stand in a name or a value.
 */

/** RFC 9113 §6. */
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
} as const;

/** Flags of all frame types. */
export const Flag = { none: 0, endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

/** RFC 9113 §7. */
export const ErrorCode = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  connectError: 10,
  enhanceYourCalm: 11,
} as const;

/** RFC 9113 §6.5.2 and RFC 9218 §2.1. */
export const Setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
  enableConnectProtocol: 8,
  noRfc7540Priorities: 9,
} as const;

/** RFC 9113 §3.4. */
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
/** Largest payload without a SETTINGS_MAX_FRAME_SIZE that says more. */
export const MAX_FRAME_SIZE = 16_384;
/** Flow-control windows before any SETTINGS or WINDOW_UPDATE. */
export const INITIAL_WINDOW = 65_535;
/** Largest flow-control window (RFC 9113 §6.9.1). */
export const MAX_WINDOW = 0x7fffffff;

const EMPTY = Buffer.alloc(0);

/** A frame as it came. */
export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** Any frame; `length` says something else than the payload's length when it is given. */
export function frame(
  type: number,
  flags: number,
  streamId: number,
  payload: Uint8Array = EMPTY,
  length = payload.length,
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

/** Four bytes, big-endian. */
export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** DATA; a string is taken as latin1. */
export function data(streamId: number, payload: Uint8Array | string = EMPTY, flags: number = Flag.none): Buffer {
  return frame(FrameType.data, flags, streamId, typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload);
}

/** HEADERS with this block. */
export function headers(streamId: number, block: Uint8Array, flags: number = Flag.endHeaders | Flag.endStream): Buffer {
  return frame(FrameType.headers, flags, streamId, block);
}

export function continuation(streamId: number, block: Uint8Array, flags: number = Flag.none): Buffer {
  return frame(FrameType.continuation, flags, streamId, block);
}

/** PRIORITY (RFC 9113 §6.3); `weight` as on the wire. */
export function priority(streamId: number, dependency = 0, weight = 15): Buffer {
  return frame(FrameType.priority, Flag.none, streamId, Buffer.concat([u32(dependency), Buffer.from([weight])]));
}

export function rstStream(streamId: number, code: number = ErrorCode.cancel): Buffer {
  return frame(FrameType.rstStream, Flag.none, streamId, u32(code));
}

/** SETTINGS with these identifiers and values, in this order. */
export function settings(...entries: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(entries.length * 6);
  entries.forEach(([id, value], index) => {
    payload.writeUInt16BE(id, index * 6);
    payload.writeUInt32BE(value, index * 6 + 2);
  });
  return frame(FrameType.settings, Flag.none, 0, payload);
}

export const SETTINGS_ACK = frame(FrameType.settings, Flag.ack, 0);

/** PING with eight bytes. */
export function ping(payload: Uint8Array | string = '\0\0\0\0\0\0\0\0', flags: number = Flag.none): Buffer {
  return frame(FrameType.ping, flags, 0, typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload);
}

export function goaway(lastStreamId = 0, code: number = ErrorCode.noError): Buffer {
  return frame(FrameType.goaway, Flag.none, 0, Buffer.concat([u32(lastStreamId), u32(code)]));
}

export function windowUpdate(streamId: number, increment: number): Buffer {
  return frame(FrameType.windowUpdate, Flag.none, streamId, u32(increment));
}

/** The payload with its padding around it, for frames with {@link Flag.padded}. */
export function padded(payload: Uint8Array, paddingLength: number, padding = Buffer.alloc(paddingLength)): Buffer {
  return Buffer.concat([Buffer.from([paddingLength]), payload, padding]);
}

/** An integer with an N-bit prefix (RFC 7541 §5.1); `first` holds the bits above the prefix. */
export function hpackInteger(value: number, prefixBits: number, first = 0): Buffer {
  const limit = 2 ** prefixBits - 1;
  if (value < limit) return Buffer.from([first | value]);
  const bytes = [first | limit];
  let rest = value - limit;
  while (rest >= 128) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  return Buffer.from([...bytes, rest]);
}

/** A string literal without Huffman code; latin1. */
export function hpackString(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  return Buffer.concat([hpackInteger(bytes.length, 7), bytes]);
}

/** A field that enters the dynamic table (RFC 7541 §6.2.1). */
export function hpackIndexedLiteral(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([0x40]), hpackString(name), hpackString(value)]);
}

/** A reference into the tables (RFC 7541 §6.1). */
export function hpackIndex(index: number): Buffer {
  return hpackInteger(index, 7, 0x80);
}

/** A dynamic table size update (RFC 7541 §6.3). */
export function hpackTableSize(size: number): Buffer {
  return hpackInteger(size, 5, 0x20);
}

/** Name and value of a field. */
export type H2Field = readonly [name: string, value: string];

/** A block of literals without indexing; names and values are latin1 and unchecked. */
export function headerBlock(fields: readonly H2Field[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), hpackString(name), hpackString(value)]));
}

/** Cuts bytes into frames as they come in pieces. */
export class FrameReader {
  #rest: Buffer = EMPTY;

  /** The frames that these bytes complete. */
  push(bytes: Buffer): Frame[] {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const frames: Frame[] = [];
    let at = 0;
    while (this.#rest.length - at >= 9) {
      const end = at + 9 + this.#rest.readUIntBE(at, 3);
      if (this.#rest.length < end) break;
      frames.push({
        type: this.#rest.readUInt8(at + 3),
        flags: this.#rest.readUInt8(at + 4),
        streamId: this.#rest.readUInt32BE(at + 5) & 0x7fffffff,
        payload: this.#rest.subarray(at + 9, end),
      });
      at = end;
    }
    this.#rest = this.#rest.subarray(at);
    return frames;
  }
}
