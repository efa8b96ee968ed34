/**
 * The few field names that a proxy must understand, recognised while they are parsed: from bytes, without making a string of
 * a name, and from strings as HTTP/2 brings them.
 */

/** What a field name means to a proxy. */
export const FieldId = {
  /** Passed on as it is. */
  other: 0,
  host: 1,
  contentLength: 2,
  transferEncoding: 3,
  connection: 4,
  upgrade: 5,
  expect: 6,
  authorization: 7,
  /** Hop-by-hop without further meaning here: Keep-Alive, Proxy-Connection, TE, Trailer (RFC 9110 §7.6.1). */
  hopByHop: 8,
  /** Says who the client is or what it asked for; only proxies in front of us may (see forwarding.ts). */
  forwarding: 9,
  xForwardedFor: 10,
  accept: 11,
  ifNoneMatch: 12,
  secWebSocketKey: 13,
  secWebSocketVersion: 14,
  http2Settings: 15,
} as const;

const RECOGNISED: Readonly<Record<string, number>> = {
  host: FieldId.host,
  'content-length': FieldId.contentLength,
  'transfer-encoding': FieldId.transferEncoding,
  connection: FieldId.connection,
  upgrade: FieldId.upgrade,
  expect: FieldId.expect,
  authorization: FieldId.authorization,
  'keep-alive': FieldId.hopByHop,
  'proxy-connection': FieldId.hopByHop,
  'proxy-authenticate': FieldId.hopByHop,
  'proxy-authorization': FieldId.hopByHop,
  te: FieldId.hopByHop,
  trailer: FieldId.hopByHop,
  'http2-settings': FieldId.http2Settings,
  accept: FieldId.accept,
  'if-none-match': FieldId.ifNoneMatch,
  'sec-websocket-key': FieldId.secWebSocketKey,
  'sec-websocket-version': FieldId.secWebSocketVersion,
  'x-forwarded-for': FieldId.xForwardedFor,
};

/** Frequent names with no meaning to a proxy; known so that the common message never takes the slow path. */
const FREQUENT = [
  'accept-encoding', 'accept-language', 'user-agent', 'content-type', 'origin', 'referer', 'cookie', 'cache-control',
  'pragma', 'range', 'date', 'server', 'etag', 'vary', 'set-cookie', 'content-encoding', 'content-disposition',
  'content-security-policy', 'last-modified', 'location', 'access-control-allow-origin', 'access-control-allow-methods',
  'access-control-allow-headers', 'access-control-expose-headers', 'cross-origin-resource-policy', 'sec-fetch-mode',
  'sec-fetch-site', 'sec-fetch-dest', 'sec-ch-ua', 'sec-ch-ua-mobile', 'sec-ch-ua-platform', 'synapse-trace-id',
  'accept-ranges', 'expires', 'dnt', 'priority',
]; // prettier-ignore

/** A power of two, several times as many slots as there are names. */
const SLOTS = 512;

/** Length and three letters tell the names apart well enough; letter case does not count. */
function slotOf(length: number, first: number, middle: number, last: number): number {
  const mixed = length * 7 + (first | 0x20) * 31 + (middle | 0x20) * 131 + (last | 0x20) * 17;
  return mixed & (SLOTS - 1);
}

/** Open addressing: a name that is not in it is told by three of its bytes, one that is by a comparison. */
class NameTable {
  readonly #names: string[] = [];
  readonly #ids: number[] = [];
  /** Number of a name plus one; 0 for a free slot. */
  readonly #slots = new Uint8Array(SLOTS);

  constructor(names: readonly (readonly [string, number])[]) {
    for (const [name, id] of names) {
      const { length } = name;
      let slot = slotOf(length, name.charCodeAt(0), name.charCodeAt(length >> 1), name.charCodeAt(length - 1));
      while (this.#slots[slot] !== 0) slot = (slot + 1) & (SLOTS - 1);
      this.#names.push(name);
      this.#ids.push(id);
      this.#slots[slot] = this.#names.length;
    }
  }

  /** @returns the name's id, -1 when it is none of these */
  find(bytes: Buffer, start: number, end: number): number {
    const length = end - start;
    let slot = slotOf(length, bytes[start] ?? 0, bytes[start + (length >> 1)] ?? 0, bytes[end - 1] ?? 0);
    for (;;) {
      const number = this.#slots[slot] ?? 0;
      if (number === 0) return -1;
      if (matches(this.#names[number - 1] ?? '', bytes, start, end)) return this.#ids[number - 1] ?? -1;
      slot = (slot + 1) & (SLOTS - 1);
    }
  }
}

/** Compares with a lower-case name; `| 0x20` is no way to do it, since it makes `_` of DEL and `-` of CR. */
function matches(name: string, bytes: Buffer, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let at = 0; at < name.length; at++) {
    const byte = bytes[start + at] ?? 0;
    const lower = byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
    if (lower !== name.charCodeAt(at)) return false;
  }
  return true;
}

/** Recognises the field names of one kind of message. */
export interface FieldRecogniser {
  /** What a name means, from its bytes; any letter case. */
  ofBytes(bytes: Buffer, start: number, end: number): number;
  /** What a name means. */
  ofName(name: string): number;
}

const MEANINGFUL: readonly (readonly [string, number])[] = Object.entries(RECOGNISED);
const KNOWN = [...FREQUENT.map((name) => [name, FieldId.other] as const), ...MEANINGFUL];
/** In requests a name that is in no table has to be judged; in responses it means nothing. */
const REQUEST_TABLE = new NameTable(KNOWN);
const RESPONSE_TABLE = new NameTable(MEANINGFUL);
const BY_NAME: ReadonlyMap<string, number> = new Map(KNOWN);

/**
 * Recognises field names; built with the rule for forwarding fields so that the rule itself stays in one place.
 * @param isForwarding - tells for a lower-case name whether only a trusted proxy may send it
 */
export function createFieldRecogniser(isForwarding: (lowerName: string) => boolean): FieldRecogniser {
  const judge = (lowerName: string): number => (isForwarding(lowerName) ? FieldId.forwarding : FieldId.other);
  return {
    ofBytes: (bytes, start, end) => {
      const known = REQUEST_TABLE.find(bytes, start, end);
      return known !== -1 ? known : judge(bytes.toString('latin1', start, end).toLowerCase());
    },
    ofName: (name) => {
      const known = BY_NAME.get(name);
      if (known !== undefined) return known;
      const lower = name.toLowerCase();
      return BY_NAME.get(lower) ?? judge(lower);
    },
  };
}

/** Recognises the field names of responses, where forwarding fields mean nothing. */
export const responseFields: FieldRecogniser = {
  ofBytes: (bytes, start, end) => {
    const known = RESPONSE_TABLE.find(bytes, start, end);
    return known === -1 ? FieldId.other : known;
  },
  ofName: (name) => BY_NAME.get(name.toLowerCase()) ?? FieldId.other,
};
