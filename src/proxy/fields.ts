/**
 * Header fields of one message, in the order and spelling they came in, with the few names that a proxy must understand
 * recognised once while parsing. Three parallel arrays instead of an object a field: this is made for every message.
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

/** Frequent names with no meaning to a proxy; known so that the common request never takes the slow path. */
const FREQUENT = [
  'Accept-Encoding', 'Accept-Language', 'User-Agent', 'Content-Type', 'Origin', 'Referer', 'Cookie', 'Cache-Control',
  'Pragma', 'Range', 'Date', 'Server', 'ETag', 'Vary', 'Set-Cookie', 'Content-Encoding', 'Content-Disposition',
  'Content-Security-Policy', 'Last-Modified', 'Location', 'Access-Control-Allow-Origin', 'Access-Control-Allow-Methods',
  'Access-Control-Allow-Headers', 'Access-Control-Expose-Headers', 'Cross-Origin-Resource-Policy', 'Sec-Fetch-Mode',
  'Sec-Fetch-Site', 'Sec-Fetch-Dest', 'sec-ch-ua', 'sec-ch-ua-mobile', 'sec-ch-ua-platform', 'Synapse-Trace-Id',
  'Accept-Ranges', 'Expires', 'DNT', 'Priority',
]; // prettier-ignore

const titleCase = (name: string): string => name.replace(/(?:^|-)[a-z]/g, (letters) => letters.toUpperCase());

const BY_SPELLING: ReadonlyMap<string, number> = new Map<string, number>([
  ...FREQUENT.flatMap((name): [string, number][] => [[name, 0], [name.toLowerCase(), 0]]),
  ...Object.entries(RECOGNISED).flatMap(([name, id]): [string, number][] => [[name, id], [titleCase(name), id]]),
]); // prettier-ignore

/**
 * Recognises field names; built with the rule for forwarding fields so that the rule itself stays in one place.
 * @param isForwarding - tells for a lower-case name whether only a trusted proxy may send it
 */
export function createFieldRecogniser(isForwarding: (lowerName: string) => boolean): (name: string) => number {
  return (name) => {
    const known = BY_SPELLING.get(name);
    if (known !== undefined) return known;
    const lower = name.toLowerCase();
    return BY_SPELLING.get(lower) ?? (isForwarding(lower) ? FieldId.forwarding : FieldId.other);
  };
}

/** Recognises the field names of responses, where forwarding fields mean nothing. */
export const recogniseResponseField = createFieldRecogniser(() => false);

/** The fields of one message. */
export class FieldList {
  readonly ids: number[] = [];
  readonly names: string[] = [];
  readonly values: string[] = [];

  /** Appends a field. */
  add(id: number, name: string, value: string): void {
    this.ids.push(id);
    this.names.push(name);
    this.values.push(value);
  }

  get length(): number {
    return this.ids.length;
  }

  /** The value of the first field with this id, or null. */
  first(id: number): string | null {
    const index = this.ids.indexOf(id);
    return index === -1 ? null : (this.values[index] ?? null);
  }

  /** All values with this id, in order. */
  all(id: number): string[] {
    return this.values.filter((_, index) => this.ids[index] === id);
  }
}
