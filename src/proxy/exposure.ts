/**
 * Which zone a path belongs to, judged so that no backend can read it as a path of another zone.
 *
 * The threat: `/_matrix/..;/_synapse/admin/v1/users` starts with an open prefix, yet a backend that decodes, cuts path
 * parameters or resolves dot segments reads an admin path. Portico must not normalise what it forwards (a signature covers the
 * exact bytes, Matrix S-S "Request Authentication"), so it asks a narrower question: is there *any* way of reading this path
 * that leaves the zone its first bytes name? If so the path is refused; if not it passes unchanged.
 *
 * Readings that are considered, in any combination and per segment: percent-decoding any number of times up to {@link
 * MAX_DECODES} (also `%uXXXX` and over-long UTF-8), `\` as `/`, `;parameters` cut off, control characters dropped, runs of
 * slashes merged, dot segments resolved, letter case of the closed prefixes ignored, a leading `//` taken for an authority.
 * Instead of listing them all, the code bounds them from below: it counts how few segments can be left in front.
 */

/** `site` is everything that no other zone claims. */
export type Zone = 'matrix' | 'synapse-client' | 'well-known' | 'closed' | 'site';

/** What the path is, for every reading of it. */
export interface PathReading {
  readonly zone: Zone;
  /** Some reading leaves the zone: refuse. */
  readonly ambiguous: boolean;
  /** Leading segments, as written, that every reading agrees on; Infinity when there is only one reading. */
  readonly certainDepth: number;
}

const SLASH = 0x2f;

/** Stands for a slash of the raw path while encoded ones are decoded; no byte decodes to it. */
const RAW_SLASH = '\u0100';

/** A path that still changes after so many rounds of decoding is nobody's honest path. */
const MAX_DECODES = 4;

/**
 * Can a `..` segment come out of this, by any reading? Over-long UTF-8 starts with C0, C1, E0 8x or F0 80; a `%` that starts no
 * escape may start one after the next round (`%%32e`).
 */
const MAY_CLIMB = /\.\.|%(?:2e|25|u|[01][0-9a-f]|7f|c[01]|e0%8|f0%80|(?![0-9a-f]{2}))/i;

/** Can this be read in more than one way at all? */
const MAY_DIFFER = /[%\\;]|\/\/|\/\.{1,2}(?:\/|$)/;

/** ASCII 00–3F and 40–7F in two, three or four bytes of (invalid) UTF-8, as careless decoders accept it. */
const OVERLONG_LOW = /(?:\xc0|\xe0\x80|\xf0\x80\x80)([\x80-\xbf])/g;
const OVERLONG_HIGH = /(?:\xc1|\xe0\x81|\xf0\x80\x81)([\x80-\xbf])/g;
/** The bytes as characters. */
const BYTES: readonly string[] = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte));
// eslint-disable-next-line no-control-regex -- control characters are part of what it looks for
const NEEDS_CARE = /[\x00-\x1f\x7f\xc0\xc1\xe0\xf0]/;
// eslint-disable-next-line no-control-regex -- control characters are what it looks for
const CONTROL = /[\x00-\x1f\x7f]/g;

const CLOSED = /^\/_(?:synapse|dendrite)(?:\/|$)/i;

const PLAIN: Readonly<Record<Zone, PathReading>> = {
  matrix: Object.freeze({ zone: 'matrix', ambiguous: false, certainDepth: Infinity }),
  'synapse-client': Object.freeze({ zone: 'synapse-client', ambiguous: false, certainDepth: Infinity }),
  'well-known': Object.freeze({ zone: 'well-known', ambiguous: false, certainDepth: Infinity }),
  closed: Object.freeze({ zone: 'closed', ambiguous: false, certainDepth: Infinity }),
  site: Object.freeze({ zone: 'site', ambiguous: false, certainDepth: Infinity }),
};

/** Segments of the prefix that decides, for the zones that have one. */
const ZONE_DEPTH: Readonly<Record<Zone, number>> = {
  matrix: 1,
  'synapse-client': 2,
  'well-known': 2,
  // A closed path is refused whatever else it may mean, and an exposed prefix brings its own depth.
  closed: 0,
  site: 0,
};

/** The zone of a path by its first bytes alone; for choosing the form of an error, not for letting anything pass. */
export function zoneOf(path: string): Zone {
  if (isAtOrBelow(path, '/_matrix')) return 'matrix';
  if (isAtOrBelow(path, '/_synapse/client')) return 'synapse-client';
  if (isAtOrBelow(path, '/.well-known/matrix')) return 'well-known';
  return CLOSED.test(path) ? 'closed' : 'site';
}

function isAtOrBelow(path: string, prefix: string): boolean {
  return path.startsWith(prefix) && (path.length === prefix.length || path.charCodeAt(prefix.length) === SLASH);
}

/**
 * Reads a path.
 * @param path - request target up to the first `?`, starting with `/`, visible ASCII only
 */
export function readPath(path: string): PathReading {
  const zone = zoneOf(path);
  if (zone === 'site') return readSitePath(path);
  if (!MAY_CLIMB.test(path)) return PLAIN[zone];
  const certainDepth = certainDepthOf(path);
  return { zone, ambiguous: certainDepth < ZONE_DEPTH[zone], certainDepth };
}

/**
 * True when the path lies at or below the prefix in every reading.
 * @param path - as for {@link readPath}, whose answer is `reading`
 * @param prefix - starts with `/`, no `/` at its end (the empty string is the prefix of everything)
 * @returns `differs` when the bytes lie below the prefix and some reading does not
 */
export function liesBelow(path: string, reading: PathReading, prefix: string): 'yes' | 'no' | 'differs' {
  if (!isAtOrBelow(path, prefix)) return 'no';
  return reading.certainDepth >= prefix.split('/').length - 1 ? 'yes' : 'differs';
}

/**
 * A path that no prefix claims has one open question: can it be read as a path of a zone? One that can be read in two ways
 * must not name a zone in any of its segments. Coarser than it needs to be, and honest paths do not come near.
 */
function readSitePath(path: string): PathReading {
  if (!MAY_DIFFER.test(path)) return PLAIN.site;
  const text = decodeFully(path);
  const ambiguous = text === null || namesZone(splitSegments(text));
  return { zone: 'site', ambiguous, certainDepth: certainDepthOf(path) };
}

function namesZone(segments: readonly string[]): boolean {
  const names = new Set(segments.map((segment) => segment.toLowerCase()));
  if (names.has('_matrix') || names.has('_synapse') || names.has('_dendrite')) return true;
  return names.has('.well-known') && names.has('matrix');
}

/**
 * The least number of leading segments that are left untouched by whatever follows, over all readings.
 *
 * A reading decides for each raw segment (between literal slashes) whether its encoded slashes and dots count. A segment that
 * holds k `..` in the most decoded reading pops at most k levels, and nothing in it is sure to push. Any other segment pushes
 * one level at least, unless some reading makes it empty or a dot.
 */
function certainDepthOf(path: string): number {
  const decoded = decodeFully(path.replaceAll('/', RAW_SLASH));
  if (decoded === null) return 0;
  let depth = 0;
  let certain = Infinity;
  for (const text of decoded.split(RAW_SLASH)) {
    const pops = splitSegments(text).filter((segment) => segment === '..').length;
    if (pops > 0) {
      depth = Math.max(0, depth - pops);
      certain = Math.min(certain, depth);
    } else if (pushesInEveryReading(text)) {
      depth += 1;
    }
  }
  return certain;
}

/** Only what stands before the first parameter counts: a reading may cut that off before it sees an encoded slash behind it. */
function pushesInEveryReading(text: string): boolean {
  return splitSegments(withoutParameters(text)).some((segment) => segment !== '' && segment !== '.');
}

function splitSegments(text: string): string[] {
  return text.split(/[/\\]/).map(withoutParameters);
}

function withoutParameters(text: string): string {
  const start = text.search(/[;?#]/);
  return start === -1 ? text : text.slice(0, start);
}

/** The most decoded reading; null when there is still something to decode after all rounds. */
function decodeFully(path: string): string | null {
  let text = path;
  for (let round = 0; round <= MAX_DECODES; round += 1) {
    const next = decodeOnce(text);
    if (next === text) return text;
    text = next;
  }
  return null;
}

/** One round of decoding, bytes as latin1 characters: percent, `%u00XX`, over-long UTF-8; control characters vanish. */
function decodeOnce(text: string): string {
  if (!text.includes('%')) return text;
  const bytes = text.replace(/%(?:u00)?([0-9a-f]{2})/gi, (_, hex: string) => BYTES[Number.parseInt(hex, 16)] ?? '');
  if (!NEEDS_CARE.test(bytes)) return bytes;
  return bytes
    .replace(OVERLONG_LOW, (_, last: string) => String.fromCharCode(last.charCodeAt(0) & 0x3f))
    .replace(OVERLONG_HIGH, (_, last: string) => String.fromCharCode(0x40 | (last.charCodeAt(0) & 0x3f)))
    .replace(CONTROL, '');
}
