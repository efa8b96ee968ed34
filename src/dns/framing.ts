/**
 * The shape of a DNS message, checked before anything is made of it: every name and record ends where it says and within the
 * message, pointers lead backwards and not for long (RFC 9267 lists what happens otherwise). The codec package, which reads
 * record data without looking at its length, sees only messages that passed.
 */
import { MAX_LABEL_OCTETS, MAX_NAME_OCTETS } from './name.ts';

/** The message is not one; the sentence says what is wrong with it. */
export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage';
}

/** Where one resource record stands; offsets into the message, `end` exclusive. */
export interface RecordSpan {
  readonly section: 'answer' | 'authority' | 'additional';
  readonly start: number;
  /** As {@link readName} gives it. */
  readonly owner: string;
  readonly type: number;
  readonly class: number;
  readonly ttl: number;
  readonly data: number;
  readonly end: number;
}

/** A message taken apart down to its records. */
export interface Frame {
  readonly id: number;
  readonly flags: number;
  /** Null when the message has no question; more than one is refused. */
  readonly question: { readonly name: string; readonly type: number; readonly class: number } | null;
  readonly records: readonly RecordSpan[];
}

/** RFC 1035 §4.1.1. */
export const HEADER_OCTETS = 12;
/** A name needs no more pointers than it can have labels. */
const MAX_POINTERS = 127;

/** What record data consists of: a number of octets, a name, character strings to the end, one string, or anything. */
type Part = number | 'name' | 'mailbox' | 'strings' | 'string' | 'rest';

/** Record data by type number (RFC 1035 §3.3, RFC 3596, RFC 2782, RFC 6672, RFC 8659); others are not looked into. */
const LAYOUTS: ReadonlyMap<number, readonly Part[]> = new Map<number, readonly Part[]>([
  [1, [4]],
  [2, ['name']],
  [5, ['name']],
  [6, ['name', 'mailbox', 20]],
  [12, ['name']],
  [15, [2, 'name']],
  [16, ['strings']],
  [28, [16]],
  [33, [6, 'name']],
  [39, ['name']],
  [257, [1, 'string', 'rest']],
]);

/**
 * Takes a message apart. Octets after the last record are not looked at.
 * @throws MalformedMessage
 */
export function frameOf(message: Buffer): Frame {
  const { id, flags } = readHeader(message);
  const questions = message.readUInt16BE(4);
  if (questions > 1) throw new MalformedMessage(`it has ${String(questions)} questions`);
  let offset = HEADER_OCTETS;
  let question: Frame['question'] = null;
  if (questions === 1) {
    const { name, end } = readName(message, offset);
    need(message, end, 4);
    question = { name, type: message.readUInt16BE(end), class: message.readUInt16BE(end + 2) };
    offset = end + 4;
  }
  const records: RecordSpan[] = [];
  for (const [index, section] of (['answer', 'authority', 'additional'] as const).entries()) {
    // A count that the octets do not bear out ends at the end of the message, after at most one record for 11 octets.
    for (let left = message.readUInt16BE(6 + 2 * index); left > 0; left--) {
      const record = readRecord(message, offset, section);
      records.push(record);
      offset = record.end;
    }
  }
  return { id, flags, question, records };
}

/**
 * The fixed part, which a message cut off by truncation still has.
 * @throws MalformedMessage
 */
export function readHeader(message: Buffer): { readonly id: number; readonly flags: number } {
  if (message.length < HEADER_OCTETS) throw new MalformedMessage(`it has only ${String(message.length)} octets`);
  return { id: message.readUInt16BE(0), flags: message.readUInt16BE(2) };
}

/**
 * Reads a name, compressed or not (RFC 1035 §4.1.4).
 * @param inMailbox - the first label may hold dots: it is the local part of an address
 * @returns lower case and without trailing dot, and the offset behind it
 * @throws MalformedMessage
 */
export function readName(message: Buffer, start: number, inMailbox = false): { name: string; end: number } {
  const labels: string[] = [];
  let octets = 1;
  let pointers = 0;
  let offset = start;
  /** Pointers lead to before where the piece that holds them began, so no piece is read twice. */
  let pieceStart = start;
  let end: number | null = null;
  for (;;) {
    const length = message[offset];
    if (length === undefined) throw new MalformedMessage('a name runs over its end');
    if (length === 0) return { name: labels.join('.').toLowerCase(), end: end ?? offset + 1 };
    if (length >= 0xc0) {
      need(message, offset, 2);
      const target = message.readUInt16BE(offset) & 0x3fff;
      if (target >= pieceStart || target < HEADER_OCTETS) throw new MalformedMessage('a name points astray');
      if (++pointers > MAX_POINTERS) throw new MalformedMessage('a name consists of too many pointers');
      end ??= offset + 2;
      offset = pieceStart = target;
      continue;
    }
    if (length > MAX_LABEL_OCTETS) throw new MalformedMessage('a label is of an unknown kind');
    need(message, offset + 1, length);
    octets += length + 1;
    if (octets > MAX_NAME_OCTETS) throw new MalformedMessage('a name is longer than 255 octets');
    const label = message.toString('latin1', offset + 1, offset + 1 + length);
    const allowed = inMailbox && labels.length === 0 ? /^[ -~]+$/ : /^[!-\-/-[\]-~]+$/;
    if (!allowed.test(label)) throw new MalformedMessage('a label holds a dot, a blank or octets that are not ASCII');
    labels.push(label);
    offset += length + 1;
  }
}

function readRecord(message: Buffer, start: number, section: RecordSpan['section']): RecordSpan {
  const { name: owner, end: fixed } = readName(message, start);
  need(message, fixed, 10);
  const type = message.readUInt16BE(fixed);
  const data = fixed + 10;
  const length = message.readUInt16BE(fixed + 8);
  need(message, data, length);
  const end = data + length;
  const layout = LAYOUTS.get(type);
  // Updates carry records of the other classes with their data left out (RFC 2136 §2.4); those are not decoded.
  const recordClass = message.readUInt16BE(fixed + 2);
  if (layout !== undefined && recordClass === 1) checkData(message, data, end, layout);
  return { section, start, owner, type, class: recordClass, ttl: message.readUInt32BE(fixed + 4), data, end };
}

function checkData(message: Buffer, start: number, end: number, layout: readonly Part[]): void {
  let offset = start;
  for (const part of layout) {
    if (part === 'rest') offset = end;
    else if (part === 'name' || part === 'mailbox') offset = readName(message, offset, part === 'mailbox').end;
    else if (part === 'string') offset = stringEnd(message, offset, end);
    else if (part === 'strings')
      do offset = stringEnd(message, offset, end);
      while (offset < end);
    else offset += part;
  }
  if (offset !== end) throw new MalformedMessage('the data of a record does not fill the length it gives');
}

function stringEnd(message: Buffer, offset: number, end: number): number {
  const length = offset < end ? message[offset] : undefined;
  if (length === undefined || offset + 1 + length > end) throw new MalformedMessage('a string runs over its record');
  return offset + 1 + length;
}

function need(message: Buffer, offset: number, octets: number): void {
  if (offset + octets > message.length) throw new MalformedMessage('it ends too early');
}
