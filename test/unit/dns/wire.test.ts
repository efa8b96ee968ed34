/** Messages of strangers: each is an answer, a stray or malformed, and never anything else. */
import { encode, type Answer } from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { frameOf, MalformedMessage, readName } from '../../../src/dns/framing.ts';
import { encodeName } from '../../../src/dns/name.ts';
import { decodeAnswer, encodeQuestion, receive, type Question } from '../../../src/dns/wire.ts';
import { dnsName } from './names.ts';

const QUESTION: Question = { name: 'a.test', type: 'A', recursion: true, edns: true };
const ID = 0x1234;

/** A header of a response with one question, and so many answers. */
function header(answers: number, { questions = 1, flags = 0x8180 } = {}): Buffer {
  const octets = Buffer.alloc(12);
  for (const [index, value] of [ID, flags, questions, answers, 0, 0].entries()) octets.writeUInt16BE(value, 2 * index);
  return octets;
}

/** `a.test A IN`. */
const ASKED = Buffer.concat([encodeName('a.test'), Buffer.of(0, 1, 0, 1)]);
/** Offset behind the question. */
const BODY = 12 + ASKED.length;

function record(type: number, data: Buffer, { owner = Buffer.of(0xc0, 12), length = data.length } = {}): Buffer {
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(type, 0);
  fixed.writeUInt16BE(1, 2);
  fixed.writeUInt32BE(60, 4);
  fixed.writeUInt16BE(length, 8);
  return Buffer.concat([owner, fixed, data]);
}

function answerWith(...records: Buffer[]): Buffer {
  return Buffer.concat([header(records.length), ASKED, ...records]);
}

describe('questions', () => {
  it('are octets that RFC 1035 and RFC 6891 prescribe', () => {
    expect(encodeQuestion(ID, QUESTION).toString('hex')).toBe(
      '1234' +
        '0100' +
        '0001' +
        '0000' +
        '0000' +
        '0001' +
        '01610474657374' +
        '00' +
        '00010001' +
        '00' +
        '0029' +
        '04d0' +
        '00000000' +
        '0000',
    );
  });

  it('hold the name that was asked, whatever it is', () => {
    fc.assert(
      fc.property(dnsName, fc.boolean(), fc.boolean(), (name, recursion, edns) => {
        const message = encodeQuestion(ID, { name, type: 'CAA', recursion, edns });
        const frame = frameOf(message);
        expect(frame).toMatchObject({ id: ID, question: { name, type: 257, class: 1 } });
        expect(frame.records).toHaveLength(edns ? 1 : 0);
        expect((frame.flags & 0x0100) !== 0).toBe(recursion);
      }),
    );
  });
});

describe('records', () => {
  const address = fc.ipV6();
  const records: fc.Arbitrary<Answer> = fc
    .record({ name: dnsName.filter((name) => name !== ''), ttl: fc.nat(0x7fffffff) })
    .chain((common) =>
      fc.oneof(
        fc.ipV4().map((data) => ({ ...common, type: 'A' as const, data })),
        address.map((data) => ({
          ...common,
          type: 'AAAA' as const,
          data: new URL(`http://[${data}]/`).hostname.slice(1, -1),
        })),
        dnsName.map((data) => ({ ...common, type: 'CNAME' as const, data: data || '.' })),
        fc
          .record({ priority: fc.nat(65535), weight: fc.nat(65535), port: fc.nat(65535), target: dnsName })
          .map((data) => ({ ...common, type: 'SRV' as const, data: { ...data, target: data.target || '.' } })),
        fc
          .array(
            fc.uint8Array({ maxLength: 255 }).map((octets) => Buffer.from(octets)),
            { minLength: 1, maxLength: 5 },
          )
          .map((data) => ({ ...common, type: 'TXT' as const, data })),
        fc
          .record({
            flags: fc.nat(255),
            tag: fc.constantFrom('issue' as const, 'iodef' as const),
            value: fc.stringMatching(/^[ -~]{0,80}$/),
          })
          .map((data) => ({ ...common, type: 'CAA' as const, data })),
      ),
    );

  it('come back as an independent encoder wrote them', () => {
    fc.assert(
      fc.property(fc.array(records, { maxLength: 8 }), (answers) => {
        const message = encode({ type: 'response', id: ID, answers: structuredClone(answers).map(buffersAgain) });
        const plain = (name: string): string => (name === '.' ? '' : name);
        expect(decodeAnswer(message).answers).toEqual(
          answers.map((answer) => {
            if (answer.type === 'OPT') throw new Error('not made');
            const { name, ttl } = answer;
            switch (answer.type) {
              case 'A':
              case 'AAAA':
                return { name, ttl, type: answer.type, address: answer.data };
              case 'SRV':
                return { name, ttl, type: 'SRV', ...answer.data, target: plain(answer.data.target) };
              case 'TXT':
                return { name, ttl, type: 'TXT', text: Buffer.concat(answer.data as Buffer[]).toString('latin1') };
              case 'CAA': {
                const { flags = 0, tag, value } = answer.data;
                return { name, ttl, type: 'CAA', critical: flags >= 128, tag, value };
              }
              default:
                return { name, ttl, type: 'CNAME', target: plain(answer.data as string) };
            }
          }),
        );
      }),
    );
  });

  it('of other classes and types are passed over', () => {
    const other = record(65280, Buffer.of(1, 2, 3));
    const chaos = record(1, Buffer.of(1, 2, 3, 4));
    chaos.writeUInt16BE(3, 4);
    const flushed = record(1, Buffer.of(1, 2, 3, 4));
    flushed.writeUInt16BE(0x8001, 4);
    const good = record(1, Buffer.of(1, 2, 3, 4));
    expect(decodeAnswer(answerWith(other, chaos, flushed, good)).answers).toEqual([
      { name: 'a.test', type: 'A', ttl: 60, address: '1.2.3.4' },
    ]);
  });

  it('that Portico has no use for may hold what they like', () => {
    // NAPTR, OPT, RRSIG and NSEC with lengths in them that lead out of the record.
    const odd = [35, 41, 46, 47].map((type) => record(type, Buffer.from('ffff0400ff', 'hex')));
    const good = record(1, Buffer.of(1, 2, 3, 4));
    expect(decodeAnswer(answerWith(...odd, good)).answers).toHaveLength(1);
  });

  it('live for no time when the sign bit of the time to live is set', () => {
    const endless = record(1, Buffer.of(1, 2, 3, 4));
    endless.writeUInt32BE(0xffffffff, 6);
    expect(decodeAnswer(answerWith(endless)).answers).toMatchObject([{ ttl: 0 }]);
  });

  it('of mailboxes may have dots in their first label', () => {
    const soa = Buffer.concat([
      encodeName('ns.test'),
      Buffer.from('\u0003a.b\u0004test\u0000', 'latin1'),
      Buffer.alloc(20),
    ]);
    expect(decodeAnswer(answerWith(record(6, soa))).answers).toMatchObject([{ type: 'SOA', primary: 'ns.test' }]);
  });
});

/** The package gives what it is given back changed, and copies of Buffers are Uint8Arrays. */
function buffersAgain(answer: Answer): Answer {
  if (answer.type !== 'TXT') return answer;
  return { ...answer, data: (answer.data as Buffer[]).map((octets) => Buffer.from(octets)) };
}

describe('hostile messages', () => {
  const name = (...octets: number[]) => Buffer.from(octets);
  it.each<[string, Buffer]>([
    ['an owner that points to itself', answerWith(record(1, Buffer.alloc(4), { owner: name(0xc0, BODY) }))],
    ['an owner that points ahead', answerWith(record(1, Buffer.alloc(4), { owner: name(0xc0, BODY + 4) }))],
    ['an owner that points into the header', answerWith(record(1, Buffer.alloc(4), { owner: name(0xc0, 2) }))],
    ['an owner that points beyond the message', answerWith(record(1, Buffer.alloc(4), { owner: name(0xff, 0xff) }))],
    ['two names that point at each other', answerWith(record(5, name(0xc0, BODY + 14, 0xc0, BODY + 12)))],
    ['a label that points back at its own beginning', answerWith(record(5, name(1, 0x61, 0xc0, BODY + 12)))],
    ['a label of the kinds that were given up', answerWith(record(5, name(0x41, 0x61, 0)))],
    ['a dot in a label', answerWith(record(5, name(3, 0x61, 0x2e, 0x62, 0)))],
    ['a NUL in a label', answerWith(record(5, name(2, 0x61, 0, 0)))],
    ['a label that is not ASCII', answerWith(record(5, name(2, 0xc3, 0xbc, 0)))],
    ['a name without end', Buffer.concat([header(0), Buffer.of(1, 0x61, 1, 0x62)])],
    [
      'a name of 256 octets',
      answerWith(record(5, Buffer.concat([...Array.from({ length: 127 }, () => name(1, 0x61)), name(0x01, 0x61, 0)]))),
    ],
    ['data longer than the message', answerWith(record(1, Buffer.of(1, 2, 3, 4), { length: 500 }))],
    ['an address of 3 octets', answerWith(record(1, Buffer.of(1, 2, 3)))],
    ['an address of 5 octets', answerWith(record(1, Buffer.of(1, 2, 3, 4, 5)))],
    ['an IPv6 address of 4 octets', answerWith(record(28, Buffer.of(1, 2, 3, 4)))],
    ['an alias with something behind it', answerWith(record(5, Buffer.of(0, 0)))],
    [
      'an alias that runs over its record',
      answerWith(record(5, Buffer.of(3, 0x61), { length: 2 }), record(1, Buffer.alloc(4))),
    ],
    ['a service without target', answerWith(record(33, Buffer.alloc(6)))],
    ['a text without string', answerWith(record(16, Buffer.alloc(0)))],
    ['a text whose string runs over', answerWith(record(16, Buffer.of(5, 0x61)))],
    ['a CAA without tag', answerWith(record(257, Buffer.of(0)))],
    ['a CAA whose tag runs over', answerWith(record(257, Buffer.of(0, 9, 0x61)))],
    [
      'an SOA that ends early',
      answerWith(record(6, Buffer.concat([encodeName('a'), encodeName('b'), Buffer.alloc(16)]))),
    ],
    ['more records than there are', Buffer.concat([header(65535), ASKED, record(1, Buffer.alloc(4))])],
    ['two questions', Buffer.concat([header(0, { questions: 2 }), ASKED, ASKED])],
    ['no question', header(0, { questions: 0 })],
    ['an answer to an UPDATE', Buffer.concat([header(0, { flags: 0xa800 }), ASKED])],
  ])('with %s are malformed', (_, message) => {
    expect(() => receive(message, ID, QUESTION)).toThrow(MalformedMessage);
  });

  it('with long chains of pointers are malformed, and cost little', () => {
    // As many names as fit, each of which goes back pointer by pointer to the beginning.
    const data = Buffer.concat([
      Buffer.of(0),
      ...Array.from({ length: 6000 }, (_, i) =>
        Buffer.of(
          0xc0 | ((BODY + 12 + 2 * i - (i === 0 ? 0 : 1)) >> 8),
          (BODY + 12 + 2 * i - (i === 0 ? 0 : 1)) & 0xff,
        ),
      ),
    ]);
    const chain = record(65280, data);
    const owner = BODY + 12 + data.length - 2;
    const message = answerWith(
      chain,
      record(1, Buffer.alloc(4), { owner: Buffer.of(0xc0 | (owner >> 8), owner & 0xff) }),
    );
    expect(() => frameOf(message)).toThrow(/too many pointers/);
  });

  it('by the thousand, made of nothing, are strays or malformed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (octets) => {
        judge(Buffer.from(octets));
      }),
      { numRuns: 2000 },
    );
  });

  it('by the thousand, made of a good one with octets changed, are answers, strays or malformed', () => {
    const good = answerWith(
      record(5, Buffer.concat([encodeName('b.test')])),
      record(33, Buffer.concat([Buffer.alloc(6), encodeName('c.test')])),
      record(16, Buffer.from('\u0003abc\u0001d', 'latin1')),
      record(257, Buffer.from('\u0000\u0005issueca.test', 'latin1')),
      record(6, Buffer.concat([encodeName('a'), encodeName('b'), Buffer.alloc(20)])),
      record(28, Buffer.alloc(16)),
    );
    expect(judge(good)).toBe('answer');
    const change = fc.tuple(fc.nat(good.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), fc.nat(good.length), (changes, length) => {
        const message = Buffer.from(good);
        for (const [at, octet] of changes) message[at] = octet;
        judge(message);
        judge(message.subarray(0, length));
      }),
      { numRuns: 3000 },
    );
  });

  /** Anything but these outcomes fails the test. */
  function judge(message: Buffer): string {
    // With the right id, so that more than the first two octets are looked at.
    const reception = (() => {
      try {
        if (message.length >= 2) message.writeUInt16BE(ID, 0);
        return receive(message, ID, QUESTION).kind;
      } catch (error) {
        if (error instanceof MalformedMessage) return 'malformed';
        throw error;
      }
    })();
    expect(['answer', 'stray', 'truncated', 'malformed']).toContain(reception);
    return reception;
  }
});

it('reads names that end in a pointer to a pointer', () => {
  const message = Buffer.concat([
    Buffer.alloc(12),
    encodeName('b.test'),
    Buffer.of(0xc0, 14),
    Buffer.of(1, 0x61, 0xc0, 20),
  ]);
  expect(readName(message, 22)).toEqual({ name: 'a.test', end: 26 });
});
