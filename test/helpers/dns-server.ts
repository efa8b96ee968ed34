/**
 * A DNS server of a test's own on a free loopback port, UDP and TCP: a table of answers, or a function for what no honest
 * server does: other response codes, cut answers, silence, wrong ids, octets as they please.
 *
 * ```ts
 * await using dns = await startDnsServer([
 *   { name: '_matrix-fed._tcp.example.test', type: 'SRV', data: { priority: 10, weight: 0, port: 8448, target: 'hs.example.test' } },
 *   { name: 'hs.example.test', type: 'A', data: '127.0.0.1' },
 * ]);
 * const client = createStubClient({ servers: [dns.server], random: randomBytes });
 * dns.answer = (question) => (question.type === 'SRV' ? { rcode: 'SERVFAIL' } : dns.fromRecords(question));
 * ```
 */
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import {
  AUTHORITATIVE_ANSWER,
  decode,
  encode,
  TRUNCATED_RESPONSE,
  type Answer,
  type Packet,
  type Question,
} from 'dns-packet';
import type { DnsServer } from '../../src/dns/server-address.ts';

/** One record of the table, in the form of the package dns-packet; names in lower case. */
export type FakeRecord = Exclude<Answer, { type: 'OPT' }>;

/** How one message is answered; every part may be left out. */
export interface FakeAnswer {
  /** Default `NOERROR`. */
  readonly rcode?: 'NOERROR' | 'FORMERR' | 'SERVFAIL' | 'NXDOMAIN' | 'NOTIMP' | 'REFUSED' | number;
  readonly answers?: readonly FakeRecord[];
  readonly authority?: readonly FakeRecord[];
  readonly additional?: readonly Answer[];
  /** Sets the bit TC, over UDP only unless `'always'`. */
  readonly truncated?: boolean | 'always';
  /** Clears the bit AA. */
  readonly notAuthoritative?: boolean;
  /** Milliseconds before it is sent. */
  readonly delayMs?: number;
  /** Another id than that of the question. */
  readonly wrongId?: boolean;
  /** Another question than that of the question. */
  readonly question?: Question | null;
  /** Sent, over UDP, from another port than the one that was asked. */
  readonly wrongSource?: boolean;
  /** Over TCP, sent octet by octet, and with something behind it. */
  readonly dribbled?: boolean;
  /** Over UDP, sent before the answer. */
  readonly before?: readonly Buffer[];
  /** Sent instead of all that, as it is; may be made from the octets of the question. */
  readonly raw?: Buffer | ((question: Buffer) => Buffer);
}

/** What came in. */
export interface SeenQuestion {
  readonly name: string;
  readonly type: string;
  readonly transport: 'udp' | 'tcp';
  readonly edns: boolean;
  readonly recursionDesired: boolean;
  readonly id: number;
  /** The port it came from. */
  readonly port: number;
  readonly message: Buffer;
}

/** `null`: silence. `'close'`: over TCP the connection is closed, over UDP silence. */
type Reply = FakeAnswer | null | 'close';

/** A running server. */
export class FakeDnsServer implements AsyncDisposable {
  readonly server: DnsServer;
  /** Every message that could be read, in order. */
  readonly seen: SeenQuestion[] = [];
  records: FakeRecord[];
  /** Decides on each message; by default from the table. */
  answer: (question: SeenQuestion) => Reply | Promise<Reply>;
  readonly #close: () => Promise<void>;

  constructor(server: DnsServer, records: readonly FakeRecord[], close: () => Promise<void>) {
    this.server = server;
    this.records = [...records];
    this.answer = (question) => this.fromRecords(question);
    this.#close = close;
  }

  /** What the table says: CNAMEs are followed within it; a name without any record is NXDOMAIN. */
  fromRecords({ name, type }: Pick<SeenQuestion, 'name' | 'type'>): FakeAnswer {
    const answers: FakeRecord[] = [];
    let at = name;
    for (let hops = 0; hops < 16; hops++) {
      const here = this.records.filter((record) => record.name === at);
      if (here.length === 0 && hops === 0 && !this.#isBetween(at)) return { rcode: 'NXDOMAIN' };
      answers.push(...here.filter((record) => record.type === type));
      const alias = here.find((record) => record.type === 'CNAME');
      if (type === 'CNAME' || alias?.type !== 'CNAME') break;
      answers.push(alias);
      at = alias.data;
    }
    return { answers };
  }

  /** A name with names below it exists (RFC 8020). */
  #isBetween(name: string): boolean {
    return this.records.some((record) => record.name.endsWith(`.${name}`));
  }

  close(): Promise<void> {
    return this.#close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }
}

/**
 * Starts one.
 * @param address - of the loopback interface, IPv4 or IPv6
 * @param wanted - a port, when several servers must have the same one on different addresses; default: any
 */
export async function startDnsServer(
  records: readonly FakeRecord[] = [],
  address = '127.0.0.1',
  wanted = 0,
): Promise<FakeDnsServer> {
  const family = address.includes(':') ? 'udp6' : 'udp4';
  const connections = new Set<Socket>();
  const { tcp, udp, port } = await bindBoth(address, wanted);
  const fake = new FakeDnsServer({ address, port }, records, async () => {
    for (const socket of connections) socket.destroy();
    await Promise.all([
      new Promise<void>((resolve) => tcp.close(() => resolve())),
      new Promise<void>((resolve) => udp.close(() => resolve())),
    ]);
  });

  udp.on('message', (message, from) => void overUdp(message, from));
  tcp.on('connection', (socket) => {
    connections.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => connections.delete(socket));
    let received = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const end = 2 + received.readUInt16BE(0);
        void overTcp(received.subarray(2, end), socket);
        received = received.subarray(end);
      }
    });
  });

  async function overUdp(message: Buffer, from: RemoteInfo): Promise<void> {
    const reply = await decide(message, 'udp', from.port);
    if (reply === null || reply === 'close') return;
    for (const stray of reply.before ?? []) udp.send(stray, from.port, from.address);
    if (reply.wrongSource !== true) {
      udp.send(encodeReply(message, reply, 'udp'), from.port, from.address);
      return;
    }
    const other = createSocket(family);
    other.send(encodeReply(message, reply, 'udp'), from.port, from.address, () => other.close());
  }

  async function overTcp(message: Buffer, socket: Socket): Promise<void> {
    const reply = await decide(message, 'tcp', socket.remotePort ?? 0);
    if (reply === 'close') socket.destroy();
    if (reply === null || reply === 'close' || socket.destroyed) return;
    const answer = encodeReply(message, reply, 'tcp');
    const length = Buffer.alloc(2);
    length.writeUInt16BE(answer.length);
    if (reply.dribbled !== true) {
      socket.write(Buffer.concat([length, answer]));
      return;
    }
    socket.setNoDelay(true);
    for (const octet of Buffer.concat([length, answer, Buffer.of(0, 5, 1)])) {
      socket.write(Buffer.of(octet));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async function decide(message: Buffer, transport: 'udp' | 'tcp', port: number): Promise<Reply> {
    const packet = decode(message);
    const { name = '', type = '' } = packet.questions?.[0] ?? {};
    const question: SeenQuestion = {
      name: name.toLowerCase(),
      type,
      transport,
      edns: packet.additionals?.some((record) => record.type === 'OPT') ?? false,
      recursionDesired: packet.flag_rd,
      id: packet.id ?? 0,
      port,
      message,
    };
    fake.seen.push(question);
    const reply = await fake.answer(question);
    if (reply !== null && reply !== 'close' && reply.delayMs !== undefined) {
      await new Promise((resolve) => setTimeout(resolve, reply.delayMs));
    }
    return reply;
  }

  return fake;
}

/** The same free port over TCP and UDP; the system gives them out one by one, so it may take a few tries. */
async function bindBoth(address: string, wanted: number): Promise<{ tcp: Server; udp: UdpSocket; port: number }> {
  for (let tries = 0; ; tries++) {
    const tcp = createServer();
    tcp.listen(wanted, address);
    await once(tcp, 'listening');
    const bound = tcp.address();
    if (bound === null || typeof bound === 'string') throw new Error('not listening on TCP');
    const udp = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    try {
      udp.bind(bound.port, address);
      await once(udp, 'listening');
      return { tcp, udp, port: bound.port };
    } catch (error) {
      tcp.close();
      if (wanted !== 0 || tries === 20) throw error;
    }
  }
}

const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'];

/** The octets of an answer. */
export function encodeReply(question: Buffer, reply: FakeAnswer, transport: 'udp' | 'tcp'): Buffer {
  if (reply.raw !== undefined) return typeof reply.raw === 'function' ? reply.raw(question) : reply.raw;
  const asked = decode(question);
  const id = asked.id ?? 0;
  const { rcode = 'NOERROR', truncated = false } = reply;
  const cut = truncated === 'always' || (truncated && transport === 'udp');
  const packet: Packet = {
    type: 'response',
    id: reply.wrongId === true ? id ^ 0x5555 : id,
    flags:
      (reply.notAuthoritative === true ? 0 : AUTHORITATIVE_ANSWER) |
      (cut ? TRUNCATED_RESPONSE : 0) |
      (typeof rcode === 'number' ? rcode : RCODES.indexOf(rcode)),
    questions: reply.question === undefined ? (asked.questions ?? []) : reply.question === null ? [] : [reply.question],
    answers: cut ? [] : structuredClone([...(reply.answers ?? [])]).map(revive),
    authorities: structuredClone([...(reply.authority ?? [])]).map(revive),
    additionals: structuredClone([...(reply.additional ?? [])]),
  };
  return encode(packet);
}

/** The package changes what it encodes, so it gets a copy; a copied Buffer is a Uint8Array and has to be one again. */
function revive(record: FakeRecord): FakeRecord {
  if (record.type !== 'TXT') return record;
  const strings = [record.data].flat().map((part) => (typeof part === 'string' ? part : Buffer.from(part)));
  return { ...record, data: strings };
}
