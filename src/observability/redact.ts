/**
 * Takes secrets out of request targets before they are logged. A target is not parsed into a URL: it may be malformed, and
 * the spelling that a homeserver understands (or that a client got wrong) must be caught all the same.
 *
 * What counts as secret is the value of a parameter whose name contains `token`, `secret` or `password`, in any case:
 * `access_token` (Matrix C-S "Using access tokens"), `loginToken` and `login_token` (SSO), `token` and `client_secret`
 * (e-mail validation), `refresh_token`, `id_token`, `scalar_token`; and of `code`, `state` (OpenID Connect call-back),
 * `ticket` (CAS) and `session` (user-interactive authentication). `sid` stays: alone, without its client secret, it opens
 * nothing, and support needs it. No path of Matrix carries a secret outside a parameter.
 */

/** What stands in place of a secret. */
export const REDACTED = '<redacted>';

const WORDS = ['token', 'secret', 'password'] as const;
const NAMES = ['code', 'state', 'ticket', 'session'] as const;

const EQUALS = 0x3d;
const PERCENT = 0x25;
/** Separators and `=` may be escaped, and escaped again, when a client puts one URL into another; deeper is not looked at. */
const MAX_ESCAPE_DEPTH = 3;

/**
 * Found in every target that has a secret parameter: a word that makes a name secret, or an escape that could spell one of
 * its characters (letters, `_`, or another escape). The escapes that targets are full of, `%21 %24 %2F %3A %40`, are not.
 */
const SUSPICIOUS = /token|secret|password|code|state|ticket|session|%25|%4[1-9a-f]|%5[0-9af]|%6[1-9a-f]|%7[0-9a]/i;

/**
 * The target without the values of secret parameters: each is replaced by {@link REDACTED} up to the next `&`.
 * Work in proportion to the length; returns the argument itself when nothing had to go.
 * @param target - request target as sent, one character per byte
 */
export function redactTarget(target: string): string {
  if (!SUSPICIOUS.test(target)) return target;
  let result = '';
  let copiedTo = 0;
  let nameStart = 0;
  let at = 0;
  while (at < target.length) {
    const code = target.charCodeAt(at);
    const width = code === PERCENT ? escapeWidth(target, at) : 1;
    const meaning = width === 1 ? code : escapedCode(target, at + width - 2);
    if (meaning === EQUALS && isSecretName(target, nameStart, at)) {
      const next = target.indexOf('&', at);
      const end = next === -1 ? target.length : next;
      result += target.slice(copiedTo, at + width) + REDACTED;
      copiedTo = at = end;
      continue;
    }
    at += width;
    if (isSeparator(meaning)) nameStart = at;
  }
  return copiedTo === 0 ? target : result + target.slice(copiedTo);
}

/**
 * Takes secrets out of a finished log line: parameters of URLs it quotes, bearer tokens, private keys. Ends a secret where
 * the JSON string around it ends, so that the line stays JSON.
 */
export function redactText(text: string): string {
  return text
    .replace(SECRET_PARAMETER, (_, name: string) => name + REDACTED)
    .replace(BEARER, (_, scheme: string) => scheme + REDACTED)
    .replace(PRIVATE_KEY, REDACTED);
}

const SECRET_PARAMETER = /((?:[a-z_]{0,32}token|client_secret|password)(?:=|%3d))[^\s"'&<>\\]+/gi;
const BEARER = /(\bbearer )[\w.~+/=-]{8,}/gi;
const PRIVATE_KEY = /-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----[^"]*?(?:-----END [A-Z ]{0,32}PRIVATE KEY-----|(?=")|$)/g;

/** Length of the escape at `at`: 3 for `%3D`, 5 for `%253D`; 1 when it is none. */
function escapeWidth(text: string, at: number): number {
  let width = 3;
  for (let depth = 1; depth < MAX_ESCAPE_DEPTH && text.startsWith('25', at + width - 2); depth++) width += 2;
  return escapedCode(text, at + width - 2) === -1 ? 1 : width;
}

/** The character code that two hex digits stand for, -1 when they are none. */
function escapedCode(text: string, at: number): number {
  const high = hexValue(text.charCodeAt(at));
  const low = hexValue(text.charCodeAt(at + 1));
  return high === -1 || low === -1 ? -1 : high * 16 + low;
}

function hexValue(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/**
 * What a name cannot reach back over. `;` separates parameters for Twisted's parser; `?`, `#` and `/` end what stood before
 * them in a URL within a URL; `=` ends a name, which also keeps the work in proportion to the length.
 */
function isSeparator(code: number): boolean {
  return code === EQUALS || code === 0x3f || code === 0x26 || code === 0x3b || code === 0x23 || code === 0x2f;
}

function isSecretName(text: string, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code === PERCENT || code === 0x2b) return isSecretPlainName(unescape(text.slice(start, end)));
  }
  return isSecretAt(text, start, end);
}

function isSecretPlainName(name: string): boolean {
  return isSecretAt(name, 0, name.length);
}

function isSecretAt(text: string, start: number, end: number): boolean {
  for (const word of WORDS) {
    for (let at = start; at + word.length <= end; at++) if (matchesAt(text, at, word)) return true;
  }
  for (const name of NAMES) if (end - start === name.length && matchesAt(text, start, name)) return true;
  return false;
}

/** Compares with a lower-case word, ASCII case aside. */
function matchesAt(text: string, at: number, word: string): boolean {
  for (let index = 0; index < word.length; index++) {
    if ((text.charCodeAt(at + index) | 0x20) !== word.charCodeAt(index)) return false;
  }
  return true;
}

/** Undoes percent-escapes as often as they were applied, up to the depth we look at, and trims `+` and spaces. */
function unescape(name: string): string {
  let text = name;
  for (let depth = 0; depth < MAX_ESCAPE_DEPTH && text.includes('%'); depth++) {
    text = text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  }
  return text.replaceAll('+', ' ').trim();
}
