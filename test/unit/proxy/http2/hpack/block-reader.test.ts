import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BlockReader } from '../../../../../src/proxy/http2/hpack/block-reader.ts';
import { BlockWriter } from '../../../../../src/proxy/http2/hpack/block-writer.ts';
import { integer } from './blocks.ts';

function read(octets: readonly number[] | Buffer, prefixBits: number): number {
  const reader = new BlockReader();
  reader.open(Buffer.from(octets), 0, octets.length);
  return reader.integer(prefixBits);
}

describe('integers (RFC 7541 §5.1)', () => {
  it('come back from the writer as from the plainest form, in every prefix', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 0, max: 2 ** 28 }), (prefixBits, value) => {
        const writer = new BlockWriter();
        writer.integer(0, prefixBits, value);
        const octets = writer.take();
        expect([...octets]).toEqual(integer(0, prefixBits, value));
        expect(read(octets, prefixBits)).toBe(value);
      }),
    );
  });

  it.for([4, 5, 6, 7])('in %d bits are taken up to 2^28 and not above', (prefixBits) => {
    expect(read(integer(0, prefixBits, 2 ** 28), prefixBits)).toBe(2 ** 28);
    expect(read(integer(0, prefixBits, 2 ** 28 + 1), prefixBits)).toBe(-1);
    expect(read(integer(0, prefixBits, 2 ** 32 + 1), prefixBits)).toBe(-1);
    expect(read(integer(0, prefixBits, 2 ** 53 - 1), prefixBits)).toBe(-1);
  });

  it('may end in zeros that add nothing, but not for ever', () => {
    expect(read([0x7f, 0x80, 0x80, 0x80, 0x00], 7)).toBe(127);
    expect(read([0x7f, 0x80, 0x80, 0x80, 0x80, 0x00], 7)).toBe(-1);
  });

  it('that are cut off are refused', () => {
    expect(read([], 7)).toBe(-1);
    expect(read([0x7f], 7)).toBe(-1);
    expect(read([0x7f, 0x80], 7)).toBe(-1);
  });
});
