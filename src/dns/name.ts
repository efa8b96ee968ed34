/**
 * Domain names as Portico writes them: lower case, no trailing dot, the root empty. Every name in this form can be put on the
 * wire and read back as it was: labels hold printable ASCII, so that no label hides a dot, a NUL or half a character.
 */
import { PorticoError } from '../base/errors.ts';

/** RFC 1035 §2.3.4. */
export const MAX_LABEL_OCTETS = 63;
/** The whole name on the wire, its length octets and the root label included. */
export const MAX_NAME_OCTETS = 255;

/** Printable ASCII without the dot, which parts labels, and the backslash, which is an escape wherever names are written. */
const LABEL = /^[!-\-/-[\]-~]{1,63}$/;

/**
 * Brings a name into the form above.
 * @throws PorticoError `DNS_NAME` when it is not a domain name
 */
export function normalizeName(name: string): string {
  const plain = (name.endsWith('.') ? name.slice(0, -1) : name).toLowerCase();
  if (plain === '') return plain;
  if (plain.length + 2 > MAX_NAME_OCTETS || !plain.split('.').every((label) => LABEL.test(label))) {
    throw new PorticoError('DNS_NAME', `${JSON.stringify(name.slice(0, MAX_NAME_OCTETS))} is not a domain name.`, {
      fix: 'Labels have 1 to 63 printable ASCII characters and the whole name at most 253; write international names in their xn-- form.',
    });
  }
  return plain;
}

/** The name on the wire, uncompressed (RFC 1035 §3.1). @param name - as {@link normalizeName} gives it */
export function encodeName(name: string): Buffer {
  const labels = name === '' ? [] : name.split('.');
  const parts = labels.flatMap((label) => [Buffer.of(label.length), Buffer.from(label, 'latin1')]);
  return Buffer.concat([...parts, Buffer.of(0)]);
}

/** The name one label up; null above the root. */
export function parentName(name: string): string | null {
  if (name === '') return null;
  const dot = name.indexOf('.');
  return dot === -1 ? '' : name.slice(dot + 1);
}

/** True when `name` is `ancestor` or below it. Both as {@link normalizeName} gives them. */
export function isAtOrBelow(name: string, ancestor: string): boolean {
  return ancestor === '' || name === ancestor || name.endsWith(`.${ancestor}`);
}
