/**
 * The Huffman code of HPACK (RFC 7541 §5.2 and appendix B). The code is canonical, so the lengths alone give it: codes of
 * equal length count upwards in the order of their symbols. Decoding goes by half octets: 256 states of the code tree times
 * 16 inputs, and since no code is shorter than five bits, one step ends at most one symbol.
 */

/** Length in bits of the code of each octet and, last, of EOS. */
const LENGTHS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28,
  28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13,
  6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6,
  6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23,
  23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21,
  23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23,
  22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21,
  22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
]; // prettier-ignore

const EOS = 256;
const CODE_LENGTHS = Uint8Array.from(LENGTHS);
const CODES = canonicalCodes();

/** A step of the decoder: the next state in the low octet, the symbol in the next one, and these two flags. */
const EMIT = 1 << 16;
const FAIL = 1 << 17;

const { steps: STEPS, mayEnd: MAY_END } = decodingTable();

/** Where short strings are put together. Empty between calls: each call reads only what it wrote itself. */
const SCRATCH = Buffer.alloc(4096);

/**
 * The string that `source[start..end)` encodes, one char an octet, or `null` when it is not a valid encoding: EOS within,
 * padding of more than seven bits, or padding that is not the beginning of EOS (RFC 7541 §5.2).
 */
export function decodeHuffman(source: Buffer, start: number, end: number): string | null {
  const longest = ((end - start) * 8) / 5;
  const target = longest <= SCRATCH.length ? SCRATCH : Buffer.allocUnsafe(Math.ceil(longest));
  let state = 0;
  let length = 0;
  for (let at = start; at < end; at++) {
    const octet = source[at] ?? 0;
    const high = STEPS[(state << 4) | (octet >> 4)] ?? FAIL;
    if (high >= EMIT) {
      if (high >= FAIL) return null;
      target[length++] = high >> 8;
    }
    const low = STEPS[((high & 0xff) << 4) | (octet & 15)] ?? FAIL;
    if (low >= EMIT) {
      if (low >= FAIL) return null;
      target[length++] = low >> 8;
    }
    state = low & 0xff;
  }
  return MAY_END[state] === 1 ? target.toString('latin1', 0, length) : null;
}

/** Octets that {@link encodeHuffman} will write for a latin1 string. */
export function huffmanLength(value: string): number {
  let bits = 0;
  for (let at = 0; at < value.length; at++) bits += CODE_LENGTHS[value.charCodeAt(at) & 0xff] ?? 0;
  return (bits + 7) >> 3;
}

/** Writes the encoding of a latin1 string at `at`, padded with the beginning of EOS; returns the position after it. */
export function encodeHuffman(value: string, target: Buffer, at: number): number {
  // At most 7 bits wait for the next code and no octet's code is longer than 30, so 37 bits may be pending: the waiting
  // ones are kept apart from the code, in steps that fit 32 bits.
  let waiting = 0;
  let free = 8;
  for (let from = 0; from < value.length; from++) {
    const octet = value.charCodeAt(from) & 0xff;
    const code = CODES[octet] ?? 0;
    let left = CODE_LENGTHS[octet] ?? 0;
    while (left >= free) {
      left -= free;
      target[at++] = waiting | ((code >>> left) & ((1 << free) - 1));
      waiting = 0;
      free = 8;
    }
    free -= left;
    waiting |= (code & ((1 << left) - 1)) << free;
  }
  if (free < 8) target[at++] = waiting | ((1 << free) - 1);
  return at;
}

/** Code of each symbol, right-aligned, from the lengths. */
function canonicalCodes(): Uint32Array {
  const codes = new Uint32Array(LENGTHS.length);
  let next = 0;
  for (let length = 1; length <= 30; length++) {
    next <<= 1;
    LENGTHS.forEach((own, symbol) => {
      if (own === length) codes[symbol] = next++;
    });
  }
  return codes;
}

/** The code tree as a flat list: two children a node, a node's number or the complement of a symbol. */
function codeTree(): number[] {
  const tree = [0, 0];
  LENGTHS.forEach((length, symbol) => {
    let node = 0;
    for (let bit = length - 1; bit >= 0; bit--) {
      const child = node * 2 + (((CODES[symbol] ?? 0) >>> bit) & 1);
      if (bit === 0) {
        tree[child] = ~symbol;
      } else if (tree[child] === 0) {
        node = tree.length / 2;
        tree[child] = node;
        tree.push(0, 0);
      } else {
        node = tree[child] ?? 0;
      }
    }
  });
  return tree;
}

/** One step for each state and half octet, and the states in which a string may end. */
function decodingTable(): { steps: Uint32Array; mayEnd: Uint8Array } {
  const tree = codeTree();
  const states = tree.length / 2;
  const steps = new Uint32Array(states * 16);
  for (let state = 0; state < states; state++) {
    for (let input = 0; input < 16; input++) steps[state * 16 + input] = step(tree, state, input);
  }
  const mayEnd = new Uint8Array(states);
  // The root, and up to seven ones below it: padding is what EOS begins with, and less than an octet.
  for (let state = 0, bits = 0; bits <= 7; bits++) {
    mayEnd[state] = 1;
    state = tree[state * 2 + 1] ?? 0;
  }
  return { steps, mayEnd };
}

function step(tree: readonly number[], state: number, input: number): number {
  let node = state;
  let emitted = 0;
  for (let bit = 3; bit >= 0; bit--) {
    node = tree[node * 2 + ((input >> bit) & 1)] ?? 0;
    if (node >= 0) continue;
    if (~node === EOS) return FAIL;
    emitted = EMIT | (~node << 8);
    node = 0;
  }
  return emitted | node;
}
