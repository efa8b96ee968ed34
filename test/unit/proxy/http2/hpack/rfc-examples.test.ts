// RFC 7541 appendix C, all examples: what the decoder reads, what its table then holds, and what the encoder writes.
import { describe, expect, it } from 'vitest';
import { BlockReader } from '../../../../../src/proxy/http2/hpack/block-reader.ts';
import { BlockWriter } from '../../../../../src/proxy/http2/hpack/block-writer.ts';
import { HpackEncoder } from '../../../../../src/proxy/http2/hpack/encoder.ts';
import { decodeWith, hex, roomyDecoder, sizeOf, tableOf, type Field } from './blocks.ts';

describe('C.1 integers', () => {
  it.for([
    { example: 'C.1.1', value: 10, prefixBits: 5, octets: '0a' },
    { example: 'C.1.2', value: 1337, prefixBits: 5, octets: '1f9a0a' },
    { example: 'C.1.3', value: 42, prefixBits: 8, octets: '2a' },
  ])('$example: $value in $prefixBits bits', ({ value, prefixBits, octets }) => {
    const writer = new BlockWriter();
    writer.integer(0, prefixBits, value);
    expect(writer.take().toString('hex')).toBe(octets);

    const reader = new BlockReader();
    reader.open(hex(octets), 0, octets.length / 2);
    expect(reader.integer(prefixBits)).toBe(value);
    expect(reader.atEnd).toBe(true);
  });
});

describe('C.2 literals and an index', () => {
  it.for<{ example: string; block: string; field: Field; table: Field[] }>([
    {
      example: 'C.2.1 with indexing',
      block: '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572',
      field: ['custom-key', 'custom-header'],
      table: [['custom-key', 'custom-header']],
    },
    {
      example: 'C.2.2 without indexing',
      block: '040c 2f73 616d 706c 652f 7061 7468',
      field: [':path', '/sample/path'],
      table: [],
    },
    {
      example: 'C.2.3 never indexed',
      block: '1008 7061 7373 776f 7264 0673 6563 7265 74',
      field: ['password', 'secret'],
      table: [],
    },
    { example: 'C.2.4 indexed', block: '82', field: [':method', 'GET'], table: [] },
  ])('$example', ({ block, field, table }) => {
    const decoder = roomyDecoder();
    expect(decodeWith(decoder, hex(block))).toEqual({ result: 'ok', fields: [field] });
    expect(tableOf(decoder)).toEqual(table);
  });
});

interface Exchange {
  example: string;
  blocks: [plain: string, huffman: string];
  fields: Field[];
  table: Field[];
  tableSize: number;
}

const requests: Exchange[] = [
  {
    example: 'first request',
    blocks: [
      '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
      '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
    ],
    fields: [[':method', 'GET'], [':scheme', 'http'], [':path', '/'], [':authority', 'www.example.com']],
    table: [[':authority', 'www.example.com']],
    tableSize: 57,
  },
  {
    example: 'second request',
    blocks: ['8286 84be 5808 6e6f 2d63 6163 6865', '8286 84be 5886 a8eb 1064 9cbf'],
    fields: [
      [':method', 'GET'], [':scheme', 'http'], [':path', '/'], [':authority', 'www.example.com'],
      ['cache-control', 'no-cache'],
    ],
    table: [['cache-control', 'no-cache'], [':authority', 'www.example.com']],
    tableSize: 110,
  },
  {
    example: 'third request',
    blocks: [
      '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
      '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
    ],
    fields: [
      [':method', 'GET'], [':scheme', 'https'], [':path', '/index.html'], [':authority', 'www.example.com'],
      ['custom-key', 'custom-value'],
    ],
    table: [['custom-key', 'custom-value'], ['cache-control', 'no-cache'], [':authority', 'www.example.com']],
    tableSize: 164,
  },
]; // prettier-ignore

const COOKIE = 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1';
const responses: Exchange[] = [
  {
    example: 'first response',
    blocks: [
      `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133
       2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
      `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6
       2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3`,
    ],
    fields: [
      [':status', '302'], ['cache-control', 'private'], ['date', 'Mon, 21 Oct 2013 20:13:21 GMT'],
      ['location', 'https://www.example.com'],
    ],
    table: [
      ['location', 'https://www.example.com'], ['date', 'Mon, 21 Oct 2013 20:13:21 GMT'],
      ['cache-control', 'private'], [':status', '302'],
    ],
    tableSize: 222,
  },
  {
    example: 'second response, which evicts',
    blocks: ['4803 3330 37c1 c0bf', '4883 640e ffc1 c0bf'],
    fields: [
      [':status', '307'], ['cache-control', 'private'], ['date', 'Mon, 21 Oct 2013 20:13:21 GMT'],
      ['location', 'https://www.example.com'],
    ],
    table: [
      [':status', '307'], ['location', 'https://www.example.com'], ['date', 'Mon, 21 Oct 2013 20:13:21 GMT'],
      ['cache-control', 'private'],
    ],
    tableSize: 222,
  },
  {
    example: 'third response, which evicts several',
    blocks: [
      `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d
       54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049
       5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31`,
      `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab
       77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f
       9587 3160 65c0 03ed 4ee5 b106 3d50 07`,
    ],
    fields: [
      [':status', '200'], ['cache-control', 'private'], ['date', 'Mon, 21 Oct 2013 20:13:22 GMT'],
      ['location', 'https://www.example.com'], ['content-encoding', 'gzip'], ['set-cookie', COOKIE],
    ],
    table: [['set-cookie', COOKIE], ['content-encoding', 'gzip'], ['date', 'Mon, 21 Oct 2013 20:13:22 GMT']],
    tableSize: 215,
  },
]; // prettier-ignore

/** The responses are for a table of 256 octets, which our decoder is told as any peer would: by a size update. */
const TABLE_OF_256 = hex('3fe101');

describe.for([
  { section: 'C.3 requests without Huffman', exchanges: requests, form: 0 as const, opening: hex('') },
  { section: 'C.4 requests with Huffman', exchanges: requests, form: 1 as const, opening: hex('') },
  { section: 'C.5 responses without Huffman', exchanges: responses, form: 0 as const, opening: TABLE_OF_256 },
  { section: 'C.6 responses with Huffman', exchanges: responses, form: 1 as const, opening: TABLE_OF_256 },
])('$section', ({ exchanges, form, opening }) => {
  it.for(exchanges.map((exchange, at) => ({ ...exchange, at })))('$example', ({ fields, table, tableSize, at }) => {
    const decoder = roomyDecoder();
    decodeWith(decoder, opening);
    const results = exchanges.slice(0, at + 1).map(({ blocks }) => decodeWith(decoder, hex(blocks[form])));

    expect(results.at(-1)).toEqual({ result: 'ok', fields });
    const held = tableOf(decoder);
    expect(held).toEqual(table);
    expect(sizeOf(held)).toBe(tableSize);
  });
});

describe('the encoder writes the Huffman examples octet by octet', () => {
  it('C.4 requests', () => {
    const encoder = new HpackEncoder();
    for (const { fields, blocks } of requests) {
      encoder.begin();
      for (const [name, value] of fields) encoder.field(name, value, 'index');
      expect(encoder.end().toString('hex')).toBe(hex(blocks[1]).toString('hex'));
    }
  });

  it('C.6 responses, after the size update for a table of 256 octets', () => {
    const encoder = new HpackEncoder();
    encoder.setPeerTableSize(256);
    let opening = TABLE_OF_256;
    for (const { fields, blocks } of responses) {
      encoder.begin();
      for (const [name, value] of fields) {
        if (name === ':status') encoder.status(Number(value));
        else encoder.field(name, value, 'index');
      }
      // The RFC codes "307" although that saves nothing; we write plain octets then, which are cheaper for both sides.
      const expected = blocks[1].replace('4883 640e ff', '4803 3330 37');
      expect(encoder.end().toString('hex')).toBe(Buffer.concat([opening, hex(expected)]).toString('hex'));
      opening = hex('');
    }
  });
});
