// Hostile header blocks: each violation of RFC 7541 is a connection error, each flood is bounded, and nothing throws.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HpackDecoder } from '../../../../../src/proxy/http2/hpack/decoder.ts';
import { decodeWith, hex, integer, literal, plain, roomyDecoder, tableOf, type Field } from './blocks.ts';

/** One entry in the table, to make index 62 a good one. */
const ONE_ENTRY = Buffer.from(literal(0x40, 'a', '1'));

describe('violations', () => {
  it.for([
    { title: 'index 0 (§6.1)', block: '80' },
    { title: 'an index past the static table while the dynamic one is empty (§2.3.3)', block: 'be' },
    { title: 'an index far past both tables', block: 'ffffffff7f' },
    { title: 'a literal with indexing whose name index is past the tables', block: '7e 01 61' },
    { title: 'a literal without indexing whose name index is past the tables', block: '0f 2f 01 61' },
    { title: 'a never indexed literal whose name index is past the tables', block: '1f 2f 01 61' },
    { title: 'an index cut off', block: 'ff' },
    { title: 'an index cut off within its continuation', block: 'ff80' },
    { title: 'an integer above 2^28 (§5.1)', block: 'ff ffffff7f ff' },
    { title: 'an integer of many zero octets', block: 'ff 80808080808080808000' },
    { title: 'an integer without an end', block: `ff ${'ff'.repeat(200)}` },
    { title: 'a name length above what is there', block: '40 05 6162' },
    { title: 'a value length above what is there', block: '40 01 61 05 6162' },
    { title: 'a value length of 2^28', block: '40 01 61 7f 81ffff7f 61' },
    { title: 'a literal that ends after its first octet', block: '40' },
    { title: 'a literal that ends after its name', block: '40 01 61' },
    { title: 'a literal with an indexed name and nothing else', block: '44' },
    { title: 'Huffman padding of eight bits (§5.2)', block: '04 82 07ff' },
    { title: 'Huffman padding of zeros', block: '04 81 00' },
    { title: 'EOS in a value', block: '04 84 ffffffff' },
    { title: 'EOS in a name', block: '00 84 ffffffff 01 61' },
    { title: 'a table size above what we announced (§6.3)', block: '3fe21f' },
    { title: 'a table size of 2^28', block: '3f e1ffff7f' },
    { title: 'a table size cut off', block: '3f' },
    { title: 'a table size after a field (§4.2)', block: '82 20' },
    {
      title: 'a table size after a field, with what could be a literal of its own behind it',
      block: '82 20 01 61 01 62',
    },
    { title: 'a table size between two fields', block: '82 3fe11f 84' },
    { title: 'three table sizes', block: '20 20 20' },
  ])('$title is an error', ({ block }) => {
    const octets = hex(block);
    expect(roomyDecoder().decode(octets, 0, octets.length, () => undefined)).toBe('error');
  });

  it('leave the decoder in error, since its table is no longer the peer’s', () => {
    const decoder = roomyDecoder();
    expect(decodeWith(decoder, hex('80')).result).toBe('error');
    expect(decodeWith(decoder, hex('82'))).toEqual({ result: 'error', fields: [] });
  });

  it('an entry that was evicted is no longer an index', () => {
    const decoder = roomyDecoder();
    expect(decodeWith(decoder, ONE_ENTRY).result).toBe('ok');
    expect(decodeWith(decoder, hex('be')).fields).toEqual([['a', '1']]);
    expect(decodeWith(decoder, hex('20 be')).result).toBe('error');
  });
});

describe('what is allowed, though odd', () => {
  it.for<{ title: string; block: Buffer; fields: Field[] }>([
    { title: 'an empty block', block: hex(''), fields: [] },
    { title: 'only table sizes', block: hex('20 3fe11f'), fields: [] },
    { title: 'an empty name and value', block: hex('00 00 00'), fields: [['', '']] },
    { title: 'an empty Huffman string', block: hex('00 80 80'), fields: [['', '']] },
    { title: 'every octet in a value', block: Buffer.from(literal(0, 'a', allOctets())), fields: [['a', allOctets()]] },
    { title: 'an integer longer than it need be', block: hex('3fe19f00 82'), fields: [[':method', 'GET']] },
  ])('$title', ({ block, fields }) => {
    expect(decodeWith(roomyDecoder(), block)).toEqual({ result: 'ok', fields });
  });

  it('a literal larger than the table empties it and is still delivered (§4.4)', () => {
    const decoder = roomyDecoder();
    decodeWith(decoder, ONE_ENTRY);
    const large = 'x'.repeat(5000);
    expect(decodeWith(decoder, Buffer.from(literal(0x40, 'a', large)))).toEqual({
      result: 'ok',
      fields: [['a', large]],
    });
    expect(tableOf(decoder)).toEqual([]);
  });

  it('a name taken from the entry that its own addition evicts (§4.4)', () => {
    const decoder = roomyDecoder();
    decodeWith(decoder, Buffer.from([0x3f, 0x1f, ...literal(0x40, 'name', '1')])); // a table of 62 octets
    const block = Buffer.from([0x7e, ...plain('2'.repeat(20))]);
    expect(decodeWith(decoder, block).fields).toEqual([['name', '2'.repeat(20)]]);
    expect(tableOf(decoder)).toEqual([['name', '2'.repeat(20)]]);
  });
});

describe('table size', () => {
  it('the smaller of two sizes evicts, the second one holds (§4.2)', () => {
    const decoder = roomyDecoder();
    decodeWith(decoder, ONE_ENTRY);
    expect(decodeWith(decoder, Buffer.from([0x20, 0x3f, 0xe1, 0x1f, ...literal(0x40, 'b', '2')])).result).toBe('ok');
    expect(tableOf(decoder)).toEqual([['b', '2']]);
  });

  it('0 keeps nothing, whatever is added', () => {
    const decoder = roomyDecoder();
    expect(decodeWith(decoder, Buffer.from([0x20, ...literal(0x40, 'b', '2')])).fields).toEqual([['b', '2']]);
    expect(tableOf(decoder)).toEqual([]);
  });

  it('begins at 4096 even when a larger one is announced, until the peer asks for it', () => {
    const decoder = roomyDecoder(65_536);
    const entries = [literal(0x40, 'a', 'x'.repeat(3000)), literal(0x40, 'b', 'x'.repeat(3000))];
    for (const entry of entries) decodeWith(decoder, Buffer.from(entry));
    expect(decodeWith(decoder, hex('bf')).result).toBe('error');

    const asked = roomyDecoder(65_536);
    decodeWith(asked, Buffer.from(integer(0x20, 5, 65_536)));
    for (const entry of entries) decodeWith(asked, Buffer.from(entry));
    expect(decodeWith(asked, hex('bf')).fields).toEqual([['a', 'x'.repeat(3000)]]);
  });

  it('a smaller one than 4096 holds the peer once it acknowledged, and must be said first (RFC 9113 §4.3.1)', () => {
    const before = roomyDecoder(100);
    expect(decodeWith(before, Buffer.from(integer(0x20, 5, 4096))).result).toBe('ok');

    const silent = roomyDecoder(100);
    silent.settingsAcknowledged();
    expect(decodeWith(silent, hex('82')).result).toBe('error');

    const above = roomyDecoder(100);
    above.settingsAcknowledged();
    expect(decodeWith(above, Buffer.from([...integer(0x20, 5, 101), 0x82])).result).toBe('error');

    const good = roomyDecoder(100);
    good.settingsAcknowledged();
    expect(decodeWith(good, Buffer.from([...integer(0x20, 5, 100), 0x82])).result).toBe('ok');
    expect(decodeWith(good, hex('82')).result).toBe('ok');
  });

  it('an acknowledgement of 4096 or more asks nothing of the peer', () => {
    for (const size of [4096, 65_536]) {
      const decoder = roomyDecoder(size);
      decoder.settingsAcknowledged();
      expect(decodeWith(decoder, hex('82')).result).toBe('ok');
    }
  });
});

describe('list size', () => {
  it('counts name, value and 32 (RFC 9113 §6.5.2), up to the last octet', () => {
    const block = Buffer.from([...literal(0, 'a', '1'), ...literal(0, 'b', '2')]);
    expect(decodeWith(new HpackDecoder(4096, 68), block).result).toBe('ok');
    expect(decodeWith(new HpackDecoder(4096, 67), block)).toEqual({ result: 'too_large', fields: [['a', '1']] });
  });

  it('delivers nothing after the first field too many, not even a smaller one', () => {
    const block = Buffer.from([...literal(0, 'a', 'x'.repeat(50)), ...literal(0, 'b', '')]);
    expect(decodeWith(new HpackDecoder(4096, 60), block)).toEqual({ result: 'too_large', fields: [] });
  });

  it('counts each list anew', () => {
    const decoder = new HpackDecoder(4096, 68);
    const block = Buffer.from(literal(0, 'a', '1'));
    for (let at = 0; at < 5; at++) expect(decodeWith(decoder, block).result).toBe('ok');
  });

  it('keeps the table right while it refuses the list', () => {
    const decoder = new HpackDecoder(4096, 40);
    const block = Buffer.from([...literal(0x40, 'a', '1'), ...literal(0x40, 'b', '2'), ...literal(0x40, 'c', '3')]);
    expect(decodeWith(decoder, block)).toEqual({ result: 'too_large', fields: [['a', '1']] });
    expect(['be', 'bf', 'c0'].map((index) => decodeWith(decoder, hex(index)).fields)).toEqual([
      [['c', '3']],
      [['b', '2']],
      [['a', '1']],
    ]);
  });

  it('finds the error behind a list too large', () => {
    const block = Buffer.from([...literal(0, 'a', 'x'.repeat(100)), 0x80]);
    expect(decodeWith(new HpackDecoder(4096, 40), block).result).toBe('error');
  });

  it('stops an HPACK bomb: 16,000 references to an entry of 4 kB deliver no more than the list may hold', () => {
    const decoder = new HpackDecoder(4096, 65_536);
    expect(decodeWith(decoder, Buffer.from(literal(0x40, 'a', 'x'.repeat(4000)))).result).toBe('ok');
    const { result, fields } = decodeWith(decoder, Buffer.alloc(16_000, 0xbe));
    expect(result).toBe('too_large');
    expect(fields.length).toBe(Math.floor(65_536 / 4033));
  });

  it('stops a bomb of empty fields, which cost a peer one octet each', () => {
    const decoder = new HpackDecoder(4096, 65_536);
    decodeWith(decoder, Buffer.from(literal(0x40, '', '')));
    const { result, fields } = decodeWith(decoder, Buffer.alloc(16_000, 0xbe));
    expect(result).toBe('too_large');
    expect(fields.length).toBe(65_536 / 32);
  });
});

describe('boundaries', () => {
  it('reads only between start and end', () => {
    const block = Buffer.from(literal(0x40, 'name', 'value'));
    const around = Buffer.concat([hex('80 ff'), block, hex('ff 80')]);
    const fields: Field[] = [];
    const result = roomyDecoder().decode(around, 2, 2 + block.length, (name, value) => fields.push([name, value]));
    expect({ result, fields }).toEqual({ result: 'ok', fields: [['name', 'value']] });
  });

  it('a block cut anywhere is an error, unless it is cut between fields', () => {
    const parts = [
      hex('3fe101'),
      hex('82'),
      Buffer.from(literal(0x40, 'name', 'value')),
      hex('be'),
      hex('04 89 6251 f731 0f52 e621 ff'), // Huffman: /sample/path
      Buffer.from(literal(0x10, 'x', 'secret')),
    ];
    const ends = new Set([0]);
    for (let at = 1; at <= parts.length; at++) ends.add(Buffer.concat(parts.slice(0, at)).length);
    const whole = Buffer.concat(parts);
    for (let cut = 0; cut <= whole.length; cut++) {
      expect(decodeWith(roomyDecoder(), whole.subarray(0, cut)).result).toBe(ends.has(cut) ? 'ok' : 'error');
    }
  });

  it('does not keep the block: what it delivered stays when the buffer is used again', () => {
    const decoder = roomyDecoder();
    const block = Buffer.from(literal(0x40, 'name', 'value'));
    const { fields } = decodeWith(decoder, block);
    block.fill(0x41);
    expect(fields).toEqual([['name', 'value']]);
    expect(tableOf(decoder)).toEqual([['name', 'value']]);
  });

  it('never throws, and never delivers more than the list may hold, whatever the octets', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 120 }), { maxLength: 6 }), (blocks) => {
        const decoder = new HpackDecoder(4096, 500);
        for (const octets of blocks) {
          const { result, fields } = decodeWith(decoder, Buffer.from(octets));
          expect(['ok', 'error', 'too_large']).toContain(result);
          const delivered = fields.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0);
          expect(delivered).toBeLessThanOrEqual(500);
        }
      }),
      { numRuns: 3000 },
    );
  });
});

function allOctets(): string {
  return String.fromCharCode(...Array.from({ length: 256 }, (_, octet) => octet));
}
