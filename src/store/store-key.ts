/** The grammar of store keys, one for all backends: see {@link Store}. */
import { PorticoError } from '../base/errors.ts';

/** Lower case only, so that a file system that ignores case keeps keys apart; no dot in front, those are the backend's. */
const SEGMENT = /^[a-z0-9_][a-z0-9._-]{0,199}$/;

/** True for one segment of a key. */
export function isKeySegment(text: string): boolean {
  return SEGMENT.test(text) && !text.endsWith('\n');
}

/**
 * Splits a key into its segments.
 * @throws PorticoError `STORE_KEY_INVALID`
 */
export function parseKey(key: string): string[] {
  const segments = key.split('/');
  if (segments.length < 2 || !segments.every(isKeySegment)) throw invalid(key);
  return segments;
}

/**
 * Splits a folder into its segments; none for the empty string.
 * @throws PorticoError `STORE_KEY_INVALID`
 */
export function parseFolder(folder: string): string[] {
  if (folder === '') return [];
  const segments = folder.split('/');
  if (!segments.every(isKeySegment)) throw invalid(folder);
  return segments;
}

function invalid(key: string): PorticoError {
  return new PorticoError('STORE_KEY_INVALID', `${JSON.stringify(key)} is not a key of the store.`);
}
