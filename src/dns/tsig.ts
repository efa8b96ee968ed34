/**
 * Signatures of DNS messages with a shared key (RFC 8945): made for requests, checked on responses. Neither the codec package
 * nor any other kept package has them.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { frameOf, MalformedMessage, readName, type RecordSpan } from './framing.ts';
import { encodeName } from './name.ts';

/** RFC 8945 §6; the truncated forms and what is weaker than SHA-256 are not spoken. */
export const TSIG_ALGORITHMS = ['hmac-sha256', 'hmac-sha384', 'hmac-sha512'] as const;
export type TsigAlgorithm = (typeof TSIG_ALGORITHMS)[number];

/** A key that both sides know. */
export interface TsigKey {
  /** As `normalizeName` gives it. */
  readonly name: string;
  readonly algorithm: TsigAlgorithm;
  readonly secret: Buffer;
}

/** How far the two clocks may be apart, in seconds (RFC 8945 §10 recommends it). */
export const FUDGE_SECONDS = 300;

const TYPE_TSIG = 250;
const CLASS_ANY = 255;
const ADDITIONAL_COUNT_AT = 10;

/** The errors of RFC 8945 §3 that a server puts into its TSIG record. */
const BADSIG = 16;
const BADKEY = 17;
const BADTIME = 18;
const BADTRUNC = 22;

/** What the check of a response came to. */
export type TsigVerdict =
  /** The holder of the key wrote it, now. */
  | { readonly kind: 'verified' }
  /** It carries no signature, so that anybody may have written it. */
  | { readonly kind: 'unsigned' }
  /** The server says that it did not take our signature; only `BADTIME` is signed itself. */
  | { readonly kind: 'refused'; readonly error: 'BADKEY' | 'BADSIG' | 'BADTRUNC' }
  /** The clocks are too far apart. Seconds since the epoch; positive `ahead`: the server's clock is ahead of ours. */
  | { readonly kind: 'refused'; readonly error: 'BADTIME'; readonly ahead: number | null }
  /** Its signature is not that of the key, or is for another time. */
  | { readonly kind: 'forged'; readonly why: string };

/** A signed message, and the signature that the response will refer to. */
export interface SignedMessage {
  readonly message: Buffer;
  readonly mac: Buffer;
}

/** Everything in a TSIG record but the key's name (RFC 8945 §4.2). */
interface TsigData {
  readonly algorithm: string;
  readonly timeSigned: number;
  readonly fudge: number;
  readonly mac: Buffer;
  readonly originalId: number;
  readonly error: number;
  readonly other: Buffer;
}

/**
 * Adds a signature.
 * @param message - complete but for it
 * @param now - seconds since the epoch
 */
export function signRequest(message: Buffer, key: TsigKey, now: number): SignedMessage {
  const unsigned: TsigData = {
    algorithm: key.algorithm,
    timeSigned: now,
    fudge: FUDGE_SECONDS,
    mac: Buffer.alloc(0),
    originalId: message.readUInt16BE(0),
    error: 0,
    other: Buffer.alloc(0),
  };
  const mac = macOf(key, [message, variables(key.name, unsigned)]);
  const signed = Buffer.concat([message, encodeTsig(key.name, { ...unsigned, mac })]);
  signed.writeUInt16BE(message.readUInt16BE(ADDITIONAL_COUNT_AT) + 1, ADDITIONAL_COUNT_AT);
  return { message: signed, mac };
}

/**
 * Checks the signature of a response (RFC 8945 §5.3 and §5.4).
 * @param requestMac - of the request that it answers
 * @param now - seconds since the epoch
 * @throws MalformedMessage
 */
export function verifyResponse(response: Buffer, key: TsigKey, requestMac: Buffer, now: number): TsigVerdict {
  const { records } = frameOf(response);
  const record = records.at(-1);
  if (records.slice(0, -1).some(({ type }) => type === TYPE_TSIG)) {
    throw new MalformedMessage('its signature is not its last record');
  }
  if (record?.type !== TYPE_TSIG) return { kind: 'unsigned' };
  if (record.section !== 'additional' || record.class !== CLASS_ANY || record.ttl !== 0) {
    throw new MalformedMessage('its signature is in the wrong place');
  }
  const data = decodeTsig(response, record);
  // Servers that did not know the key, or did not believe the signature, cannot sign.
  if (data.mac.length === 0) {
    if (data.error === BADKEY) return { kind: 'refused', error: 'BADKEY' };
    if (data.error === BADSIG) return { kind: 'refused', error: 'BADSIG' };
    if (data.error === BADTRUNC) return { kind: 'refused', error: 'BADTRUNC' };
    return { kind: 'unsigned' };
  }
  if (record.owner !== key.name || data.algorithm !== key.algorithm) {
    return { kind: 'forged', why: 'it is signed with another key or algorithm' };
  }
  const expected = macOf(key, [withLength(requestMac), withoutTsig(response, record, data), variables(key.name, data)]);
  if (data.mac.length !== expected.length || !timingSafeEqual(data.mac, expected)) {
    return { kind: 'forged', why: 'its signature does not fit the key' };
  }
  if (data.error === BADTIME) {
    // The server's time, in the same 48 bits (RFC 8945 §5.2.3).
    const ahead = data.other.length === 6 ? data.other.readUIntBE(0, 6) - now : null;
    return { kind: 'refused', error: 'BADTIME', ahead };
  }
  if (Math.abs(now - data.timeSigned) > data.fudge) {
    return { kind: 'forged', why: 'it was signed too long ago or in the future' };
  }
  return { kind: 'verified' };
}

/** What is signed of a response: as it was before the signature and before a forwarder changed its id. */
function withoutTsig(response: Buffer, record: RecordSpan, data: TsigData): Buffer {
  const plain = Buffer.from(response.subarray(0, record.start));
  plain.writeUInt16BE(data.originalId, 0);
  plain.writeUInt16BE(response.readUInt16BE(ADDITIONAL_COUNT_AT) - 1, ADDITIONAL_COUNT_AT);
  return plain;
}

/** RFC 8945 §4.3.3. */
function variables(keyName: string, data: TsigData): Buffer {
  return Buffer.concat([
    encodeName(keyName),
    numbers(2, CLASS_ANY),
    numbers(4, 0),
    encodeName(data.algorithm),
    numbers(6, data.timeSigned),
    numbers(2, data.fudge),
    numbers(2, data.error),
    withLength(data.other),
  ]);
}

function encodeTsig(keyName: string, data: TsigData): Buffer {
  const rdata = Buffer.concat([
    encodeName(data.algorithm),
    numbers(6, data.timeSigned),
    numbers(2, data.fudge),
    withLength(data.mac),
    numbers(2, data.originalId),
    numbers(2, data.error),
    withLength(data.other),
  ]);
  return Buffer.concat([
    encodeName(keyName),
    numbers(2, TYPE_TSIG),
    numbers(2, CLASS_ANY),
    numbers(4, 0),
    withLength(rdata),
  ]);
}

function decodeTsig(message: Buffer, record: RecordSpan): TsigData {
  const { name: algorithm, end: fixed } = readName(message, record.data);
  const take = (offset: number, octets: number): Buffer => {
    if (offset + octets > record.end) throw new MalformedMessage('its signature is cut off');
    return message.subarray(offset, offset + octets);
  };
  const head = take(fixed, 10);
  const mac = take(fixed + 10, head.readUInt16BE(8));
  const afterMac = fixed + 10 + mac.length;
  const tail = take(afterMac, 6);
  const other = take(afterMac + 6, tail.readUInt16BE(4));
  if (afterMac + 6 + other.length !== record.end) throw new MalformedMessage('something stands behind its signature');
  return {
    algorithm,
    timeSigned: head.readUIntBE(0, 6),
    fudge: head.readUInt16BE(6),
    mac,
    originalId: tail.readUInt16BE(0),
    error: tail.readUInt16BE(2),
    other,
  };
}

function macOf(key: TsigKey, parts: readonly Buffer[]): Buffer {
  const hmac = createHmac(key.algorithm.slice('hmac-'.length), key.secret);
  for (const part of parts) hmac.update(part);
  return hmac.digest();
}

function withLength(octets: Buffer): Buffer {
  return Buffer.concat([numbers(2, octets.length), octets]);
}

function numbers(octets: number, value: number): Buffer {
  const buffer = Buffer.alloc(octets);
  buffer.writeUIntBE(value, 0, octets);
  return buffer;
}
