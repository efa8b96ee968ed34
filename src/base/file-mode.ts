/** Permission bits of a file that holds a private key. */

/** Others may neither read nor write, and nobody executes a key. */
const FORBIDDEN = 0o117;
const OWNER_READS = 0o400;

/**
 * Reads permission bits as `chmod` takes them: `0640` or `640`.
 * @returns null for anything else, and for bits that no file with a private key should have: readable, writable or executable
 * for others, executable for anybody, unreadable for its owner
 */
export function parseKeyFileMode(text: string): number | null {
  if (!/^0?[0-7]{3}$/.test(text)) return null;
  const mode = Number.parseInt(text, 8);
  return (mode & FORBIDDEN) === 0 && (mode & OWNER_READS) !== 0 ? mode : null;
}
