/** Unpadded base64 (Matrix Appendices, "Unpadded Base64"; RFC 4648 §4 alphabet). */

/** Encodes without padding. */
export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64').replace(/=+$/, '');
}

/**
 * Decodes with or without padding. Bits behind the last whole byte are ignored: the specification's own test key has some.
 * @returns null when the text is not base64
 */
export function decodeBase64(text: string): Buffer | null {
  const match = /^([A-Za-z0-9+/]*)(={0,2})$/.exec(text);
  const digits = match?.[1];
  if (digits === undefined || text.endsWith('\n') || digits.length % 4 === 1) return null;
  if (match?.[2] !== '' && text.length % 4 !== 0) return null;
  return Buffer.from(digits, 'base64');
}
