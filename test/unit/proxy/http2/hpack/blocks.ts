/** Header blocks for tests: from hex as the RFC prints it, decoded into lists, and written by hand. */
import { HpackDecoder, type HpackResult } from '../../../../../src/proxy/http2/hpack/decoder.ts';

export type Field = [name: string, value: string];

/** Octets from hex; spaces and line ends are for the reader. */
export function hex(text: string): Buffer {
  return Buffer.from(text.replace(/\s+/g, ''), 'hex');
}

/** What one block is decoded to, and how it ended. */
export function decodeWith(decoder: HpackDecoder, block: Buffer): { result: HpackResult; fields: Field[] } {
  const fields: Field[] = [];
  const result = decoder.decode(block, 0, block.length, (name, value) => fields.push([name, value]));
  return { result, fields };
}

/** A decoder with room for every test's list. */
export function roomyDecoder(maxTableSize = 4096): HpackDecoder {
  return new HpackDecoder(maxTableSize, 1 << 20);
}

/**
 * What the decoder's dynamic table holds, newest first, read as a peer can see it: by index, until the first one that is
 * wrong. That one ends the decoder, so this comes last in a test.
 */
export function tableOf(decoder: HpackDecoder): Field[] {
  const most = 128; // entries that 4096 octets can hold
  const block = Buffer.from(Array.from({ length: most }, (_, at) => integer(0x80, 7, 62 + at)).flat());
  return decodeWith(decoder, block).fields;
}

/** Octets that entries count in a table (RFC 7541 §4.1). */
export function sizeOf(fields: readonly Field[]): number {
  return fields.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0);
}

/** An integer in a prefix (RFC 7541 §5.1), in the shortest form. */
export function integer(pattern: number, prefixBits: number, value: number): number[] {
  const mask = 2 ** prefixBits - 1;
  if (value < mask) return [pattern | value];
  const octets = [pattern | mask];
  let rest = value - mask;
  for (; rest >= 128; rest = Math.floor(rest / 128)) octets.push((rest % 128) | 128);
  return [...octets, rest];
}

/** A string without the Huffman code (RFC 7541 §5.2). */
export function plain(value: string): number[] {
  return [...integer(0, 7, value.length), ...Buffer.from(value, 'latin1')];
}

/** A literal with a new name: 0x40 with indexing, 0x00 without, 0x10 never indexed. */
export function literal(pattern: number, name: string, value: string): number[] {
  return [pattern, ...plain(name), ...plain(value)];
}
