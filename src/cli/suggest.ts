import { closest, distance } from 'fastest-levenshtein';

/**
 * The known word that a mistyped one was probably meant to be.
 * @returns null when none is near: a wild guess helps nobody
 */
export function suggest(word: string, known: readonly string[]): string | null {
  if (known.length === 0) return null;
  const nearest = closest(word, known);
  return distance(word, nearest) <= Math.max(2, Math.floor(word.length / 3)) ? nearest : null;
}
