/**
 * Canonical JSON (Matrix Appendices, "Canonical JSON"): the one spelling of a JSON value that signatures are made over.
 */
import { PorticoError } from '../base/errors.ts';

/** Deeper values are refused: no Matrix object comes near, and the stack is finite. */
const MAX_DEPTH = 512;

/**
 * The canonical text: keys in the order of their code points, no white space, shortest escapes, integers only. `-0` is
 * written `0`, as every homeserver does.
 * @param value - what `JSON.parse` gives: plain objects, arrays, strings, integers, booleans, null
 * @throws PorticoError `MATRIX_JSON_INVALID` for numbers that are not integers within ±(2^53 − 1), lone surrogates,
 * `undefined` and anything else that JSON has no spelling for, and nesting deeper than 512
 */
export function canonicalJson(value: unknown): string {
  return write(value, 0);
}

function write(value: unknown, depth: number): string {
  if (depth > MAX_DEPTH) throw invalid(`it is nested deeper than ${String(MAX_DEPTH)} levels`);
  switch (typeof value) {
    case 'string':
      return writeString(value);
    case 'number':
      if (!Number.isSafeInteger(value)) throw invalid(`${String(value)} is not an integer within ±(2^53 − 1)`);
      return String(value);
    case 'boolean':
      return String(value);
    case 'object':
      if (value === null) return 'null';
      return Array.isArray(value) ? writeArray(value, depth) : writeObject(value, depth);
    default:
      throw invalid(`it holds a value of type ${typeof value}`);
  }
}

function writeArray(items: readonly unknown[], depth: number): string {
  let text = '';
  for (const item of items) text += (text === '' ? '' : ',') + write(item, depth + 1);
  return `[${text}]`;
}

function writeObject(object: object, depth: number): string {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype !== Object.prototype && prototype !== null) throw invalid('it holds an object that is not plain');
  const entries: [string, unknown][] = Object.entries(object);
  entries.sort(([a], [b]) => compareCodePoints(a, b));
  let text = '';
  for (const [key, item] of entries) text += `${text === '' ? '' : ','}${writeString(key)}:${write(item, depth + 1)}`;
  return `{${text}}`;
}

function writeString(text: string): string {
  if (!text.isWellFormed()) throw invalid('a string in it holds half of a surrogate pair');
  // JSON.stringify escapes exactly what the grammar escapes, with lower-case hex digits.
  return JSON.stringify(text);
}

/** JavaScript sorts by UTF-16 code units, which puts U+1F600 (d83d …) before U+FF5E; code points are the other way round. */
function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const left = a.charCodeAt(at);
    const right = b.charCodeAt(at);
    if (left !== right) return codePointRank(left) - codePointRank(right);
  }
  return a.length - b.length;
}

/** Moves surrogates behind the rest of the basic plane, where the characters that they spell belong. */
function codePointRank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

function invalid(why: string): PorticoError {
  return new PorticoError('MATRIX_JSON_INVALID', `The value has no canonical JSON: ${why}.`, {
    fix: 'Send only what the Matrix specification allows in signed JSON.',
  });
}
