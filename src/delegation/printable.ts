/** Text of strangers, made fit for a terminal, a log line or a table. */

/** Control characters, which a terminal would obey, and marks that turn the direction of text. */
// eslint-disable-next-line no-control-regex -- control characters are what it looks for
const UNPRINTABLE = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** Puts U+FFFD in the place of what must not reach a terminal. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, '\ufffd');
}
