/**
 * Our HPACK against the hpack-test-case corpus: what fourteen encoders made of the header lists of real sites is read back,
 * field by field, and what our encoder makes of the same lists is read back as well.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { HpackEncoder } from '../../src/proxy/http2/hpack/encoder.ts';
import { decodeWith, roomyDecoder, type Field } from '../unit/proxy/http2/hpack/blocks.ts';
import { describePeers } from './harness/describe-peers.ts';
import { placeOf } from './install/place.ts';

const INITIAL_TABLE_BYTES = 4096;
/** The folders, one an encoder. */
const ENCODERS = [
  'go-hpack',
  'haskell-http2-linear',
  'haskell-http2-linear-huffman',
  'haskell-http2-naive',
  'haskell-http2-naive-huffman',
  'haskell-http2-static',
  'haskell-http2-static-huffman',
  'nghttp2',
  'nghttp2-16384-4096',
  'nghttp2-change-table-size',
  'node-http2-hpack',
  'python-hpack',
  'swift-nio-hpack-huffman',
  'swift-nio-hpack-plain-text',
] as const;
/** Stories in the version that is installed, so that a folder that went missing is noticed. */
const STORIES = 446;

interface Case {
  readonly wire: string;
  readonly headers: readonly Readonly<Record<string, string>>[];
  /** The decoder's table size, announced before this case. */
  readonly header_table_size?: number;
}

interface Story {
  readonly name: string;
  readonly cases: readonly Case[];
}

function storiesOf(encoder: string): Story[] {
  const directory = join(placeOf('hpack-stories'), 'stories', encoder);
  return readdirSync(directory)
    .filter((file) => file.endsWith('.json'))
    .map((file) => {
      const { cases } = JSON.parse(readFileSync(join(directory, file), 'utf8')) as { cases: Case[] };
      return { name: `${encoder}/${file}`, cases };
    });
}

/** The corpus is UTF-8; the decoder hands out one char an octet. */
const octets = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

function fieldsOf(one: Case): Field[] {
  return one.headers.flatMap((header) =>
    Object.entries(header).map(([name, value]): Field => [octets(name), octets(value)]),
  );
}

describePeers(['hpack-stories'], 'the hpack-test-case corpus', () => {
  it('is whole', () => {
    expect(ENCODERS.flatMap((encoder) => storiesOf(encoder))).toHaveLength(STORIES);
  });

  it.for(ENCODERS)('is read as %s wrote it', (encoder) => {
    for (const { name, cases } of storiesOf(encoder)) {
      const sizes = cases.map((one) => one.header_table_size ?? INITIAL_TABLE_BYTES);
      const decoder = roomyDecoder(Math.max(...sizes));
      for (const [at, one] of cases.entries()) {
        const seen = decodeWith(decoder, Buffer.from(one.wire, 'hex'));
        expect(seen, `${name}, case ${at}`).toEqual({ result: 'ok', fields: fieldsOf(one) });
      }
    }
  });

  it('is written by our encoder, with each kind of field, and read back', () => {
    for (const { name, cases } of storiesOf('nghttp2')) {
      for (const kind of ['index', 'literal', 'never'] as const) {
        const encoder = new HpackEncoder();
        const decoder = roomyDecoder();
        for (const [at, one] of cases.entries()) {
          const fields = fieldsOf(one);
          encoder.begin();
          for (const [field, value] of fields) encoder.field(field, value, kind);
          const seen = decodeWith(decoder, Buffer.from(encoder.end()));
          expect(seen, `${name}, case ${at}, ${kind}`).toEqual({ result: 'ok', fields });
        }
      }
    }
  });
});
