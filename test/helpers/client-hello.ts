/**
 * TLS ClientHellos built by hand (RFC 8446 §4.1.2, RFC 6066 §3, RFC 7301 §3.1), for hellos no TLS library would send, and a
 * reader for what the server says first.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { within } from './eventually.ts';

/** What to put into the hello. */
export interface ClientHelloOptions {
  /** Entries of the server_name list, raw; left out: no extension. An empty array: an empty list. */
  readonly serverNames?: readonly Buffer[];
  /** Raw body of the ALPN extension's list; left out: no extension. */
  readonly alpn?: readonly string[];
  /** `supported_versions`; empty: no extension, so that legacy_version counts. Default: TLS 1.3 and 1.2. */
  readonly versions?: readonly number[];
  /** legacy_version; default 0x0303. */
  readonly legacyVersion?: number;
  /** `supported_groups`; default X25519 and P-256. */
  readonly groups?: readonly number[];
  /** False sends an empty key_share list. */
  readonly keyShare?: boolean;
  /** Cipher suites; default the TLS 1.3 ones and ECDHE with AES-GCM. */
  readonly cipherSuites?: readonly number[];
}

/** The hybrid post-quantum group. */
export const X25519MLKEM768 = 0x11ec;
export const X25519 = 0x001d;
const SECP256R1 = 0x0017;

function u16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}
function vector8(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}
function vector16(bytes: Buffer): Buffer {
  return Buffer.concat([u16(bytes.length), bytes]);
}
function extension(type: number, body: Buffer): Buffer {
  return Buffer.concat([u16(type), vector16(body)]);
}
function u16s(values: readonly number[]): Buffer {
  return Buffer.concat(values.map(u16));
}

/** One handshake record holding a ClientHello. */
export function clientHello(options: ClientHelloOptions = {}): Buffer {
  const extensions: Buffer[] = [];
  if (options.serverNames !== undefined) {
    const entries = options.serverNames.map((name) => Buffer.concat([Buffer.from([0]), vector16(name)]));
    extensions.push(extension(0, vector16(Buffer.concat(entries))));
  }
  extensions.push(extension(10, vector16(u16s(options.groups ?? [X25519, SECP256R1]))));
  extensions.push(extension(11, vector8(Buffer.from([0]))));
  extensions.push(extension(13, vector16(u16s([0x0403, 0x0503, 0x0804, 0x0805, 0x0806, 0x0401]))));
  if (options.alpn !== undefined) {
    const names = options.alpn.map((name) => vector8(Buffer.from(name, 'latin1')));
    extensions.push(extension(16, vector16(Buffer.concat(names))));
  }
  const versions = options.versions ?? [0x0304, 0x0303];
  if (versions.length > 0) extensions.push(extension(43, vector8(u16s(versions))));
  if (options.keyShare !== false) {
    const spki = generateKeyPairSync('x25519').publicKey.export({ type: 'spki', format: 'der' });
    extensions.push(extension(51, vector16(Buffer.concat([u16(X25519), vector16(spki.subarray(-32))]))));
  } else extensions.push(extension(51, vector16(Buffer.alloc(0))));
  const suites = options.cipherSuites ?? [0x1302, 0x1301, 0x1303, 0xc02c, 0xc02b, 0xc030, 0xc02f];
  const body = Buffer.concat([
    u16(options.legacyVersion ?? 0x0303),
    randomBytes(32),
    vector8(randomBytes(32)),
    vector16(u16s(suites)),
    Buffer.from([1, 0]),
    vector16(Buffer.concat(extensions)),
  ]);
  const handshake = Buffer.concat([Buffer.from([1, 0]), u16(body.length), body]);
  return Buffer.concat([Buffer.from([22, 3, 1]), vector16(handshake)]);
}

/** What a server answered to a hello, as far as it can be read without keys. */
export interface ServerFlight {
  /** The first alert sent in the clear. */
  readonly alert: { readonly level: number; readonly description: number } | null;
  /** The first ServerHello; null when none was sent. */
  readonly serverHello: {
    readonly isRetryRequest: boolean;
    /** Group of the key_share extension; null when there is none (TLS 1.2). */
    readonly group: number | null;
    readonly cipherSuite: number;
  } | null;
  /** All bytes that came. */
  readonly bytes: Buffer;
  /** True when the server ended the connection. */
  readonly closed: boolean;
}

const RETRY_REQUEST_RANDOM = 'cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c';

function parseServerHello(handshake: Buffer): ServerFlight['serverHello'] {
  // type(1) length(3) version(2) random(32) session_id cipher_suite(2) compression(1) extensions
  let at = 39 + handshake.readUInt8(38);
  const cipherSuite = handshake.readUInt16BE(at);
  at += 3;
  const isRetryRequest = handshake.toString('hex', 6, 38) === RETRY_REQUEST_RANDOM;
  let group: number | null = null;
  const end = Math.min(handshake.length, 4 + handshake.readUIntBE(1, 3));
  at += 2;
  while (at + 4 <= end) {
    const type = handshake.readUInt16BE(at);
    const length = handshake.readUInt16BE(at + 2);
    if (type === 51) group = handshake.readUInt16BE(at + 4);
    at += 4 + length;
  }
  return { isRetryRequest, group, cipherSuite };
}

function parseFlight(bytes: Buffer, closed: boolean): ServerFlight {
  let alert: ServerFlight['alert'] = null;
  let serverHello: ServerFlight['serverHello'] = null;
  let at = 0;
  while (at + 5 <= bytes.length) {
    const type = bytes.readUInt8(at);
    const length = bytes.readUInt16BE(at + 3);
    const record = bytes.subarray(at + 5, at + 5 + length);
    if (record.length < length) break;
    if (type === 21 && length === 2) alert ??= { level: record.readUInt8(0), description: record.readUInt8(1) };
    if (type === 22 && record[0] === 2) serverHello ??= parseServerHello(record);
    at += 5 + length;
  }
  return { alert, serverHello, bytes, closed };
}

/**
 * Sends raw bytes and collects the answer until the server closes, sends an alert, or has sent a whole ServerHello.
 * @param chunks - sent one after the other as separate segments
 */
export function sendHello(port: number, chunks: Buffer | readonly Buffer[], timeoutMs = 10_000): Promise<ServerFlight> {
  const parts = Buffer.isBuffer(chunks) ? [chunks] : chunks;
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  const received: Buffer[] = [];
  const flight = new Promise<ServerFlight>((resolve) => {
    const look = (closed: boolean): void => {
      const seen = parseFlight(Buffer.concat(received), closed);
      if (closed || seen.serverHello !== null) resolve(seen);
    };
    socket.on('data', (chunk: Buffer) => {
      received.push(chunk);
      look(false);
    });
    socket.on('error', () => {
      look(true);
    });
    socket.on('close', () => {
      look(true);
    });
    socket.on('connect', () => {
      const [first, ...rest] = parts;
      if (first !== undefined) socket.write(first);
      rest.forEach((part, index) => setTimeout(() => socket.write(part), 20 * (index + 1)));
    });
  });
  return within(flight, timeoutMs, 'an answer to the ClientHello').finally(() => socket.destroy());
}
