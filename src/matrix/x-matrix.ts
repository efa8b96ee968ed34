/**
 * The `X-Matrix` authorization scheme (Matrix S-S "Request Authentication", RFC 9110 §11.4). Reading accepts everything that
 * the specification or a known homeserver accepts, so that a request is never judged more strictly here than behind us; the
 * header itself is always passed on untouched.
 */
import { PorticoError } from '../base/errors.ts';

/** The parameters of one `X-Matrix` header, unescaped. Nothing is verified. */
export interface XMatrix {
  /** Server name of the sender. */
  readonly origin: string;
  /** Server name the request is meant for; senders before Matrix 1.3 leave it out. */
  readonly destination?: string;
  /** Key id, `ed25519:…`. */
  readonly key: string;
  /** Signature, base64 as sent. */
  readonly sig: string;
}

const SCHEME = 'x-matrix';
/** A real header has some 300 characters; beyond this nothing is read. */
const MAX_LENGTH = 8192;
const MAX_PARAMETERS = 32;

/** The parameter last read by {@link readParameter}. */
interface Cursor {
  at: number;
  name: string;
  value: string;
}

/**
 * The origin that a request claims, unverified: for logs and as a cheap key. Reads no further than the origin.
 * @param authorization - value of the Authorization field, or null
 * @returns null when this is no `X-Matrix` header, or none that can be read up to the origin
 */
export function xMatrixOrigin(authorization: string | null): string | null {
  if (authorization === null || !hasScheme(authorization)) return null;
  const cursor: Cursor = { at: SCHEME.length, name: '', value: '' };
  for (let count = 0; count < MAX_PARAMETERS && readParameter(authorization, cursor); count++) {
    if (cursor.name === 'origin') return cursor.value === '' ? null : cursor.value;
  }
  return null;
}

/**
 * Parses a whole header.
 * @returns null when it is not `X-Matrix`, breaks the grammar, lacks `origin`, `key` or `sig`, or says one of the four twice
 * @internal
 */
export function parseXMatrix(value: string): XMatrix | null {
  if (!hasScheme(value)) return null;
  const found: Record<string, string> = {};
  const cursor: Cursor = { at: SCHEME.length, name: '', value: '' };
  for (let count = 0; readParameter(value, cursor); count++) {
    const { name } = cursor;
    if (count === MAX_PARAMETERS || Object.hasOwn(found, name)) return null;
    // Parameters we do not know are ignored, and may repeat.
    if (name === 'origin' || name === 'destination' || name === 'key' || name === 'sig') found[name] = cursor.value;
  }
  if (cursor.at !== value.length) return null;
  const { origin = '', destination, key = '', sig = '' } = found;
  if (origin === '' || key === '' || sig === '') return null;
  return destination === undefined ? { origin, key, sig } : { origin, destination, key, sig };
}

/**
 * Writes a header as senders should: one space, lower-case names, quoted values, no escapes.
 * @throws PorticoError `X_MATRIX_INVALID` when a value would need an escape
 */
export function formatXMatrix({ origin, destination, key, sig }: XMatrix): string {
  const parameters = [`origin=${quote(origin)}`];
  if (destination !== undefined) parameters.push(`destination=${quote(destination)}`);
  parameters.push(`key=${quote(key)}`, `sig=${quote(sig)}`);
  return `X-Matrix ${parameters.join(',')}`;
}

function quote(value: string): string {
  if (/^[\x20\x21\x23-\x5b\x5d-\x7e]+$/.test(value)) return `"${value}"`;
  throw new PorticoError('X_MATRIX_INVALID', `"${value}" cannot stand in an X-Matrix header.`, {
    fix: 'Use a server name, a key id and a signature as the Matrix specification defines them.',
  });
}

/** True for `X-Matrix` in any case with a space or tab behind it. */
function hasScheme(value: string): boolean {
  if (value.length > MAX_LENGTH || !isSpace(value.charCodeAt(SCHEME.length))) return false;
  for (let at = 0; at < SCHEME.length; at++) {
    const code = value.charCodeAt(at);
    const lower = code >= 0x41 && code <= 0x5a ? code + 0x20 : code;
    if (lower !== SCHEME.charCodeAt(at)) return false;
  }
  return true;
}

/**
 * Reads `name = value` after any commas and white space, and what follows up to the next comma.
 * @returns false at the end (`at` is then the length) and where the grammar is broken (`at` stays before it)
 */
function readParameter(text: string, cursor: Cursor): boolean {
  let at = cursor.at;
  while (at < text.length && (text.charCodeAt(at) === 0x2c || isSpace(text.charCodeAt(at)))) at++;
  cursor.at = at;
  if (at === text.length) return false;
  const nameStart = at;
  while (at < text.length && isNameCode(text.charCodeAt(at))) at++;
  const nameEnd = at;
  at = skipSpace(text, at);
  if (nameEnd === nameStart || text.charCodeAt(at) !== 0x3d) return false;
  at = skipSpace(text, at + 1);
  const valueStart = at;
  const quoted = text.charCodeAt(at) === 0x22;
  at = quoted ? quotedEnd(text, at + 1) : bareEnd(text, at);
  if (at === -1) return false;
  const value = quoted ? unquote(text, valueStart + 1, at - 1) : text.slice(valueStart, at);
  at = skipSpace(text, at);
  if (at < text.length && text.charCodeAt(at) !== 0x2c) return false;
  cursor.name = text.slice(nameStart, nameEnd).toLowerCase();
  cursor.value = value;
  cursor.at = at;
  return true;
}

/** Position behind the closing quote, -1 when there is none. */
function quotedEnd(text: string, start: number): number {
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x5c) at++;
    else if (code === 0x22) return at + 1;
    else if (isControl(code)) return -1;
  }
  return -1;
}

/**
 * End of a value without quotes: wider than RFC 9110's token, because old senders leave the colon of `ed25519:1` and the
 * `+`, `/` and `=` of base64 without quotes.
 */
function bareEnd(text: string, start: number): number {
  let at = start;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x2c || isSpace(code)) break;
    if (code === 0x22 || code === 0x5c || isControl(code)) return -1;
  }
  return at === start ? -1 : at;
}

function unquote(text: string, start: number, end: number): string {
  const inner = text.slice(start, end);
  return inner.includes('\\') ? inner.replace(/\\(.)/gs, '$1') : inner;
}

function skipSpace(text: string, start: number): number {
  let at = start;
  while (at < text.length && isSpace(text.charCodeAt(at))) at++;
  return at;
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function isControl(code: number): boolean {
  return (code < 0x20 && code !== 0x09) || code === 0x7f;
}

/** Letters, digits and the marks of RFC 9110's token. */
function isNameCode(code: number): boolean {
  if (code >= 0x30 && code <= 0x39) return true;
  const lower = code | 0x20;
  if (lower >= 0x61 && lower <= 0x7a && code >= 0x41) return true;
  return code > 0x20 && code < 0x7f && "!#$%&'*+-.^_`|~".includes(String.fromCharCode(code));
}
