/** Made-up connections for property tests: lists of fields as a proxy sends them, with table sizes changing between. */
import fc from 'fast-check';
import { HpackEncoder, type HpackFieldKind } from '../../../../../src/proxy/http2/hpack/encoder.ts';

export type Line = [name: string, value: string, kind: HpackFieldKind];

export interface Block {
  lines: Line[];
  /** Sizes that the peer set since the last block. */
  tableSizes: number[];
}

const latin1 = (maxLength: number): fc.Arbitrary<string> =>
  fc.uint8Array({ maxLength }).map((octets) => Buffer.from(octets).toString('latin1'));

const name = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom('content-type', 'cache-control', 'date', ':status', 'set-cookie', 'x-a', 'x-b'),
  },
  { weight: 1, arbitrary: fc.constant('accept-encoding') },
  { weight: 1, arbitrary: latin1(20) },
);
const value = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom('application/json', '*', 'gzip, deflate', '200', '404', '', 'e'.repeat(90)) },
  { weight: 3, arbitrary: latin1(60) },
  { weight: 1, arbitrary: fc.integer({ min: 1000, max: 5000 }).map((length) => 'v'.repeat(length)) },
);
const line: fc.Arbitrary<Line> = fc.tuple(name, value, fc.constantFrom('index', 'index', 'literal', 'never'));

/** One connection: up to 15 blocks of up to 25 fields. */
export const session: fc.Arbitrary<Block[]> = fc.array(
  fc.record({
    lines: fc.array(line, { maxLength: 25 }),
    tableSizes: fc.oneof(
      { weight: 5, arbitrary: fc.constant<number[]>([]) },
      { weight: 1, arbitrary: fc.array(fc.integer({ min: 0, max: 9000 }), { maxLength: 3 }) },
    ),
  }),
  { minLength: 1, maxLength: 15 },
);

/** Our encoder's octets for each block of a session. */
export function encodeSession(blocks: readonly Block[]): Buffer[] {
  const encoder = new HpackEncoder();
  return blocks.map(({ lines, tableSizes }) => {
    for (const size of tableSizes) encoder.setPeerTableSize(size);
    encoder.begin();
    for (const each of lines) encoder.field(...each);
    return encoder.end();
  });
}
