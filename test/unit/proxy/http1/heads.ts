/** Heads for the tests of the parser: shorthands to parse them, and generators of valid and of damaged ones. */
import fc from 'fast-check';
import type { RefusalCode } from '../../../../src/policy/refusals.ts';
import { createFieldRecogniser } from '../../../../src/proxy/field-names.ts';
import type { FieldList } from '../../../../src/proxy/fields.ts';
import { isClientForwardingField } from '../../../../src/proxy/forwarding.ts';
import {
  parseRequestHead,
  parseResponseHead,
  type HeadLimits,
  type Http1RequestHead,
  type Http1ResponseHead,
} from '../../../../src/proxy/http1/head-parser.ts';
import { upstreamRequestHead } from '../../../../src/proxy/upstream/request-head.ts';

export const LIMITS: HeadLimits = { maxTargetBytes: 256, maxFields: 20 };

const recognise = createFieldRecogniser(isClientForwardingField);

/** Stands around every head that is parsed here, so that a forgotten offset or a look beyond the end shows. */
const BEFORE = 'Content-Length: 7\r\n\r\n';
const AFTER = 'Content-Length: 9\r\n\r\n';

function surrounded(text: string): [bytes: Buffer, start: number, end: number] {
  return [Buffer.from(BEFORE + text + AFTER, 'latin1'), BEFORE.length, BEFORE.length + text.length];
}

/** @param text - latin1, up to and including the first empty line */
export function parseRequest(text: string, limits: HeadLimits = LIMITS): Http1RequestHead | RefusalCode {
  const [bytes, start, end] = surrounded(text);
  return parseRequestHead(bytes, start, end, limits, recognise);
}

/** @param text - latin1, up to and including the first empty line */
export function parseResponse(text: string, requestMethod = 'GET', maxFields = 20): Http1ResponseHead | null {
  const [bytes, start, end] = surrounded(text);
  return parseResponseHead(bytes, start, end, requestMethod, maxFields);
}

/** The head of a request that must be accepted. */
export function requestHead(text: string): Http1RequestHead {
  const head = parseRequest(text);
  if (typeof head === 'string') throw new Error(`refused with ${head}`);
  return head;
}

/** The head of a response that must be accepted. */
export function responseHead(text: string, requestMethod?: string): Http1ResponseHead {
  const head = parseResponse(text, requestMethod);
  if (head === null) throw new Error('refused');
  return head;
}

/** Names and values as pairs. */
export function pairsOf(fields: FieldList): [string, string][] {
  return Array.from({ length: fields.length }, (_, index) => [fields.name(index), fields.value(index)]);
}

/** What Portico adds in these tests. */
export const FORWARDED = {
  forwardedFor: '192.0.2.7',
  clientAddress: '192.0.2.7',
  proto: 'https',
  requestId: 'id-1',
} as const;

/** What goes upstream for a head. */
export function serialised(head: Http1RequestHead): string {
  return upstreamRequestHead(head, FORWARDED);
}

/** What two readers of a head must agree on. */
export interface Meaning {
  readonly method: string;
  readonly target: string;
  readonly authority: string;
  readonly bodyLength: number;
  readonly chunked: boolean;
}

export function meaningOf(head: Http1RequestHead): Meaning {
  const { method, target, authority, bodyLength, chunked } = head;
  return { method, target, authority, bodyLength, chunked };
}

/** Up to and including the first empty line, which is where a connection cuts; null when there is none. */
export function cutHead(text: string): string | null {
  const found = text.indexOf('\r\n\r\n');
  return found === -1 ? null : text.slice(0, found + 4);
}

// Generators

/** The parts of a valid request head. */
export interface RequestParts {
  readonly method: string;
  readonly target: string;
  readonly minor: 0 | 1;
  readonly authority: string;
  readonly framing: number | 'chunked' | 'none';
  readonly fields: readonly (readonly [name: string, blanks: string, value: string, trailing: string])[];
}

const chars = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, at) => String.fromCharCode(from + at));
const TCHAR = [...chars(0x30, 0x39), ...chars(0x41, 0x5a), ...chars(0x61, 0x7a), ..."!#$%&'*+-.^_`|~".split(/(?:)/)];
const VCHAR = [...chars(0x21, 0x7e), ...chars(0x80, 0xff)];
const TARGET = chars(0x21, 0x7e).filter((char) => char !== '#');

const token = fc.string({ unit: fc.constantFrom(...TCHAR), minLength: 1, maxLength: 12 });
const blanks = fc.string({ unit: fc.constantFrom(' ', '\t'), maxLength: 3 });
const value = fc
  .string({ unit: fc.constantFrom(...VCHAR, ' ', '\t'), maxLength: 20 })
  .map((text) => text.replace(/^[ \t]+|[ \t]+$/g, ''));

/** Names with a meaning, of which a proxy may get any. */
const NAMES = [
  'Accept', 'Authorization', 'Keep-Alive', 'Proxy-Connection', 'TE', 'te', 'Trailer', 'Proxy-Authorization', 'HTTP2-Settings',
  'X-Forwarded-For', 'x-forwarded-host', 'X-FORWARDED-PROTO', 'Forwarded', 'X-Real-IP', 'X-Request-Id', 'X_Forwarded_For', 'Content_Length',
  'If-None-Match', 'User-Agent', 'Cookie', 'X-Original-URL', 'Sec-WebSocket-Key', 'Sec-WebSocket-Version', 'Date',
]; // prettier-ignore

/** Fields that make a difference to framing or connection, in valid use. */
const special = fc.constantFrom<[string, string]>(
  ['Connection', 'keep-alive'],
  ['Connection', 'close'],
  ['connection', 'Keep-Alive, X-Drop'],
  ['Connection', 'Host, Authorization, Content-Length, Transfer-Encoding, X-Forwarded-For'],
  ['Upgrade', 'h2c'],
  ['Upgrade', 'websocket'],
  ['Connection', 'Upgrade'],
  ['Expect', '100-continue'],
);

const RESERVED = /^(?:host|content-length|transfer-encoding|connection|upgrade|expect)$/i;

const field = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(token.filter((name) => !RESERVED.test(name)), blanks, value, blanks) },
  { weight: 3, arbitrary: fc.tuple(fc.constantFrom(...NAMES), blanks, value, blanks) },
  { weight: 1, arbitrary: fc.tuple(special, blanks, blanks).map(([[name, text], lead, trail]) => [name, lead, text, trail] as const) },
); // prettier-ignore

/** Valid request heads, in parts. @param method - default: any token */
export function requestParts(method: fc.Arbitrary<string> = token): fc.Arbitrary<RequestParts> {
  return fc
    .record<RequestParts>({
      method,
      target: fc.string({ unit: fc.constantFrom(...TARGET), maxLength: 30 }).map((text) => `/${text}`),
      minor: fc.constantFrom<0 | 1>(1, 1, 1, 0),
      authority: fc.constantFrom('example.com', 'example.com:8448', '[2001:db8::1]:443', ''),
      framing: fc.oneof(fc.nat({ max: 40 }), fc.constantFrom<'chunked' | 'none'>('chunked', 'none')),
      fields: fc.array(field, { maxLength: 8 }),
    })
    .map((parts) => {
      // A second expectation is one too many.
      const first = parts.fields.findIndex(([name]) => name === 'Expect');
      return { ...parts, fields: parts.fields.filter(([name], index) => name !== 'Expect' || index === first) };
    })
    .map((parts) => (parts.minor === 0 && parts.framing === 'chunked' ? { ...parts, framing: 'none' } : parts));
}

/** The fields of a head, framing included, in the order in which they are written. */
export function linesOf(parts: RequestParts): (readonly [string, string, string, string])[] {
  const framing: (readonly [string, string, string, string])[] =
    parts.framing === 'none'
      ? []
      : parts.framing === 'chunked'
        ? [['Transfer-Encoding', ' ', 'Chunked', '']]
        : [['content-length', ' ', String(parts.framing), ' ']];
  return [['Host', ' ', parts.authority, ''], ...parts.fields, ...framing];
}

/** The head as text, latin1. */
export function textOf(parts: RequestParts): string {
  const lines = linesOf(parts).map((line) => `${line[0]}:${line[1]}${line[2]}${line[3]}\r\n`);
  return `${parts.method} ${parts.target} HTTP/1.${String(parts.minor)}\r\n${lines.join('')}\r\n`;
}

/** Bytes and pieces that parsers have been known to disagree on. */
const SPITE = [
  '\r', '\n', '\r\n', '\0', ' ', '\t', '\v', '\f', '\x7f', '\x80', '\xa0', '\xff', ':', ';', ',', '#', '%', '+', '-', '0', '1', '_', '\\',
  '\r\n ', '\r\n\t', ' HTTP/1.1', '\r\nContent-Length: 5', '\r\nContent-Length: +5', '\r\nContent-Length : 5', '\r\nTransfer-Encoding: chunked',
  '\r\nTransfer-Encoding: identity', '\r\nTransfer-Encoding:\x0bchunked', '\r\nTransfer-Encoding: chunked, chunked', '\r\nHost: other.example',
  '\r\nConnection: content-length', '\r\nX-Forwarded-For: 6.6.6.6', '\nContent-Length: 5', '\r\n\r\n',
]; // prettier-ignore

/** Damages a text in one to three places: a byte replaced, removed, or something put in. */
export function damaged(text: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const change = fc.tuple(
    fc.nat(),
    fc.constantFrom('replace', 'remove', 'insert'),
    fc.oneof(
      fc.constantFrom(...SPITE),
      fc.nat({ max: 255 }).map((code) => String.fromCharCode(code)),
    ),
  );
  return fc.tuple(text, fc.array(change, { minLength: 1, maxLength: 3 })).map(([original, changes]) =>
    changes.reduce((current, [at, kind, piece]) => {
      const place = at % (current.length + 1);
      return (
        current.slice(0, place) + (kind === 'remove' ? '' : piece) + current.slice(place + (kind === 'insert' ? 0 : 1))
      );
    }, original),
  );
}
