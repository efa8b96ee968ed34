import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeHuffman, encodeHuffman, huffmanLength } from '../../../../../src/proxy/http2/hpack/huffman.ts';
import { hex } from './blocks.ts';

function encode(value: string): Buffer {
  const target = Buffer.alloc(value.length * 4 + 1);
  return target.subarray(0, encodeHuffman(value, target, 0));
}

function decode(octets: Buffer): string | null {
  return decodeHuffman(octets, 0, octets.length);
}

describe('Huffman code', () => {
  it('writes the shortest and the longest codes of RFC 7541 appendix B', () => {
    expect(encode('0').toString('hex')).toBe('07');
    // Octet 249 has the 28-bit code ffffffe, octet 10 the 30-bit code 3ffffffc, octet 255 the 26-bit code 3ffffee.
    expect(encode('\xf9').toString('hex')).toBe('ffffffef');
    expect(encode('\n').toString('hex')).toBe('fffffff3');
    expect(encode('\xff').toString('hex')).toBe('fffffbbf');
  });

  it('brings every octet back, alone and after each other octet', () => {
    for (let first = 0; first < 256; first++) {
      const alone = String.fromCharCode(first);
      expect(decode(encode(alone))).toBe(alone);
      const pairs = Array.from({ length: 256 }, (_, second) => alone + String.fromCharCode(second)).join('');
      expect(decode(encode(pairs))).toBe(pairs);
    }
  });

  it('knows the length of what it writes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (octets) => {
        const value = Buffer.from(octets).toString('latin1');
        const encoded = encode(value);
        expect(encoded.length).toBe(huffmanLength(value));
        expect(decode(encoded)).toBe(value);
      }),
    );
  });

  it('brings back a string longer than any scratch space', () => {
    const value = 'e\xf9'.repeat(20_000);
    expect(decode(encode(value))).toBe(value);
  });

  it('takes the empty string', () => {
    expect(decode(Buffer.alloc(0))).toBe('');
  });

  it.for([
    { title: 'a whole octet of padding', octets: '07ff' },
    { title: 'only padding, seven bits more than allowed', octets: 'ff' },
    { title: 'padding of zeros', octets: '00' },
    { title: 'padding that does not begin EOS', octets: '06' },
    { title: 'EOS', octets: 'ffffffff' },
    { title: 'EOS after a symbol', octets: '07ffffffff' },
    { title: 'a code cut off after eight bits', octets: 'fe' },
  ])('refuses $title', ({ octets }) => {
    expect(decode(hex(octets))).toBeNull();
  });

  it('takes only what it would write itself: no two encodings of one string', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (octets) => {
        const value = decode(Buffer.from(octets));
        fc.pre(value !== null);
        expect(encode(value).equals(octets)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});
