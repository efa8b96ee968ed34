/**
 * Plain values with messages people can use. The text given to `error` says what was expected; `issues.ts` completes it to
 * "expected …, got …".
 */
import { z } from 'zod';
import { refuse } from '../refuse.ts';

/** True or false. */
export function boolean() {
  return z.boolean({ error: 'true or false' });
}

/** One line of text without control characters, not empty, at most 4096 characters. */
export function text(expectation = 'text') {
  return z.string({ error: expectation }).transform((value, context) => {
    // eslint-disable-next-line no-control-regex -- control characters are what this looks for
    if (value.length > 0 && value.length <= 4096 && !/[\u0000-\u001f\u007f]/.test(value)) return value;
    const what = value === '' ? 'nothing' : value.length > 4096 ? 'more than 4096 characters' : 'a control character';
    return refuse(
      context,
      'CONFIG_WRONG_TYPE',
      `expected ${expectation} on one line, got ${what}`,
      'write one line of text, or remove the key',
    );
  });
}

/** A whole number in a range, both ends included. */
export function integer(minimum: number, maximum: number) {
  const range = `a whole number from ${String(minimum)} to ${String(maximum)}`;
  return z.int({ error: range }).min(minimum, { error: range }).max(maximum, { error: range });
}

/** Exactly one of some words. */
export function word<const T extends readonly [string, ...string[]]>(words: T) {
  return z.enum(words, { error: words.length === 1 ? words[0] : `one of ${words.join(', ')}` });
}
