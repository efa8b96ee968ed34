// Vectors: Matrix Appendices, "Unpadded Base64" (RFC 4648 §10 without the padding).
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeBase64, encodeBase64 } from '../../../src/matrix/base64.ts';

describe('the vectors of the specification', () => {
  it.for([
    ['', ''],
    ['f', 'Zg'],
    ['fo', 'Zm8'],
    ['foo', 'Zm9v'],
    ['foob', 'Zm9vYg'],
    ['fooba', 'Zm9vYmE'],
    ['foobar', 'Zm9vYmFy'],
  ] as const)('%j is %j', ([plain, encoded]) => {
    expect(encodeBase64(Buffer.from(plain))).toBe(encoded);
    expect(decodeBase64(encoded)?.toString()).toBe(plain);
    expect(decodeBase64(encoded.padEnd(Math.ceil(encoded.length / 4) * 4, '='))?.toString()).toBe(plain);
  });
});

it('gives back every sequence of bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const encoded = encodeBase64(bytes);
      expect(encoded).not.toContain('=');
      expect(decodeBase64(encoded)).toEqual(Buffer.from(bytes));
    }),
  );
});

it.for(['A', 'Zg=', 'Zm8==', 'Zm9v=', 'Zm9v====', '=', 'Zg-_', 'Zm 8', 'Zm8\n', 'Zm=8', 'é'])('refuses %j', (text) => {
  expect(decodeBase64(text)).toBeNull();
});
