/**
 * A strict HTTP/1 response parser for tests (RFC 9112). It refuses everything that two clients could read differently, so
 * that a response which parses here is unambiguous; a response that stops early is reported as truncated, never completed.
 */

/** One field line; the name in lower case, the value without the white space around it (latin1). */
export type Field = readonly [name: string, value: string];

/** Status line and fields of a response. */
export interface ResponseHead {
  readonly version: string;
  readonly status: number;
  readonly reason: string;
  readonly fields: readonly Field[];
}

/** A response as a strict client sees it. */
export interface RawResponse extends ResponseHead {
  /** 1xx responses that came before it. */
  readonly informational: readonly ResponseHead[];
  readonly body: Buffer;
  /** What ended the body. */
  readonly framing: 'none' | 'length' | 'chunked' | 'close';
  readonly trailers: readonly Field[];
  /** True when the connection ended before the framing said the body was complete. */
  readonly truncated: boolean;
  /** The single value of a field; undefined when absent; throws when the field is there more than once. */
  field(name: string): string | undefined;
  /** Every value of a field, in order. */
  values(name: string): string[];
  /** The body as JSON. */
  json(): unknown;
}

/** The bytes are not one unambiguous response. */
export class ResponseViolation extends Error {}

const STATUS_LINE = /^(HTTP\/1\.[01]) ([1-5]\d\d) ([\t\x20-\x7e\x80-\xff]*)$/;
const FIELD_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*$/;

/** All values of a field, in order. */
export function valuesOf(fields: readonly Field[], name: string): string[] {
  return fields.filter(([key]) => key === name).map(([, value]) => value);
}

function parseFields(lines: readonly string[]): Field[] {
  return lines.map((line): Field => {
    const match = FIELD_LINE.exec(line);
    if (match?.[1] === undefined || match[2] === undefined)
      throw new ResponseViolation(`field line ${JSON.stringify(line)}`);
    return [match[1].toLowerCase(), match[2]];
  });
}

interface HeadAt extends ResponseHead {
  /** Offset of the first byte after the head. */
  readonly end: number;
}

function parseHead(bytes: Buffer, from: number): HeadAt | null {
  const end = bytes.indexOf('\r\n\r\n', from);
  if (end === -1) return null;
  const [first = '', ...lines] = bytes.toString('latin1', from, end).split('\r\n');
  const match = STATUS_LINE.exec(first);
  if (match?.[1] === undefined || match[3] === undefined)
    throw new ResponseViolation(`status line ${JSON.stringify(first)}`);
  return { version: match[1], status: Number(match[2]), reason: match[3], fields: parseFields(lines), end: end + 4 };
}

interface Body {
  readonly body: Buffer;
  readonly trailers: readonly Field[];
  readonly end: number;
  readonly truncated: boolean;
}

/** Null: more bytes are needed and may still come. */
function parseChunked(bytes: Buffer, from: number, ended: boolean): Body | null {
  const parts: Buffer[] = [];
  let at = from;
  const stopped = (): Body | null =>
    ended ? { body: Buffer.concat(parts), trailers: [], end: bytes.length, truncated: true } : null;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd === -1) return stopped();
    const line = bytes.toString('latin1', at, lineEnd);
    if (!/^[0-9A-Fa-f]{1,8}$/.test(line)) throw new ResponseViolation(`chunk size ${JSON.stringify(line)}`);
    const size = Number.parseInt(line, 16);
    at = lineEnd + 2;
    if (size === 0) break;
    if (bytes.length < at + size + 2) {
      parts.push(bytes.subarray(at, Math.min(bytes.length, at + size)));
      return stopped();
    }
    parts.push(bytes.subarray(at, at + size));
    at += size;
    if (bytes.toString('latin1', at, at + 2) !== '\r\n') throw new ResponseViolation('chunk without CRLF at its end');
    at += 2;
  }
  const lines: string[] = [];
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd === -1) return stopped();
    const line = bytes.toString('latin1', at, lineEnd);
    at = lineEnd + 2;
    if (line === '') break;
    lines.push(line);
  }
  return { body: Buffer.concat(parts), trailers: parseFields(lines), end: at, truncated: false };
}

function framingOf(head: ResponseHead, method: string): { kind: RawResponse['framing']; length: number } {
  const lengths = valuesOf(head.fields, 'content-length');
  const codings = valuesOf(head.fields, 'transfer-encoding');
  if (lengths.length > 0 && codings.length > 0)
    throw new ResponseViolation('both Content-Length and Transfer-Encoding');
  if (lengths.length > 1) throw new ResponseViolation('Content-Length more than once');
  if (codings.length > 1) throw new ResponseViolation('Transfer-Encoding more than once');
  const [length] = lengths;
  const [coding] = codings;
  if (length !== undefined && !/^\d{1,15}$/.test(length))
    throw new ResponseViolation(`Content-Length ${JSON.stringify(length)}`);
  if (coding !== undefined && coding !== 'chunked')
    throw new ResponseViolation(`Transfer-Encoding ${JSON.stringify(coding)}`);
  if (coding !== undefined && head.version === 'HTTP/1.0') throw new ResponseViolation('Transfer-Encoding in HTTP/1.0');
  if (head.status === 204 && (length !== undefined || coding !== undefined))
    throw new ResponseViolation('framing fields in a 204');
  if (method === 'HEAD' || head.status === 101 || head.status === 204 || head.status === 304)
    return { kind: 'none', length: 0 };
  if (coding !== undefined) return { kind: 'chunked', length: 0 };
  if (length !== undefined) return { kind: 'length', length: Number(length) };
  return { kind: 'close', length: 0 };
}

/**
 * Parses one response, with the 1xx responses before it, from the start of `bytes`.
 * @param method - the request's method; a response to HEAD has no body
 * @param ended - no more bytes will come
 * @returns null when more bytes are needed and may come, or when the connection ended without a whole head
 * @throws ResponseViolation when the bytes are not a strict response
 */
export function parseResponse(
  bytes: Buffer,
  method: string,
  ended: boolean,
): { response: RawResponse; consumed: number } | null {
  const informational: ResponseHead[] = [];
  let at = 0;
  let head: HeadAt | null;
  for (;;) {
    head = parseHead(bytes, at);
    if (head === null) return null;
    at = head.end;
    if (head.status >= 200 || head.status === 101) break;
    informational.push(head);
  }
  const { kind, length } = framingOf(head, method);
  let body: Body | null;
  if (kind === 'none') body = { body: Buffer.alloc(0), trailers: [], end: at, truncated: false };
  else if (kind === 'chunked') body = parseChunked(bytes, at, ended);
  else if (kind === 'length') {
    const whole = bytes.length >= at + length;
    const end = whole ? at + length : bytes.length;
    body = whole || ended ? { body: bytes.subarray(at, end), trailers: [], end, truncated: !whole } : null;
  } else body = ended ? { body: bytes.subarray(at), trailers: [], end: bytes.length, truncated: false } : null;
  if (body === null) return null;
  const { fields } = head;
  const response: RawResponse = {
    version: head.version,
    status: head.status,
    reason: head.reason,
    fields,
    informational,
    body: body.body,
    framing: kind,
    trailers: body.trailers,
    truncated: body.truncated,
    values: (name) => valuesOf(fields, name),
    field: (name) => {
      const values = valuesOf(fields, name);
      if (values.length > 1) throw new ResponseViolation(`${name} more than once: ${JSON.stringify(values)}`);
      return values[0];
    },
    json: () => JSON.parse(response.body.toString('utf8')) as unknown,
  };
  return { response, consumed: body.end };
}
