/**
 * The one strict parser of HTTP/1 heads, for requests and responses: bytes in, a small head object out. It accepts what the
 * grammar of RFC 9112 allows and nothing else, because every leniency is a place where two programs can read one message
 * differently (request smuggling). Names the refusal codes of policy/refusals.ts instead of throwing: a stranger's bad
 * input is no exception.
 */
import type { RefusalCode } from '../../policy/refusals.ts';
import { responseFields, type FieldRecogniser } from '../field-names.ts';
import { FieldId, FieldList } from '../fields.ts';
import type { RequestHead, ResponseHead } from '../front.ts';

/** A parsed HTTP/1 request head. */
export interface Http1RequestHead extends RequestHead {
  /** 0 or 1: the minor version. */
  readonly minor: number;
  /** The body comes in chunks (RFC 9112 §7.1). */
  readonly chunked: boolean;
  /** The client wants to send more requests on this connection. */
  readonly keepAlive: boolean;
  /** An upgrade was asked for that is not a well-formed WebSocket one; it is ignored. */
  readonly otherUpgrade: boolean;
}

/** A parsed HTTP/1 response head. */
export interface Http1ResponseHead extends ResponseHead {
  readonly chunked: boolean;
  /** The upstream keeps the connection open after this response. */
  readonly keepAlive: boolean;
}

/** Limits of a head. */
export interface HeadLimits {
  readonly maxTargetBytes: number;
  readonly maxFields: number;
}

/** A table of the bytes that a pattern matches, 1 for each that does; one load a byte is what makes the scan fast. */
function bytesThat(pattern: RegExp): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (pattern.test(String.fromCharCode(byte)) ? 1 : 0));
}

/** RFC 9110 §5.6.2 token. */
const TOKEN = bytesThat(/[!#$%&'*+\-.^_`|~0-9A-Za-z]/);
/** RFC 9110 §5.5 field value, obs-text included. */
const VALUE = bytesThat(/[\t\x20-\x7e\x80-\xff]/);
/** Wider than RFC 3986 on purpose: homeservers accept raw `{ } | ^ " < > \` and a relay must not judge (but no fragment). */
const TARGET = bytesThat(/[\x21\x22\x24-\x7e]/);

const SP = 0x20;
const HTAB = 0x09;
const CR = 0x0d;
const LF = 0x0a;
const COLON = 0x3a;

/**
 * Reads field lines into `fields` (RFC 9112 §5).
 * @param buffer - holds the head
 * @param offset - where the text of `fields` begins in the buffer
 * @returns false when a line breaks the grammar: bare CR or LF, folding, space before the colon, an empty name, NUL
 */
function readFields(
  buffer: Buffer,
  offset: number,
  start: number,
  end: number,
  fields: FieldList,
  recogniser: FieldRecogniser,
): boolean {
  let position = start;
  while (position < end) {
    const nameStart = position;
    // The head ends in CR LF CR LF, which is neither token nor value: no loop runs past it.
    while (TOKEN[buffer[position] ?? 0] === 1) position++;
    if (position === nameStart || buffer[position] !== COLON) return false;
    const nameEnd = position++;
    while (buffer[position] === SP || buffer[position] === HTAB) position++;
    const valueStart = position;
    while (VALUE[buffer[position] ?? 0] === 1) position++;
    if (buffer[position] !== CR || buffer[position + 1] !== LF) return false;
    let valueEnd = position;
    while (valueEnd > valueStart && (buffer[valueEnd - 1] === SP || buffer[valueEnd - 1] === HTAB)) valueEnd--;
    fields.addAt(
      recogniser.ofBytes(buffer, nameStart, nameEnd),
      nameStart - offset,
      nameEnd - offset,
      valueStart - offset,
      valueEnd - offset,
    );
    position += 2;
  }
  return true;
}

/** What the fields say of framing and connection; `problem` when they contradict each other. */
interface Framing {
  contentLength: string | null;
  chunked: boolean;
  close: boolean;
  keepAlive: boolean;
  upgrade: boolean;
  names: string[] | null;
  authority: string | null;
  upgradeTo: string | null;
  expect: string | null;
  /** How many Host fields there are; a response's problem they are not. */
  hosts: number;
  problem: 'BAD_FRAMING' | null;
}

/**
 * Reads `Connection` (RFC 9110 §7.6.1). The names it lists end at this hop; those that make or break a message's meaning
 * are never dropped on a stranger's word.
 */
function readConnection(value: string, framing: Framing): void {
  // The common single values without splitting.
  if (value === 'keep-alive' || value === 'Keep-Alive') {
    framing.keepAlive = true;
    return;
  }
  if (value === 'close') {
    framing.close = true;
    return;
  }
  for (const part of value.split(',')) {
    // Optional white space is space and tab, nothing else (RFC 9110 §5.6.3).
    const name = part.replace(/^[ \t]+|[ \t]+$/g, '').toLowerCase();
    if (name === 'close') framing.close = true;
    else if (name === 'keep-alive') framing.keepAlive = true;
    else if (name === 'upgrade') framing.upgrade = true;
    else if (name !== '') (framing.names ??= []).push(name);
  }
}

/** Collects framing and connection facts; first problem wins. */
function readFraming(fields: FieldList): Framing {
  const framing: Framing = {
    contentLength: null,
    chunked: false,
    close: false,
    keepAlive: false,
    upgrade: false,
    names: null,
    authority: null,
    upgradeTo: null,
    expect: null,
    hosts: 0,
    problem: null,
  };
  for (let index = 0; index < fields.length; index++) {
    switch (fields.id(index)) {
      case FieldId.contentLength: {
        const value = fields.value(index);
        // Two lengths, even equal ones, are refused: RFC 9112 §6.3 allows it and no honest client sends them.
        if (framing.contentLength !== null || !/^\d{1,15}$/.test(value)) framing.problem ??= 'BAD_FRAMING';
        framing.contentLength = value;
        break;
      }
      case FieldId.transferEncoding:
        if (framing.chunked || fields.value(index).toLowerCase() !== 'chunked') framing.problem ??= 'BAD_FRAMING';
        framing.chunked = true;
        break;
      case FieldId.connection:
        readConnection(fields.value(index), framing);
        break;
      case FieldId.host:
        framing.hosts++;
        framing.authority = fields.value(index);
        break;
      case FieldId.upgrade:
        framing.upgradeTo = joined(framing.upgradeTo, fields.value(index));
        break;
      case FieldId.expect:
        framing.expect = joined(framing.expect, fields.value(index));
        break;
      default:
        break;
    }
  }
  if (framing.contentLength !== null && framing.chunked) framing.problem ??= 'BAD_FRAMING';
  return framing;
}

/** Several fields of one name are one list (RFC 9110 §5.3). */
function joined(before: string | null, value: string): string {
  return before === null ? value : `${before}, ${value}`;
}

/** A well-formed opening handshake: RFC 6455 §4.2.1 (key of 16 bytes in base64, version 13). */
function isWebSocketUpgrade(method: string, minor: number, framing: Framing, fields: FieldList): boolean {
  if (method !== 'GET' || minor !== 1 || !framing.upgrade || framing.upgradeTo?.toLowerCase() !== 'websocket')
    return false;
  const keys = fields.all(FieldId.secWebSocketKey);
  const versions = fields.all(FieldId.secWebSocketVersion);
  return (
    keys.length === 1 &&
    /^[A-Za-z0-9+/]{22}==$/.test(keys[0] ?? '') &&
    versions.length === 1 &&
    versions[0] === '13' &&
    framing.contentLength === null &&
    !framing.chunked
  );
}

/**
 * Parses a request head (RFC 9112 §3 to §6).
 * @param buffer - holds the head from `start`, up to and including the empty line, which ends at `end`
 * @returns the head, or the code of the refusal
 */
export function parseRequestHead(
  buffer: Buffer,
  start: number,
  end: number,
  limits: HeadLimits,
  recogniser: FieldRecogniser,
): Http1RequestHead | RefusalCode {
  const text = buffer.toString('latin1', start, end);
  let position = start;
  while (TOKEN[buffer[position] ?? 0] === 1) position++;
  if (position === start || buffer[position] !== SP) return 'BAD_REQUEST';
  const method = text.slice(0, position - start);
  const targetStart = ++position;
  while (TARGET[buffer[position] ?? 0] === 1) position++;
  if (position - targetStart > limits.maxTargetBytes) return 'TARGET_TOO_LONG';
  if (position === targetStart || buffer[position] !== SP) return 'BAD_REQUEST';
  const target = text.slice(targetStart - start, position - start);
  position++;
  // "HTTP/1.0" or "HTTP/1.1", CR, LF
  const minor = (buffer[position + 7] ?? 0) - 0x30;
  if (text.slice(position - start, position - start + 7) !== 'HTTP/1.' || (minor !== 0 && minor !== 1)) {
    return 'BAD_REQUEST';
  }
  position += 8;
  if (buffer[position] !== CR || buffer[position + 1] !== LF) return 'BAD_REQUEST';
  const fields = new FieldList(text);
  if (!readFields(buffer, start, position + 2, end - 2, fields, recogniser)) return 'BAD_REQUEST';
  if (fields.length > limits.maxFields) return 'HEAD_TOO_LARGE';

  const framing = readFraming(fields);
  if (framing.problem !== null) return framing.problem;
  if (framing.chunked && minor === 0) return 'BAD_FRAMING';
  if (framing.authority === null || framing.hosts !== 1) return 'HOST_INVALID';
  if (framing.expect !== null && framing.expect.toLowerCase() !== '100-continue') return 'EXPECTATION_FAILED';
  const bodyLength = framing.chunked ? -1 : framing.contentLength === null ? 0 : Number(framing.contentLength);
  const websocket = framing.upgradeTo !== null && isWebSocketUpgrade(method, minor, framing, fields);
  return {
    method,
    target,
    authority: framing.authority,
    fields,
    bodyLength,
    // RFC 9110 §10.1.1: an expectation of a 1.0 client, or without a body, means nothing.
    expectsContinue: framing.expect !== null && minor === 1 && bodyLength !== 0,
    connectionNames: framing.names,
    websocket,
    minor,
    chunked: framing.chunked,
    // RFC 9112 §9.3; HTTP/1.0 keep-alive is not spoken (its framing is what smuggling lives on).
    keepAlive: minor === 1 && !framing.close,
    otherUpgrade: framing.upgradeTo !== null && !websocket,
  };
}

/**
 * Parses a response head (RFC 9112 §4).
 * @param requestMethod - HEAD has no body whatever the fields say (RFC 9112 §6.3)
 * @returns the head, or null when the upstream broke the grammar
 */
export function parseResponseHead(
  buffer: Buffer,
  start: number,
  end: number,
  requestMethod: string,
  maxFields: number,
): Http1ResponseHead | null {
  const text = buffer.toString('latin1', start, end);
  // "HTTP/1.1 200 " or, without a reason, "HTTP/1.1 200" CR LF: the space is required by the grammar but often missing.
  const minor = text.charCodeAt(7) - 0x30;
  if (!text.startsWith('HTTP/1.') || (minor !== 0 && minor !== 1) || text.charCodeAt(8) !== SP) return null;
  const status = (text.charCodeAt(9) - 0x30) * 100 + (text.charCodeAt(10) - 0x30) * 10 + (text.charCodeAt(11) - 0x30);
  for (let index = 9; index < 12; index++) {
    const digit = text.charCodeAt(index);
    if (digit < 0x30 || digit > 0x39) return null;
  }
  if (status < 100 || status > 599) return null;
  let position = start + 12;
  let reason = '';
  if (buffer[position] === SP) {
    const reasonStart = ++position;
    while (VALUE[buffer[position] ?? 0] === 1) position++;
    reason = text.slice(reasonStart - start, position - start);
  }
  if (buffer[position] !== CR || buffer[position + 1] !== LF) return null;
  const fields = new FieldList(text);
  if (!readFields(buffer, start, position + 2, end - 2, fields, responseFields)) return null;
  if (fields.length > maxFields) return null;
  const framing = readFraming(fields);
  if (framing.problem !== null || (framing.chunked && minor === 0)) return null;
  const bodiless = requestMethod === 'HEAD' || status < 200 || status === 204 || status === 304;
  // A body announced where none may be is what response smuggling needs: the connection is not used again.
  const contradictory = (status < 200 || status === 204) && (framing.chunked || (framing.contentLength ?? '0') !== '0');
  if (contradictory && status < 200) return null;
  return {
    status,
    reason,
    fields,
    bodyLength: bodiless ? 0 : framing.chunked || framing.contentLength === null ? -1 : Number(framing.contentLength),
    contentLength: framing.contentLength,
    connectionNames: framing.names,
    chunked: framing.chunked && !bodiless,
    keepAlive: (minor === 1 ? !framing.close : framing.keepAlive && !framing.close) && !contradictory,
  };
}
