// Whatever our encoder writes, our decoder reads, through any change of table size.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HpackDecoder } from '../../../../../src/proxy/http2/hpack/decoder.ts';
import { decodeWith, roomyDecoder, sizeOf, type Field } from './blocks.ts';
import { encodeSession, session } from './sessions.ts';

describe('round trips', () => {
  it('every field comes back, in order', () => {
    fc.assert(
      fc.property(session, (blocks) => {
        const decoder = roomyDecoder();
        encodeSession(blocks).forEach((octets, at) => {
          const fields = blocks[at]?.lines.map(([name, value]) => [name, value]);
          expect(decodeWith(decoder, octets)).toEqual({ result: 'ok', fields });
        });
      }),
      { numRuns: 300 },
    );
  });

  it('with a small limit: the fields that fit come back, and every later block is still understood', () => {
    const limit = 400;
    fc.assert(
      fc.property(session, (blocks) => {
        const decoder = new HpackDecoder(4096, limit);
        encodeSession(blocks).forEach((octets, at) => {
          const fields = (blocks[at]?.lines ?? []).map<Field>(([name, value]) => [name, value]);
          const fitting = fields.filter((_, index) => sizeOf(fields.slice(0, index + 1)) <= limit);
          expect(decodeWith(decoder, octets)).toEqual({
            result: fitting.length === fields.length ? 'ok' : 'too_large',
            fields: fitting,
          });
        });
      }),
      { numRuns: 300 },
    );
  });

  it('one octet changed anywhere never throws', () => {
    fc.assert(
      fc.property(session, fc.nat(), fc.integer({ min: 1, max: 255 }), (blocks, where, change) => {
        const decoder = roomyDecoder();
        for (const octets of encodeSession(blocks)) {
          if (octets.length > 0) octets[where % octets.length] = (octets[where % octets.length] ?? 0) ^ change;
          expect(['ok', 'error', 'too_large']).toContain(decodeWith(decoder, octets).result);
        }
      }),
      { numRuns: 300 },
    );
  });
});
