/**
 * The static table of HPACK (RFC 7541 appendix A): the 61 fields that both peers know from the start, by index for the
 * decoder and by name for the encoder.
 */

const FIELDS: readonly (readonly [name: string, value: string])[] = [
  [':authority', ''], [':method', 'GET'], [':method', 'POST'], [':path', '/'], [':path', '/index.html'],
  [':scheme', 'http'], [':scheme', 'https'], [':status', '200'], [':status', '204'], [':status', '206'],
  [':status', '304'], [':status', '400'], [':status', '404'], [':status', '500'], ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'], ['accept-language', ''], ['accept-ranges', ''], ['accept', ''],
  ['access-control-allow-origin', ''], ['age', ''], ['allow', ''], ['authorization', ''], ['cache-control', ''],
  ['content-disposition', ''], ['content-encoding', ''], ['content-language', ''], ['content-length', ''],
  ['content-location', ''], ['content-range', ''], ['content-type', ''], ['cookie', ''], ['date', ''], ['etag', ''],
  ['expect', ''], ['expires', ''], ['from', ''], ['host', ''], ['if-match', ''], ['if-modified-since', ''],
  ['if-none-match', ''], ['if-range', ''], ['if-unmodified-since', ''], ['last-modified', ''], ['link', ''],
  ['location', ''], ['max-forwards', ''], ['proxy-authenticate', ''], ['proxy-authorization', ''], ['range', ''],
  ['referer', ''], ['refresh', ''], ['retry-after', ''], ['server', ''], ['set-cookie', ''],
  ['strict-transport-security', ''], ['transfer-encoding', ''], ['user-agent', ''], ['vary', ''], ['via', ''],
  ['www-authenticate', ''],
]; // prettier-ignore

/** Entries of the static table; the dynamic table's newest entry has the index after this one (RFC 7541 §2.3.3). */
export const STATIC_LENGTH = FIELDS.length;

/** Name of the static entry at an index from 1 to {@link STATIC_LENGTH}; index 0 is unused and empty. */
export const STATIC_NAMES: readonly string[] = ['', ...FIELDS.map(([name]) => name)];

/** Value of the static entry at an index from 1 to {@link STATIC_LENGTH}; index 0 is unused and empty. */
export const STATIC_VALUES: readonly string[] = ['', ...FIELDS.map(([, value]) => value)];

/** What the static table has for one name. */
export interface StaticName {
  /** First index with this name, for a literal with an indexed name. */
  index: number;
  /** Index by value, for names whose entries carry one; `null` when the only value is the empty one. */
  values: ReadonlyMap<string, number> | null;
}

/** The static table by lower-case name. */
export const STATIC_BY_NAME: ReadonlyMap<string, StaticName> = byName();

function byName(): Map<string, StaticName> {
  const names = new Map<string, { index: number; values: Map<string, number> | null }>();
  FIELDS.forEach(([name, value], at) => {
    const known = names.get(name) ?? { index: at + 1, values: null };
    if (value !== '') {
      known.values ??= new Map();
      known.values.set(value, at + 1);
    }
    names.set(name, known);
  });
  return names;
}
