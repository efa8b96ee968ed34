/**
 * Reads the ClientHello from the first bytes of a TCP connection, before any TLS library sees them: unknown names can then
 * be refused with an alert and without a signature, and junk never reaches OpenSSL.
 * Grammar: RFC 8446 §4.1.2 and §5.1, RFC 6066 §3 (server_name), RFC 7301 §3.1 (ALPN). Pure; never throws.
 */
import { isIP } from 'node:net';
import { isDnsName } from '../base/server-name.ts';

/** What a client says first. */
export interface ClientHello {
  /** The name asked for, in lower case and without a trailing dot; null when there is none, an IP literal, or a broken one. */
  readonly servername: string | null;
  /** True when the server_name was an IP literal: forbidden by RFC 6066 §3, sent all the same; treated as no name. */
  readonly servernameIsIp: boolean;
  /** `malformed`: there is a server_name, but no DNS name in it (or more than one). Refuse with `unrecognized_name`. */
  readonly servernameProblem: null | 'malformed';
  /** Offered application protocols in order, one character per byte (latin1); exactly `['acme-tls/1']` is RFC 8737. */
  readonly alpn: readonly string[];
  /** True when TLS 1.3 is offered in supported_versions. */
  readonly supportsTls13: boolean;
  /** Newest version offered as on the wire: 0x0304 TLS 1.3, 0x0303 TLS 1.2, below: too old. GREASE is ignored. */
  readonly newestVersion: number;
}

/**
 * Bytes that a ClientHello may take on the wire, record headers included. A post-quantum hello has some 1.8 kB, the
 * largest that real clients send stay below 4 kB.
 */
export const MAX_CLIENT_HELLO_BYTES = 16_384;

const MAX_RECORDS = 64;
const RECORD_HEADER_BYTES = 5;
const HANDSHAKE_HEADER_BYTES = 4;
const RECORD_HANDSHAKE = 22;
const HANDSHAKE_CLIENT_HELLO = 1;
const EXTENSION_SERVER_NAME = 0;
const EXTENSION_ALPN = 16;
const EXTENSION_SUPPORTED_VERSIONS = 43;
const TLS_1_3 = 0x0304;
/** Longest DNS name in text form, without the trailing dot (RFC 1035 §2.3.4). */
const MAX_NAME_LENGTH = 253;
const LONGEST_METHOD = 16;

/**
 * Reads everything that has arrived so far; call again with more bytes after `incomplete`.
 *
 * @param bytes - from the first byte of the connection on
 * @returns the hello; `incomplete` while it is not all there (never once {@link MAX_CLIENT_HELLO_BYTES} have arrived);
 * `http` when a request in clear text begins here; `not-tls` for anything else that is no TLS, SSLv2 hellos included;
 * `malformed` when it begins as TLS and then breaks the grammar or a limit
 */
export function readClientHello(bytes: Buffer): ClientHello | 'incomplete' | 'not-tls' | 'http' | 'malformed' {
  if (bytes.length === 0) return 'incomplete';
  if (bytes[0] !== RECORD_HANDSHAKE) return clearText(bytes);
  const message = handshakeMessage(bytes);
  if (message === 'incomplete') return bytes.length >= MAX_CLIENT_HELLO_BYTES ? 'malformed' : 'incomplete';
  if (typeof message === 'string') return message;
  return parseHello(new Reader(message, 0, message.length)) ?? 'malformed';
}

/** A method is capital letters and one space; three bytes at least must have come to tell. */
function clearText(bytes: Buffer): 'http' | 'incomplete' | 'not-tls' {
  const end = Math.min(bytes.length, LONGEST_METHOD + 1);
  for (let at = 0; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === 0x20 && at >= 3) return 'http';
    if (byte < 0x41 || byte > 0x5a) return 'not-tls';
  }
  return bytes.length > LONGEST_METHOD ? 'not-tls' : 'incomplete';
}

/** Joins the fragments of the first handshake message: its body, without the four bytes of its header. */
function handshakeMessage(bytes: Buffer): Buffer | 'incomplete' | 'not-tls' | 'malformed' {
  const fragments: Buffer[] = [];
  let have = 0;
  let wanted = HANDSHAKE_HEADER_BYTES;
  let at = 0;
  for (let records = 0; have < wanted; records++) {
    if (records >= MAX_RECORDS) return 'malformed';
    const problem = recordProblem(bytes, at);
    if (problem !== null) return problem;
    const end = at + RECORD_HEADER_BYTES + bytes.readUInt16BE(at + 3);
    const fragment = bytes.subarray(at + RECORD_HEADER_BYTES, Math.min(end, bytes.length));
    fragments.push(fragment);
    have += fragment.length;
    if (wanted === HANDSHAKE_HEADER_BYTES && have >= HANDSHAKE_HEADER_BYTES) {
      const header = fragments.length === 1 ? fragment : Buffer.concat(fragments);
      if (header[0] !== HANDSHAKE_CLIENT_HELLO) return 'malformed';
      wanted += header.readUIntBE(1, 3);
      if (wanted > MAX_CLIENT_HELLO_BYTES - RECORD_HEADER_BYTES) return 'malformed';
    }
    if (end > bytes.length && have < wanted) return 'incomplete';
    at = end;
    if (at > MAX_CLIENT_HELLO_BYTES && have < wanted) return 'malformed';
  }
  const whole = fragments.length === 1 ? fragments[0] : Buffer.concat(fragments);
  return whole?.subarray(HANDSHAKE_HEADER_BYTES, wanted) ?? 'malformed';
}

/** Looks at one record header; an `incomplete` one is judged by the bytes that are there. */
function recordProblem(bytes: Buffer, at: number): null | 'incomplete' | 'not-tls' | 'malformed' {
  // After another record this is a peer that began a handshake and then does something else.
  const otherwise = at === 0 ? 'not-tls' : 'malformed';
  if (at < bytes.length && bytes[at] !== RECORD_HANDSHAKE) return otherwise;
  if (at + 1 < bytes.length && bytes[at + 1] !== 3) return otherwise;
  if (at + 2 < bytes.length && (bytes[at + 2] ?? 0) > 4) return otherwise;
  if (bytes.length < at + RECORD_HEADER_BYTES) return 'incomplete';
  const length = bytes.readUInt16BE(at + 3);
  // RFC 8446 §5.1: a fragment of a handshake message is never empty and never longer than 2^14 bytes.
  return length === 0 || length > 16_384 ? 'malformed' : null;
}

/** A position in the message with bounds; every read says whether there was enough, so no parser can run past the end. */
class Reader {
  readonly bytes: Buffer;
  at: number;
  readonly end: number;

  constructor(bytes: Buffer, at: number, end: number) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  get left(): number {
    return this.end - this.at;
  }

  /** The next number of `size` bytes, or -1. */
  number(size: 1 | 2): number {
    if (this.left < size) return -1;
    const value = this.bytes.readUIntBE(this.at, size);
    this.at += size;
    return value;
  }

  skip(size: number): boolean {
    if (this.left < size) return false;
    this.at += size;
    return true;
  }

  /** A vector with its length in front, as a reader of its own; null when it runs past the end or is too short or long. */
  vector(lengthBytes: 1 | 2, least: number, most: number): Reader | null {
    const length = this.number(lengthBytes);
    if (length < least || length > most || this.left < length) return null;
    const part = new Reader(this.bytes, this.at, this.at + length);
    this.at += length;
    return part;
  }

  /** What is left, one character per byte. */
  text(): string {
    return this.bytes.toString('latin1', this.at, this.end);
  }
}

/** @returns null when the grammar is broken */
function parseHello(hello: Reader): ClientHello | null {
  const legacyVersion = hello.number(2);
  if (legacyVersion >>> 8 !== 3 || !hello.skip(32)) return null;
  if (hello.vector(1, 0, 32) === null) return null;
  const suites = hello.vector(2, 2, 65_534);
  if (suites === null || suites.left % 2 !== 0) return null;
  if (hello.vector(1, 1, 255) === null) return null;

  let name: ServerNameFinding = NO_NAME;
  let alpn: string[] = [];
  let newestVersion = Math.min(legacyVersion, 0x0303);
  if (hello.left > 0) {
    const extensions = hello.vector(2, 0, 65_535);
    if (extensions === null || hello.left > 0) return null;
    const seen = new Set<number>();
    while (extensions.left > 0) {
      const type = extensions.number(2);
      const body = extensions.vector(2, 0, 65_535);
      // RFC 8446 §4.2: not more than one extension of a type.
      if (body === null || seen.has(type)) return null;
      seen.add(type);
      if (type === EXTENSION_SERVER_NAME) {
        name = parseServerNames(body);
      } else if (type === EXTENSION_ALPN) {
        const protocols = parseAlpn(body);
        if (protocols === null) return null;
        alpn = protocols;
      } else if (type === EXTENSION_SUPPORTED_VERSIONS) {
        const newest = parseVersions(body);
        if (newest === null) return null;
        newestVersion = newest;
      }
    }
  }
  return { ...name, alpn, newestVersion, supportsTls13: newestVersion >= TLS_1_3 };
}

type ServerNameFinding = Pick<ClientHello, 'servername' | 'servernameIsIp' | 'servernameProblem'>;

const NO_NAME: ServerNameFinding = { servername: null, servernameIsIp: false, servernameProblem: null };
const IP_NAME: ServerNameFinding = { servername: null, servernameIsIp: true, servernameProblem: null };
const BAD_NAME: ServerNameFinding = { servername: null, servernameIsIp: false, servernameProblem: 'malformed' };

/** A list of exactly one host_name; the list exists for other kinds of names, which were never defined (RFC 6066 §3). */
function parseServerNames(body: Reader): ServerNameFinding {
  const list = body.vector(2, 1, 65_535);
  if (list === null || body.left > 0 || list.number(1) !== 0) return BAD_NAME;
  // One trailing dot is allowed on top of the longest name.
  const entry = list.vector(2, 1, MAX_NAME_LENGTH + 1);
  if (entry === null || list.left > 0) return BAD_NAME;
  const raw = entry.text();
  const name = raw.endsWith('.') ? raw.slice(0, -1) : raw;
  if (isIP(name) !== 0) return IP_NAME;
  if (name.length > MAX_NAME_LENGTH || !isDnsName(name)) return BAD_NAME;
  return { servername: name.toLowerCase(), servernameIsIp: false, servernameProblem: null };
}

function parseAlpn(body: Reader): string[] | null {
  const list = body.vector(2, 2, 65_535);
  if (list === null || body.left > 0) return null;
  const protocols: string[] = [];
  while (list.left > 0) {
    const protocol = list.vector(1, 1, 255);
    if (protocol === null) return null;
    protocols.push(protocol.text());
  }
  return protocols;
}

/** Newest real version on offer; GREASE values (RFC 8701) have other first bytes than 3 and drop out. */
function parseVersions(body: Reader): number | null {
  const list = body.vector(1, 2, 254);
  if (list === null || body.left > 0 || list.left % 2 !== 0) return null;
  let newest = 0;
  while (list.left > 0) {
    const version = list.number(2);
    if (version >>> 8 === 3 && version > newest && version <= TLS_1_3) newest = version;
  }
  return newest;
}
