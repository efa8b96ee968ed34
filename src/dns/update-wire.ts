/** UPDATE messages (RFC 2136 §2) with the few kinds of changes and conditions that Portico makes. */
import { frameOf, MalformedMessage } from './framing.ts';
import { encodeName } from './name.ts';
import { CLASS_IN, TYPE_NUMBERS } from './wire.ts';
import type { DnsType } from './dns-client.ts';

/** Holds before anything is changed, or nothing is (RFC 2136 §2.4): names as `normalizeName` gives them. */
export interface Prerequisite {
  readonly kind: 'rrset-exists' | 'rrset-absent';
  readonly name: string;
  readonly type: DnsType;
}

/** One TXT value beside others at its name; adding what is there and deleting what is not is no mistake. */
export type TextChange =
  | { readonly kind: 'add'; readonly name: string; readonly text: string; readonly ttl: number }
  | { readonly kind: 'delete'; readonly name: string; readonly text: string };

/** One change of one zone, whole or not at all. */
export interface DnsUpdate {
  /** As `normalizeName` gives it. */
  readonly zone: string;
  readonly prerequisites: readonly Prerequisite[];
  readonly changes: readonly TextChange[];
}

const OPCODE_UPDATE = 5;
const CLASS_NONE = 254;
const CLASS_ANY = 255;
const MAX_STRING_OCTETS = 255;

/** Response codes that are for updates only, and those of every kind (RFC 2136 §2.2). */
const RCODES = [
  'NOERROR',
  'FORMERR',
  'SERVFAIL',
  'NXDOMAIN',
  'NOTIMP',
  'REFUSED',
  'YXDOMAIN',
  'YXRRSET',
  'NXRRSET',
  'NOTAUTH',
  'NOTZONE',
] as const;
export type UpdateRcode = (typeof RCODES)[number] | 'OTHER';

/** The message, without signature. */
export function encodeUpdate(id: number, update: DnsUpdate): Buffer {
  const header = Buffer.alloc(12);
  const counts = [1, update.prerequisites.length, update.changes.length, 0];
  for (const [index, value] of [id, OPCODE_UPDATE << 11, ...counts].entries()) header.writeUInt16BE(value, 2 * index);
  const zone = Buffer.alloc(4);
  zone.writeUInt16BE(TYPE_NUMBERS.SOA, 0);
  zone.writeUInt16BE(CLASS_IN, 2);
  return Buffer.concat([
    header,
    encodeName(update.zone),
    zone,
    ...update.prerequisites.map(({ kind, name, type }) =>
      record(name, TYPE_NUMBERS[type], kind === 'rrset-exists' ? CLASS_ANY : CLASS_NONE, 0, Buffer.alloc(0)),
    ),
    ...update.changes.map((change) =>
      change.kind === 'add'
        ? record(change.name, TYPE_NUMBERS.TXT, CLASS_IN, change.ttl, encodeText(change.text))
        : record(change.name, TYPE_NUMBERS.TXT, CLASS_NONE, 0, encodeText(change.text)),
    ),
  ]);
}

/**
 * What the server says to an update.
 * @throws MalformedMessage when it is not the response to it
 */
export function decodeUpdateResponse(message: Buffer, id: number): UpdateRcode {
  const { id: found, flags } = frameOf(message);
  if (found !== id || (flags & 0xf800) !== (0x8000 | (OPCODE_UPDATE << 11))) {
    throw new MalformedMessage('it does not belong to the update');
  }
  return RCODES[flags & 0xf] ?? 'OTHER';
}

/** As character strings of at most 255 octets (RFC 1035 §3.3.14). @param text - one char an octet */
function encodeText(text: string): Buffer {
  const octets = Buffer.from(text, 'latin1');
  const parts: Buffer[] = [];
  // At least one string, which may be empty.
  for (let offset = 0; offset === 0 || offset < octets.length; offset += MAX_STRING_OCTETS) {
    const part = octets.subarray(offset, offset + MAX_STRING_OCTETS);
    parts.push(Buffer.of(part.length), part);
  }
  return Buffer.concat(parts);
}

function record(name: string, type: number, recordClass: number, ttl: number, data: Buffer): Buffer {
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(type, 0);
  fixed.writeUInt16BE(recordClass, 2);
  fixed.writeUInt32BE(ttl, 4);
  fixed.writeUInt16BE(data.length, 8);
  return Buffer.concat([encodeName(name), fixed, data]);
}
