/**
 * Our HPACK against an independent one, the Python package `hpack`, both ways: it reads what our encoder writes, and our
 * decoder reads what its encoder writes. HPACK_SESSIONS sets how many connections are made up.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeWith, roomyDecoder, type Field } from '../unit/proxy/http2/hpack/blocks.ts';
import { encodeSession, session, type Block } from '../unit/proxy/http2/hpack/sessions.ts';
import { describePeers } from './harness/describe-peers.ts';
import { placeOf } from './install/place.ts';

const SESSIONS = Number(process.env.HPACK_SESSIONS ?? 2000);
/** Sessions a run of Python, which bounds what is held at once. */
const BATCH = 200;
const BATCH_LIMIT_MS = 60_000;

interface Answers {
  decoded: (Field[] | string)[][];
  encoded: string[][];
}

/** Runs the script beside this file with the Python of Synapse's environment, which has the package. */
function python(input: string): string {
  return execFileSync(join(placeOf('synapse'), 'bin', 'python'), [join(import.meta.dirname, 'hpack-agreement.py')], {
    input,
    encoding: 'utf8',
    timeout: BATCH_LIMIT_MS,
    maxBuffer: 1 << 28,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

/**
 * Sizes that the package's encoder can say. It says every one it was given, and more than two in a block are an error (RFC
 * 7541 §4.2): two at most. The same size twice in a row makes it forget to say the first (4.1.0, `HeaderTable.maxsize`).
 */
function forPython(block: Block, huffman: boolean): Block & { huffman: boolean } {
  const [first, second] = block.tableSizes;
  const tableSizes = first === second ? block.tableSizes.slice(0, 1) : block.tableSizes.slice(0, 2);
  return { ...block, tableSizes, huffman };
}

function fieldsOf(block: Block): Field[] {
  return block.lines.map(([name, value]) => [name, value]);
}

describePeers(['synapse'], 'HPACK against Python’s', () => {
  it(
    `reads and is read, over ${String(SESSIONS)} connections`,
    () => {
      for (let done = 0; done < SESSIONS; done += BATCH) {
        const sessions = fc.sample(session, Math.min(BATCH, SESSIONS - done));
        const input = {
          toDecode: sessions.map((blocks) => encodeSession(blocks).map((octets) => octets.toString('hex'))),
          toEncode: sessions.map((blocks, at) => blocks.map((block) => forPython(block, at % 2 === 0))),
        };
        const answers = JSON.parse(python(JSON.stringify(input))) as Answers;

        sessions.forEach((blocks, at) => {
          const context = `HPACK session ${JSON.stringify(blocks)}`;
          expect(answers.decoded[at], context).toEqual(blocks.map(fieldsOf));

          const decoder = roomyDecoder(9000);
          const ours = answers.encoded[at]?.map((octets) => decodeWith(decoder, Buffer.from(octets, 'hex')));
          expect(ours, context).toEqual(blocks.map((block) => ({ result: 'ok', fields: fieldsOf(block) })));
        });
      }
    },
    (Math.ceil(SESSIONS / BATCH) + 1) * BATCH_LIMIT_MS,
  );
});
