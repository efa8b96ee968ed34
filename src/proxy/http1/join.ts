/** Text and bytes in one buffer, so that a head and a small body leave in one write. */
export function joinBytes(prefix: string, bytes: Buffer, suffix: string): Buffer {
  const joined = Buffer.allocUnsafe(prefix.length + bytes.length + suffix.length);
  if (prefix !== '') joined.write(prefix, 'latin1');
  bytes.copy(joined, prefix.length);
  if (suffix !== '') joined.write(suffix, prefix.length + bytes.length, 'latin1');
  return joined;
}
