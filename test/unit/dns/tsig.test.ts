/** Signatures against those of an independent implementation; `tsig-vectors.py` tells how they were made. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { frameOf, MalformedMessage } from '../../../src/dns/framing.ts';
import { signRequest, verifyResponse, type TsigAlgorithm, type TsigKey } from '../../../src/dns/tsig.ts';
import { dnsName } from './names.ts';
import { decodeUpdateResponse, encodeUpdate } from '../../../src/dns/update-wire.ts';

interface Vector {
  algorithm: TsigAlgorithm;
  keyName: string;
  secret: string;
  now: number;
  [message: string]: string | number;
}

const VECTORS = JSON.parse(readFileSync(join(import.meta.dirname, 'tsig-vectors.json'), 'utf8')) as Vector[];

const octets = (vector: Vector, name: string): Buffer => Buffer.from(vector[name] as string, 'hex');
const keyOf = ({ keyName: name, algorithm, secret }: Vector): TsigKey => ({
  name,
  algorithm,
  secret: Buffer.from(secret, 'base64'),
});
const verdict = (vector: Vector, name: string, now = vector.now) =>
  verifyResponse(octets(vector, name), keyOf(vector), octets(vector, 'requestMac'), now);

const UPDATE = {
  zone: 'example.test',
  prerequisites: [{ kind: 'rrset-absent', name: '_acme-challenge.example.test', type: 'CNAME' }],
  changes: [{ kind: 'add', name: '_acme-challenge.example.test', text: 'v'.repeat(43), ttl: 60 }],
} as const;

it('has a vector for each algorithm', () => {
  expect(VECTORS.map(({ algorithm }) => algorithm)).toEqual(['hmac-sha256', 'hmac-sha384', 'hmac-sha512']);
});

describe.each(VECTORS)('$algorithm', (vector) => {
  it('signs an update as the other implementation does', () => {
    const plain = octets(vector, 'plain');
    const signed = signRequest(plain, keyOf(vector), vector.now);
    expect(signed.mac.toString('hex')).toBe(vector.requestMac);
    expect(signed.message.toString('latin1').toLowerCase()).toBe(
      octets(vector, 'request').toString('latin1').toLowerCase(),
    );
    // The other one compresses names, so that the octets of an update differ; what they say does not.
    const shape = (message: Buffer) => {
      const { question, records } = frameOf(message);
      return {
        question,
        records: records.map(({ owner, type, class: of, ttl, data, end }) => [owner, type, of, ttl, end - data]),
      };
    };
    expect(shape(encodeUpdate(0x4242, UPDATE))).toEqual(shape(plain));
  });

  it('believes the response of the holder of the key', () => {
    expect(verdict(vector, 'good')).toEqual({ kind: 'verified' });
    expect(decodeUpdateResponse(octets(vector, 'good'), 0x4242)).toBe('NOERROR');
    expect(verdict(vector, 'good', vector.now + 300)).toEqual({ kind: 'verified' });
    expect(verdict(vector, 'good', vector.now - 300)).toEqual({ kind: 'verified' });
  });

  it('believes none from another time, key, secret, or for another request', () => {
    expect(verdict(vector, 'good', vector.now + 301)).toMatchObject({ kind: 'forged' });
    expect(verdict(vector, 'good', vector.now - 301)).toMatchObject({ kind: 'forged' });
    for (const name of ['old', 'otherKey', 'otherSecret', 'otherRequest']) {
      expect(verdict(vector, name), name).toMatchObject({ kind: 'forged' });
    }
  });

  it('tells the refusals apart', () => {
    expect(verdict(vector, 'badKey')).toEqual({ kind: 'refused', error: 'BADKEY' });
    expect(verdict(vector, 'badSig')).toEqual({ kind: 'refused', error: 'BADSIG' });
    expect(verdict(vector, 'badTrunc')).toEqual({ kind: 'refused', error: 'BADTRUNC' });
    // Whatever the client's clock says: the times differ, that is the point.
    expect(verdict(vector, 'badTime')).toEqual({ kind: 'refused', error: 'BADTIME', ahead: 1000 });
    expect(verdict(vector, 'badTime', vector.now + 2000)).toEqual({ kind: 'refused', error: 'BADTIME', ahead: -1000 });
  });

  it('takes a response without signature for what it is', () => {
    const plain = octets(vector, 'plain');
    expect(verifyResponse(plain, keyOf(vector), octets(vector, 'requestMac'), vector.now)).toEqual({
      kind: 'unsigned',
    });
  });

  it('allows for a forwarder that changed the id, since the signature has the first one', () => {
    const forwarded = octets(vector, 'good');
    forwarded.writeUInt16BE(0x9999, 0);
    expect(verifyResponse(forwarded, keyOf(vector), octets(vector, 'requestMac'), vector.now)).toEqual({
      kind: 'verified',
    });
  });

  it('believes no response of which a single bit was changed', () => {
    const good = octets(vector, 'good');
    fc.assert(
      fc.property(fc.nat(good.length * 8 - 1), (bit) => {
        const message = Buffer.from(good);
        message[bit >> 3]! ^= 1 << (bit & 7);
        // The id is not signed, but its first form is.
        fc.pre(bit >= 16);
        const judged = (() => {
          try {
            return verifyResponse(message, keyOf(vector), octets(vector, 'requestMac'), vector.now).kind;
          } catch (error) {
            if (error instanceof MalformedMessage) return 'malformed';
            throw error;
          }
        })();
        // Upper and lower case are the same name, in the key and in the algorithm.
        if (judged === 'verified') {
          expect(message.toString('latin1').toLowerCase()).toBe(good.toString('latin1').toLowerCase());
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('responses that are signed in odd ways are malformed', () => {
  const vector = VECTORS[0]!;
  const good = octets(vector, 'good');
  /** Where the signature's record begins: behind header and zone. */
  const start = 12 + 14 + 4;
  const tsig = good.subarray(start);

  it.each<[string, () => Buffer]>([
    [
      'two signatures',
      () => {
        const twice = Buffer.concat([good, tsig]);
        twice.writeUInt16BE(2, 10);
        return twice;
      },
    ],
    [
      'a signature among the answers',
      () => {
        const moved = Buffer.from(good);
        moved.writeUInt16BE(1, 6);
        moved.writeUInt16BE(0, 10);
        return moved;
      },
    ],
    [
      'a signature cut off',
      () => {
        const cut = Buffer.from(good.subarray(0, good.length - 4));
        const length = start + 17 + 8;
        cut.writeUInt16BE(cut.readUInt16BE(length) - 4, length);
        return cut;
      },
    ],
  ])('%s', (_, make) => {
    expect(() => verifyResponse(make(), keyOf(vector), octets(vector, 'requestMac'), vector.now)).toThrow(
      MalformedMessage,
    );
  });
});

describe('updates on the wire', () => {
  it('are the octets of RFC 2136', () => {
    const hex = encodeUpdate(1, {
      zone: 'test',
      prerequisites: [{ kind: 'rrset-exists', name: 'a.test', type: 'SOA' }],
      changes: [{ kind: 'delete', name: 'a.test', text: 'x' }],
    }).toString('hex');
    expect(hex).toBe(
      '00012800' +
        '0001000100010000' +
        '0474657374' +
        '0000060001' + // header, zone
        '01610474657374' +
        '00' +
        '000600ff000000000000' + // the condition: class ANY, no data
        '01610474657374' +
        '00' +
        '001000fe00000000' +
        '00020178', // the deletion: class NONE
    );
  });

  it('say what they were told to, whatever the names and values', () => {
    const change = fc.record({
      kind: fc.constantFrom('add' as const, 'delete' as const),
      name: dnsName,
      text: fc.string({ unit: fc.nat(255).map((octet) => String.fromCharCode(octet)), maxLength: 700 }),
      ttl: fc.nat(86_400),
    });
    fc.assert(
      fc.property(dnsName, fc.array(change, { maxLength: 5 }), (zone, changes) => {
        const message = encodeUpdate(7, { zone, prerequisites: [], changes });
        const { question, records } = frameOf(message);
        expect(question).toEqual({ name: zone, type: 6, class: 1 });
        expect(
          records.map(({ section, owner, type, class: of, ttl, data, end }) => {
            const strings: string[] = [];
            for (let at = data; at < end; at += 1 + message[at]!) {
              strings.push(message.toString('latin1', at + 1, at + 1 + message[at]!));
            }
            return { section, owner, type, of, ttl, text: strings.join('') };
          }),
        ).toEqual(
          changes.map(({ kind, name, text, ttl }) => ({
            section: 'authority',
            owner: name,
            type: 16,
            of: kind === 'add' ? 1 : 254,
            ttl: kind === 'add' ? ttl : 0,
            text,
          })),
        );
      }),
    );
  });

  it('cut long texts into strings of 255 octets', () => {
    const message = encodeUpdate(1, {
      zone: '',
      prerequisites: [],
      changes: [{ kind: 'add', name: 'a', text: 'y'.repeat(600), ttl: 1 }],
    });
    const data = message.subarray(message.length - 603);
    expect([data[0], data[256], data[512]]).toEqual([255, 255, 90]);
  });

  it.each([
    ['another id', 'ffffa800000100000000000004746573740000060001'],
    ['a query', '00018000000100000000000004746573740000060001'],
    ['a request', '00012800000100000000000004746573740000060001'],
    ['nothing', ''],
  ])('are not answered by %s', (_, hex) => {
    expect(() => decodeUpdateResponse(Buffer.from(hex, 'hex'), 1)).toThrow(MalformedMessage);
  });
});
