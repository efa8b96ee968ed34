/** A command as the words that a program is started with: no shell reads it. */

/** What a shell would give a meaning to; here it would stand for itself, which nobody means who writes it. */
const SHELL = /["'`\\$&|;<>(){}*?[\]~#!\n\r\0]/;

/**
 * Splits at blanks: `systemctl reload coturn`.
 * @returns null when there is no word, or when the text is meant for a shell (quotes, `&&`, `$`, `>`, …)
 */
export function commandWords(text: string): readonly string[] | null {
  if (SHELL.test(text)) return null;
  const words = text.split(/[ \t]+/).filter((word) => word !== '');
  return words.length === 0 ? null : words;
}
