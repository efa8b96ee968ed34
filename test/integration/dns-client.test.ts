/** The DNS client against a server that does as it is told, over real sockets. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { DnsClient } from '../../src/dns/dns-client.ts';
import { formatDnsServer, type DnsServer } from '../../src/dns/server-address.ts';
import { createStubClient, type StubClientOptions } from '../../src/dns/stub-client.ts';
import { startDnsServer, type FakeRecord } from '../helpers/dns-server.ts';

const RECORDS: FakeRecord[] = [
  {
    name: '_matrix-fed._tcp.example.test',
    type: 'SRV',
    ttl: 300,
    data: { priority: 10, weight: 5, port: 8448, target: 'HS.example.test' },
  },
  { name: '_matrix._tcp.example.test', type: 'SRV', ttl: 300, data: { port: 0, target: '.' } },
  { name: 'hs.example.test', type: 'A', ttl: 60, data: '192.0.2.1' },
  { name: 'hs.example.test', type: 'AAAA', ttl: 60, data: '2001:db8::1' },
  { name: 'alias.example.test', type: 'CNAME', ttl: 60, data: 'hs.example.test' },
  { name: 'text.example.test', type: 'TXT', ttl: 1, data: ['x'.repeat(255), 'y'] },
  { name: 'example.test', type: 'CAA', ttl: 9, data: { flags: 128, tag: 'issue', value: 'ca.example; a=b' } },
];

/** Patient enough for a busy machine where an answer is expected. */
function clientOf(servers: readonly DnsServer[], options: Partial<StubClientOptions> = {}): DnsClient {
  return createStubClient({ servers, random: randomBytes, timeoutMs: 10_000, ...options });
}

/** Where nobody answers: impatient, so that the test does not wait. */
const IMPATIENT = { timeoutMs: 150, rounds: 2 } as const;

/** A port of loopback that nobody listens on. */
async function deadServer(): Promise<DnsServer> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return { address: '127.0.0.1', port };
}

describe('what is asked and answered', () => {
  it('reads each type of record in our form', async () => {
    await using dns = await startDnsServer(RECORDS);
    const client = clientOf([dns.server]);
    const ask = async (name: string, type: Parameters<DnsClient['query']>[1]) =>
      (await client.query(name, type)).answers;

    expect(await ask('_matrix-fed._tcp.example.test', 'SRV')).toEqual([
      {
        name: '_matrix-fed._tcp.example.test',
        type: 'SRV',
        ttl: 300,
        priority: 10,
        weight: 5,
        port: 8448,
        target: 'hs.example.test',
      },
    ]);
    expect(await ask('_matrix._tcp.example.test', 'SRV')).toMatchObject([{ port: 0, target: '' }]);
    expect(await ask('hs.example.test', 'AAAA')).toEqual([
      { name: 'hs.example.test', type: 'AAAA', ttl: 60, address: '2001:db8::1' },
    ]);
    expect(await ask('alias.example.test', 'A')).toMatchObject([
      { type: 'CNAME', target: 'hs.example.test' },
      { type: 'A', address: '192.0.2.1' },
    ]);
    expect(await ask('text.example.test', 'TXT')).toMatchObject([{ text: `${'x'.repeat(255)}y` }]);
    expect(await ask('example.test', 'CAA')).toMatchObject([
      { critical: true, tag: 'issue', value: 'ca.example; a=b' },
    ]);
  });

  it('tells no such name from no such record, and says who answered', async () => {
    await using dns = await startDnsServer(RECORDS);
    const client = clientOf([dns.server]);
    expect(await client.query('nobody.example.test', 'A')).toEqual({
      rcode: 'NXDOMAIN',
      answers: [],
      authority: [],
      authoritative: true,
      server: formatDnsServer(dns.server),
    });
    expect(await client.query('HS.Example.Test.', 'TXT')).toMatchObject({ rcode: 'NOERROR', answers: [] });
  });

  it('hands back SOA and NS of the authority section', async () => {
    await using dns = await startDnsServer();
    dns.answer = () => ({
      rcode: 'NXDOMAIN',
      authority: [
        {
          name: 'Example.test',
          type: 'SOA',
          ttl: 5,
          data: { mname: 'NS.example.test', rname: 'a.b', serial: 7, minimum: 60 },
        },
        { name: 'example.test', type: 'A', data: '192.0.2.9' },
      ],
    });
    expect((await clientOf([dns.server]).query('x.example.test', 'A')).authority).toEqual([
      { name: 'example.test', type: 'SOA', ttl: 5, primary: 'ns.example.test', serial: 7, minimum: 60 },
    ]);
  });

  it('speaks IPv6', async () => {
    await using dns = await startDnsServer(RECORDS, '::1');
    expect(await clientOf([dns.server]).query('hs.example.test', 'A')).toMatchObject({
      answers: [{ address: '192.0.2.1' }],
      server: `[::1]:${dns.server.port}`,
    });
  });

  it('takes a new id and port for each question, asks for recursion, and says what it can receive', async () => {
    await using dns = await startDnsServer(RECORDS);
    const client = clientOf([dns.server]);
    for (let i = 0; i < 12; i++) await client.query('hs.example.test', 'A');
    expect(dns.seen.every(({ edns, recursionDesired }) => edns && recursionDesired)).toBe(true);
    // 12 draws of 16 bits: that even 7 of them are equal is out of the question.
    expect(new Set(dns.seen.map(({ id }) => id)).size).toBeGreaterThan(6);
    expect(new Set(dns.seen.map(({ port }) => port)).size).toBeGreaterThan(6);
    // The size in the OPT record, the last 11 octets.
    expect(dns.seen[0]?.message.readUInt16BE(dns.seen[0].message.length - 8)).toBe(1232);
  });

  it('asks authoritative servers without recursion', async () => {
    await using dns = await startDnsServer(RECORDS);
    await clientOf([dns.server], { recursion: false }).query('hs.example.test', 'A');
    expect(dns.seen[0]!.recursionDesired).toBe(false);
  });

  it.each(['', '.'])('asks for the root as %j', async (name) => {
    await using dns = await startDnsServer([{ name: '.', type: 'NS', ttl: 1, data: 'a.root.test' }]);
    expect(await clientOf([dns.server]).query(name, 'NS')).toMatchObject({
      answers: [{ name: '', target: 'a.root.test' }],
    });
  });

  it.each(['a..b', '.a', 'x'.repeat(64), Array(130).fill('ab').join('.'), 'a b', 'bücher.test', 'a\\.b', 'a\0b'])(
    'refuses %j, which is no domain name, without asking',
    async (name) => {
      await using dns = await startDnsServer(RECORDS);
      await expect(clientOf([dns.server]).query(name, 'A')).rejects.toMatchObject({ code: 'DNS_NAME' });
      expect(dns.seen).toEqual([]);
    },
  );

  it('gives other response codes by number, those of EDNS too', async () => {
    await using dns = await startDnsServer();
    dns.answer = () => ({ rcode: 9 });
    expect(await clientOf([dns.server]).query('a.test', 'A')).toMatchObject({ rcode: 'RCODE9' });
    dns.answer = () => ({
      additional: [
        {
          type: 'OPT',
          name: '.',
          udpPayloadSize: 1232,
          extendedRcode: 1,
          ednsVersion: 0,
          flags: 0,
          flag_do: false,
          options: [],
        },
      ],
    });
    expect(await clientOf([dns.server]).query('a.test', 'A')).toMatchObject({ rcode: 'RCODE16' });
  });
});

describe('TCP', () => {
  const many: FakeRecord[] = Array.from({ length: 200 }, (_, i) => ({
    name: 'large.example.test',
    type: 'TXT',
    ttl: 1,
    data: `${i} ${'z'.repeat(80)}`,
  }));

  it('is used when the answer is cut off', async () => {
    await using dns = await startDnsServer(many);
    dns.answer = (question) => ({ ...dns.fromRecords(question), truncated: true });
    expect((await clientOf([dns.server]).query('large.example.test', 'TXT')).answers).toHaveLength(200);
    expect(dns.seen.map(({ transport }) => transport)).toEqual(['udp', 'tcp']);
  });

  it.each([
    ['closes', 'close', 'DNS_MALFORMED'],
    ['is silent', null, 'DNS_TIMEOUT'],
    ['cuts the answer off again', { truncated: 'always' }, 'DNS_MALFORMED'],
    ['answers with another id', { wrongId: true }, 'DNS_MALFORMED'],
  ] as const)('fails when the server %s', async (_, overTcp, code) => {
    await using dns = await startDnsServer(many);
    dns.answer = ({ transport }) => (transport === 'udp' ? { truncated: true } : overTcp);
    const client = clientOf([dns.server], { ...IMPATIENT, timeoutMs: code === 'DNS_TIMEOUT' ? 150 : 10_000 });
    await expect(client.query('large.example.test', 'TXT')).rejects.toMatchObject({ code });
  });

  it('puts answers together from however many pieces', async () => {
    await using dns = await startDnsServer(RECORDS);
    dns.answer = (question) => ({ ...dns.fromRecords(question), truncated: true, dribbled: true });
    expect((await clientOf([dns.server]).query('hs.example.test', 'A')).answers).toMatchObject([
      { address: '192.0.2.1' },
    ]);
  });

  it('takes no more octets than it was told to', async () => {
    await using dns = await startDnsServer(many);
    dns.answer = (question) => ({ ...dns.fromRecords(question), truncated: true });
    await expect(clientOf([dns.server], { maxOctets: 4096 }).query('large.example.test', 'TXT')).rejects.toMatchObject({
      code: 'DNS_MALFORMED',
      message: expect.stringMatching(/octets/),
    });
    // The same bound holds over UDP, where a server may send more than it was asked to.
    dns.answer = (question) => dns.fromRecords(question);
    await expect(clientOf([dns.server], { maxOctets: 4096 }).query('large.example.test', 'TXT')).rejects.toMatchObject({
      code: 'DNS_MALFORMED',
      message: expect.stringMatching(/octets/),
    });
  });
});

describe('several servers', () => {
  it('asks the next one when the first is silent, gone or answers garbage', async () => {
    await using silent = await startDnsServer();
    await using garbage = await startDnsServer();
    await using good = await startDnsServer(RECORDS);
    silent.answer = () => null;
    garbage.answer = () => ({ raw: (question) => Buffer.concat([question.subarray(0, 2), randomBytes(40)]) });
    const dead = await deadServer();
    const client = clientOf([silent.server, dead, garbage.server, good.server], { timeoutMs: 1000 });
    expect(await client.query('hs.example.test', 'A')).toMatchObject({ server: formatDnsServer(good.server) });
  });

  it('asks the next one when the first refuses or fails, and keeps the refusal when nobody knows better', async () => {
    await using first = await startDnsServer();
    await using second = await startDnsServer(RECORDS);
    first.answer = () => ({ rcode: 'SERVFAIL' });
    const client = clientOf([first.server, second.server]);
    expect(await client.query('hs.example.test', 'A')).toMatchObject({ rcode: 'NOERROR' });
    second.answer = () => ({ rcode: 'REFUSED' });
    expect(await client.query('hs.example.test', 'A')).toMatchObject({ rcode: 'SERVFAIL' });
  });

  it('takes NXDOMAIN from the first: it is an answer', async () => {
    await using first = await startDnsServer();
    await using second = await startDnsServer(RECORDS);
    expect(await clientOf([first.server, second.server]).query('hs.example.test', 'A')).toMatchObject({
      rcode: 'NXDOMAIN',
    });
    expect(second.seen).toEqual([]);
  });

  it('asks again after a lost message', async () => {
    await using dns = await startDnsServer(RECORDS);
    dns.answer = (question) => (dns.seen.length === 1 ? null : dns.fromRecords(question));
    // The second round has all the time it wants: only the first message is lost.
    expect(await clientOf([dns.server], { timeoutMs: 1000, rounds: 5 }).query('hs.example.test', 'A')).toMatchObject({
      rcode: 'NOERROR',
    });
    expect(dns.seen.length).toBeGreaterThan(1);
  });

  it('says what each of them did when none answered', async () => {
    await using silent = await startDnsServer();
    silent.answer = () => null;
    const dead = await deadServer();
    const both = clientOf([dead, silent.server], IMPATIENT).query('hs.example.test', 'A');
    await expect(both).rejects.toMatchObject({
      code: 'DNS_TIMEOUT',
      message: expect.stringMatching(/hs\.example\.test A.*ECONNREFUSED.*no answer within/),
    });
    expect(silent.seen).toHaveLength(2);
    await expect(clientOf([dead]).query('hs.example.test', 'A')).rejects.toMatchObject({ code: 'DNS_UNREACHABLE' });
    await expect(clientOf([]).query('hs.example.test', 'A')).rejects.toMatchObject({
      code: 'DNS_UNREACHABLE',
      message: expect.stringMatching(/no DNS server to ask/),
    });
  });
});

describe('messages that are not the answer', () => {
  it.each([
    ['another id', { wrongId: true }],
    ['another question', { question: { name: 'evil.test', type: 'A' } }],
    ['the same name with another type', { question: { name: 'hs.example.test', type: 'AAAA' } }],
    ['another port', { wrongSource: true }],
    ['nothing in it', { raw: Buffer.alloc(0) }],
    ['a header cut short', { raw: Buffer.alloc(11) }],
    ['the question itself', { raw: (question: Buffer) => question }],
  ] as const)('are not taken: %s', async (_, reply) => {
    await using dns = await startDnsServer(RECORDS);
    const poison: FakeRecord[] = [{ name: 'hs.example.test', type: 'A', data: '203.0.113.66' }];
    dns.answer = () => ({ answers: poison, ...reply });
    await expect(clientOf([dns.server], IMPATIENT).query('hs.example.test', 'A')).rejects.toMatchObject({
      code: 'wrongSource' in reply ? 'DNS_TIMEOUT' : 'DNS_MALFORMED',
    });
  });

  it('do not keep the answer from being taken, unless they are a flood', async () => {
    await using dns = await startDnsServer(RECORDS);
    const strays = (count: number) => Array.from({ length: count }, () => randomBytes(30));
    dns.answer = (question) => ({ ...dns.fromRecords(question), before: strays(20) });
    expect(await clientOf([dns.server]).query('hs.example.test', 'A')).toMatchObject({ rcode: 'NOERROR' });
    dns.answer = (question) => ({ ...dns.fromRecords(question), before: strays(100) });
    await expect(clientOf([dns.server], { rounds: 1 }).query('hs.example.test', 'A')).rejects.toMatchObject({
      code: 'DNS_MALFORMED',
    });
  });

  it('are told at once from an answer that cannot be read', async () => {
    await using dns = await startDnsServer();
    // The answer's owner is a pointer to itself.
    dns.answer = () => ({
      raw: (question) => {
        const head = Buffer.from(question.subarray(0, 12));
        head.writeUInt16BE(0x8400, 2);
        head.writeUInt16BE(1, 6);
        head.writeUInt16BE(0, 10);
        const asked = question.subarray(12, question.length - 11);
        const at = 12 + asked.length;
        return Buffer.concat([head, asked, Buffer.from([0xc0, at, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4])]);
      },
    });
    const client = clientOf([dns.server], { rounds: 1 });
    await expect(client.query('hs.example.test', 'A')).rejects.toMatchObject({
      code: 'DNS_MALFORMED',
      message: expect.stringMatching(/points astray/),
    });
  });
});

it('asks servers from before EDNS a second time without it', async () => {
  await using dns = await startDnsServer(RECORDS);
  dns.answer = (question) => (question.edns ? { rcode: 'FORMERR', question: null } : dns.fromRecords(question));
  expect(await clientOf([dns.server]).query('hs.example.test', 'A')).toMatchObject({ rcode: 'NOERROR' });
  expect(dns.seen.map(({ edns }) => edns)).toEqual([true, false]);
});

describe('giving up', () => {
  it('rejects with the reason of the signal, over UDP and over TCP, and asks nobody else', async () => {
    for (const overUdp of [null, { truncated: true }] as const) {
      await using dns = await startDnsServer();
      await using other = await startDnsServer(RECORDS);
      const controller = new AbortController();
      const reason = new Error('enough');
      dns.answer = ({ transport }) => {
        if (transport === 'udp' && overUdp !== null) return overUdp;
        controller.abort(reason);
        return null;
      };
      const client = clientOf([dns.server, other.server]);
      await expect(client.query('hs.example.test', 'A', { signal: controller.signal })).rejects.toBe(reason);
      expect(other.seen).toEqual([]);
    }
  });

  it('does not even ask when the signal was there before', async () => {
    await using dns = await startDnsServer(RECORDS);
    const reason = new Error('too late');
    const query = clientOf([dns.server]).query('hs.example.test', 'A', { signal: AbortSignal.abort(reason) });
    await expect(query).rejects.toBe(reason);
    expect(dns.seen).toEqual([]);
  });
});
