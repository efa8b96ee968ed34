import { describe, expect, it } from 'vitest';
import { HpackEncoder, type HpackFieldKind } from '../../../../../src/proxy/http2/hpack/encoder.ts';
import { decodeWith, hex, integer, literal, plain, roomyDecoder, type Field } from './blocks.ts';

type Line = [name: string, value: string, kind: HpackFieldKind];

function encode(encoder: HpackEncoder, lines: readonly Line[]): Buffer {
  encoder.begin();
  for (const line of lines) encoder.field(...line);
  return encoder.end();
}

function fieldsOf(lines: readonly Line[]): Field[] {
  return lines.map(([name, value]) => [name, value]);
}

describe('what is sent', () => {
  it.for([
    [200, '88'], [204, '89'], [206, '8a'], [304, '8b'], [400, '8c'], [404, '8d'], [500, '8e'],
  ] as const)('status %d is one octet of the static table', ([code, block]) => {
    const encoder = new HpackEncoder();
    encoder.begin();
    encoder.status(code);
    expect(encoder.end().toString('hex')).toBe(block);
  }); // prettier-ignore

  it('another status is a literal once, then an index', () => {
    const encoder = new HpackEncoder();
    const decoder = roomyDecoder();
    const blocks = [429, 429].map((code) => {
      encoder.begin();
      encoder.status(code);
      return encoder.end();
    });
    expect(blocks.map((block) => decodeWith(decoder, block).fields)).toEqual([
      [[':status', '429']],
      [[':status', '429']],
    ]);
    expect(blocks[1]?.toString('hex')).toBe('be');
  });

  it('a field that repeats is one octet from its second time on', () => {
    const encoder = new HpackEncoder();
    const lines: Line[] = [
      ['content-type', 'application/json', 'index'],
      ['x-custom', 'same', 'index'],
    ];
    expect(encode(encoder, lines).length).toBeGreaterThan(10);
    expect(encode(encoder, lines).toString('hex')).toBe('bfbe');
  });

  it('a second value of a name takes the name from a table', () => {
    const encoder = new HpackEncoder();
    encode(encoder, [['x-custom', '!!', 'index']]);
    expect(encode(encoder, [['x-custom', '"!', 'index']]).toString('hex')).toBe('7e02' + '2221');
  });

  it('a literal stays out of the table, and its value is plain', () => {
    const encoder = new HpackEncoder();
    const expected = Buffer.from([0x0f, 0x0d, ...plain('2048')]);
    for (let time = 0; time < 2; time++) {
      expect(encode(encoder, [['content-length', '2048', 'literal']]).equals(expected)).toBe(true);
    }
    const unknown = encode(encoder, [['x-custom', 'v', 'literal']]);
    expect(unknown.equals(Buffer.from(literal(0, 'x-custom', 'v')))).toBe(true);
  });

  it('a secret is never indexed, even when a table has it (§7.1.3)', () => {
    const encoder = new HpackEncoder();
    encode(encoder, [['set-cookie', 'a=b', 'index']]);
    const expected = Buffer.from([0x1f, 0x28, ...plain('a=b')]);
    expect(encode(encoder, [['set-cookie', 'a=b', 'never']]).equals(expected)).toBe(true);
    const unknown = encode(encoder, [['x-secret', 's', 'never']]);
    expect(unknown.equals(Buffer.from(literal(0x10, 'x-secret', 's')))).toBe(true);
  });

  it('a field of more than half the table does not push out the others', () => {
    const encoder = new HpackEncoder();
    encode(encoder, [['x-custom', 'same', 'index']]);
    const large: Line[] = [['x-large', 'v'.repeat(2100), 'index']];
    expect(encode(encoder, large).equals(Buffer.from(literal(0, 'x-large', 'v'.repeat(2100))))).toBe(true);
    expect(encode(encoder, [['x-custom', 'same', 'index']]).toString('hex')).toBe('be');
  });

  it('an empty block is empty', () => {
    expect(encode(new HpackEncoder(), []).length).toBe(0);
  });

  it('blocks are the caller’s own: the next one does not change them', () => {
    const encoder = new HpackEncoder();
    const first = encode(encoder, [['x-a', '1', 'literal']]);
    const before = first.toString('hex');
    encode(encoder, [['x-b', '2', 'literal']]);
    expect(first.toString('hex')).toBe(before);
  });

  it('a block may be large', () => {
    const lines: Line[] = [
      ['x-large', 'v'.repeat(100_000), 'literal'],
      ['x-coded', 'e'.repeat(2000), 'index'],
      ['x-last', '1', 'index'],
    ];
    expect(decodeWith(roomyDecoder(), encode(new HpackEncoder(), lines))).toEqual({
      result: 'ok',
      fields: fieldsOf(lines),
    });
  });
});

describe('table size of the peer (§4.2, §6.3)', () => {
  const line: Line = ['x-custom', 'same', 'index'];
  /** The size updates that a block begins with, before its one field. */
  function updates(encoder: HpackEncoder): string {
    encoder.begin();
    encoder.status(200);
    const block = encoder.end().toString('hex');
    expect(block.endsWith('88')).toBe(true);
    return block.slice(0, -2);
  }
  const size = (value: number): string => Buffer.from(integer(0x20, 5, value)).toString('hex');

  it('nothing is said when it is what both start from', () => {
    const encoder = new HpackEncoder();
    encoder.setPeerTableSize(4096);
    expect(updates(encoder)).toBe('');
  });

  it('a larger one is not used: 4096 octets are what we keep a connection', () => {
    const encoder = new HpackEncoder();
    encoder.setPeerTableSize(2 ** 31);
    expect(updates(encoder)).toBe('');
  });

  it('a smaller one is said once, at the next block', () => {
    const encoder = new HpackEncoder();
    encoder.setPeerTableSize(100);
    expect(updates(encoder)).toBe(size(100));
    expect(updates(encoder)).toBe('');
  });

  it('the smallest one between two blocks is said before the last one', () => {
    const encoder = new HpackEncoder();
    encode(encoder, [line]);
    for (const value of [2000, 0, 50, 8192]) encoder.setPeerTableSize(value);
    expect(updates(encoder)).toBe(size(0) + size(4096));
    expect(encode(encoder, [line]).length).toBeGreaterThan(1);
  });

  it('a reduction to what we use anyway is still said, as the peer waits for it (RFC 9113 §4.3.1)', () => {
    const encoder = new HpackEncoder();
    encoder.setPeerTableSize(65_536);
    expect(updates(encoder)).toBe('');
    encoder.setPeerTableSize(8192);
    expect(updates(encoder)).toBe(size(4096));
  });

  it('0 switches the table off', () => {
    const encoder = new HpackEncoder();
    encode(encoder, [line]);
    encoder.setPeerTableSize(0);
    expect(updates(encoder)).toBe('20');
    const expected = Buffer.from(literal(0, 'x-custom', 'same'));
    for (let time = 0; time < 2; time++) expect(encode(encoder, [line]).equals(expected)).toBe(true);
  });

  it('the table works again after it comes back', () => {
    const encoder = new HpackEncoder();
    const decoder = roomyDecoder();
    const seen = [4096, 0, 4096, 4096].map((value) => {
      encoder.setPeerTableSize(value);
      return decodeWith(decoder, encode(encoder, [line]));
    });
    expect(seen).toEqual(Array(4).fill({ result: 'ok', fields: [['x-custom', 'same']] }));
    expect(encode(encoder, [line]).equals(hex('be'))).toBe(true);
  });
});
