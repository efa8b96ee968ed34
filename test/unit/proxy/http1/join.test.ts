import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { joinBytes } from '../../../../src/proxy/http1/join.ts';

const latin1 = fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString('latin1'));

describe('joinBytes', () => {
  it('is one buffer of its own, byte for byte', () => {
    fc.assert(
      fc.property(latin1, fc.uint8Array({ maxLength: 50 }), latin1, (prefix, bytes, suffix) => {
        const body = Buffer.from(bytes);
        const joined = joinBytes(prefix, body, suffix);
        expect(joined.toString('latin1')).toBe(prefix + body.toString('latin1') + suffix);
        // What was lent may be written over afterwards.
        body.fill(0);
        expect(joined.toString('latin1')).toBe(prefix + Buffer.from(bytes).toString('latin1') + suffix);
      }),
    );
  });
});
