/**
 * Questions and answers on the wire, by way of the package dns-packet; what it is lenient about is checked before, by
 * `framing.ts`.
 */
import { decode, encode, RECURSION_DESIRED, type Answer, type Packet } from 'dns-packet';
import type { DnsAnswer, DnsRcode, DnsRecord, DnsType } from './dns-client.ts';
import { frameOf, MalformedMessage, readHeader, readName, HEADER_OCTETS, type Frame } from './framing.ts';

/** Largest answer asked for over UDP: what passes every path without being cut in pieces (DNS flag day 2020). */
export const UDP_PAYLOAD_OCTETS = 1232;

/** Type numbers of RFC 1035, RFC 3596, RFC 2782 and RFC 8659. */
export const TYPE_NUMBERS: Readonly<Record<DnsType, number>> = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  CAA: 257,
};
/** The class of the Internet. */
export const CLASS_IN = 1;

const RCODE_NAMES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'] as const;
const KNOWN_TYPES: ReadonlySet<number> = new Set(Object.values(TYPE_NUMBERS));
const TYPE_OPT = 41;
/** The first of those for private use (RFC 6895 §3.1). */
const TYPE_OPAQUE = 0xff00;

/** One question, the way it is asked. */
export interface Question {
  /** As `normalizeName` gives it. */
  readonly name: string;
  readonly type: DnsType;
  /** False for authoritative servers. */
  readonly recursion: boolean;
  /** False for servers that do not understand EDNS (RFC 6891 §7). */
  readonly edns: boolean;
}

/** What an answer says, without who said it. */
export type AnswerContent = Omit<DnsAnswer, 'server'> & {
  /** Whether the server showed that it understands EDNS. */
  readonly edns: boolean;
};

/** A question ready to be sent over UDP. @param id - 16 bits that nobody can guess */
export function encodeQuestion(id: number, question: Question): Buffer {
  const packet: Packet = {
    type: 'query',
    id,
    flags: question.recursion ? RECURSION_DESIRED : 0,
    questions: [{ name: question.name === '' ? '.' : question.name, type: question.type, class: 'IN' }],
  };
  if (question.edns) {
    packet.additionals = [
      {
        type: 'OPT',
        name: '.',
        udpPayloadSize: UDP_PAYLOAD_OCTETS,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: 0,
        flag_do: false,
        options: [],
      },
    ];
  }
  return encode(packet);
}

/** What a message that came in has to do with the question: nothing, it is cut off, or it is the answer. */
export type Reception = { readonly kind: 'stray' | 'truncated' } | { readonly kind: 'answer'; answer: AnswerContent };

/**
 * Judges a message from the server that was asked. A message that does not repeat id and question is somebody else's guess.
 * @throws MalformedMessage when it is the answer by id but cannot be read
 */
export function receive(message: Buffer, id: number, question: Question): Reception {
  if (message.length < HEADER_OCTETS) return { kind: 'stray' };
  const { id: found, flags } = readHeader(message);
  if (found !== id || (flags & 0x8000) === 0) return { kind: 'stray' };
  if ((flags & 0x7800) !== 0) throw new MalformedMessage('it answers another kind of request');
  // A server that cannot read a question does not repeat it (FORMERR), and the question of a cut message is all that is sure.
  if (message.readUInt16BE(4) === 0) {
    if ((flags & 0xf) === 0) throw new MalformedMessage('it does not repeat the question');
  } else if (!repeats(message, question)) return { kind: 'stray' };
  if ((flags & 0x0200) !== 0) return { kind: 'truncated' };
  return { kind: 'answer', answer: decodeAnswer(message) };
}

function repeats(message: Buffer, question: Question): boolean {
  const { name, end } = readName(message, HEADER_OCTETS);
  if (end + 4 > message.length) throw new MalformedMessage('it ends within the question');
  return (
    name === question.name &&
    message.readUInt16BE(end) === TYPE_NUMBERS[question.type] &&
    message.readUInt16BE(end + 2) === CLASS_IN
  );
}

/**
 * Reads a response.
 * @throws MalformedMessage
 */
export function decodeAnswer(message: Buffer): AnswerContent {
  const frame = frameOf(message);
  const packet = decodePacket(message, frame);
  const opt = frame.records.find((record) => record.section === 'additional' && record.type === TYPE_OPT);
  return {
    rcode: rcodeOf(frame, opt?.ttl ?? 0),
    answers: (packet.answers ?? []).flatMap(recordOf),
    authority: (packet.authorities ?? []).flatMap(recordOf).filter(({ type }) => type === 'SOA' || type === 'NS'),
    authoritative: (frame.flags & 0x0400) !== 0,
    edns: opt !== undefined,
  };
}

/** EDNS has the upper 8 of 12 bits of the response code where other records have their time to live (RFC 6891 §6.1.3). */
function rcodeOf(frame: Frame, optTtl: number): DnsRcode {
  const code = ((optTtl >>> 24) << 4) | (frame.flags & 0xf);
  return RCODE_NAMES[code] ?? (`RCODE${String(code)}` as `RCODE${number}`);
}

/** Hands the package only records whose data was checked; all others are given a type that it does not look into. */
function decodePacket(message: Buffer, frame: Frame): Packet {
  const copy = Buffer.from(message);
  for (const record of frame.records) {
    if (record.class !== CLASS_IN || !KNOWN_TYPES.has(record.type)) copy.writeUInt16BE(TYPE_OPAQUE, record.data - 10);
  }
  try {
    return decode(copy);
  } catch (cause) {
    throw new MalformedMessage('it holds a record that cannot be read', { cause });
  }
}

/** One record in our form; none when it is of a class or type that Portico does not know. */
function recordOf(answer: Answer): DnsRecord[] {
  if (answer.type === 'OPT' || answer.class !== 'IN' || answer.flush === true) return [];
  // RFC 2181 §8: a time to live with the highest bit set means zero.
  const ttl = answer.ttl ?? 0;
  const common = { name: plainName(answer.name), ttl: ttl > 0x7fffffff ? 0 : ttl };
  switch (answer.type) {
    case 'A':
    case 'AAAA':
      return [{ ...common, type: answer.type, address: answer.data }];
    case 'CNAME':
    case 'NS':
      return [{ ...common, type: answer.type, target: plainName(answer.data) }];
    case 'SRV': {
      const { priority = 0, weight = 0, port, target } = answer.data;
      return [{ ...common, type: 'SRV', priority, weight, port, target: plainName(target) }];
    }
    case 'TXT':
      return [{ ...common, type: 'TXT', text: textOf(answer.data) }];
    case 'CAA': {
      const { flags = 0, tag, value } = answer.data;
      return [{ ...common, type: 'CAA', critical: (flags & 0x80) !== 0, tag: tag.toLowerCase(), value }];
    }
    case 'SOA': {
      const { mname, serial = 0, minimum = 0 } = answer.data;
      return [{ ...common, type: 'SOA', primary: plainName(mname), serial, minimum }];
    }
    default:
      return [];
  }
}

function textOf(data: string | Buffer | (string | Buffer)[]): string {
  return [data]
    .flat()
    .map((part) => (typeof part === 'string' ? part : part.toString('latin1')))
    .join('');
}

/** The package writes the root as a dot. */
function plainName(name: string): string {
  return name === '.' ? '' : name.toLowerCase();
}
