/**
 * Requests with every spelling that a relay is tempted to tidy up. Each goes to a homeserver through Portico and straight,
 * byte for byte the same; what is compared is the answer, so a vector that the homeserver itself refuses is as good as any.
 */

/** What the vectors are about, on the homeserver under test. */
export interface Subject {
  /** Server name of the homeserver, `localhost:PORT`. */
  readonly destination: string;
  readonly origin: string;
  /** A user with `/ + = .` in its name and a display name. */
  readonly userId: string;
  /** Aliases that exist: with `/ + = .` and a literal `%2F`; and with characters beyond ASCII. */
  readonly slashAlias: string;
  readonly unicodeAlias: string;
  readonly roomId: string;
  /** An event id of room version 3 that holds `/` and `+`. */
  readonly eventId: string;
}

/** Makes the header lines of the Authorization field. */
export type AuthorizationForm = (parameters: SignedParameters) => readonly string[];

/** The parameters of a signed request, before they are spelled. */
export interface SignedParameters {
  readonly origin: string;
  readonly destination: string;
  readonly key: string;
  readonly sig: string;
}

/** One request. */
export interface Vector {
  readonly name: string;
  readonly method?: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  /** The request target, sent as it stands. */
  readonly target: string;
  /** Parsed JSON that is signed; `body` is what is sent. */
  readonly content?: unknown;
  /** Bytes of the body where they are not `JSON.stringify(content)`. */
  readonly body?: string;
  readonly chunked?: boolean;
  /** Left out: one field in the usual form. */
  readonly authorization?: AuthorizationForm;
  /** Header lines added as they stand. */
  readonly fields?: readonly string[];
  /** Homeservers that refuse this spelling, with 400 or 401, also when they are asked directly. */
  readonly refusedBy?: readonly ('synapse' | 'dendrite')[];
}

const usual: AuthorizationForm = ({ origin, destination, key, sig }) => [
  `Authorization: X-Matrix origin="${origin}",destination="${destination}",key="${key}",sig="${sig}"`,
];

/** A spelling of the Authorization field, and the homeservers that do not take it for a signature, whoever relays it. */
interface Spelling {
  readonly lines: AuthorizationForm;
  readonly refusedBy?: Vector['refusedBy'];
}

const BOTH = ['synapse', 'dendrite'] as const;

/** Spellings of the Authorization field (RFC 9110 §11.4; Matrix S-S "Request Authentication"). */
const SPELLINGS: Readonly<Record<string, Spelling>> = {
  'in the usual form': { lines: usual },
  'field name in odd case': { lines: (p) => usual(p).map((line) => line.replace('Authorization', 'aUTHORIZATION')) },
  'parameters in another order, one unknown': {
    lines: ({ origin, destination, key, sig }) => [
      `Authorization: X-Matrix sig="${sig}",key="${key}",future="x y",destination="${destination}",origin="${origin}"`,
    ],
  },
  'spaces and tabs round the commas': {
    lines: ({ origin, destination, key, sig }) => [
      `Authorization: X-Matrix origin="${origin}" , destination="${destination}"\t,\tkey="${key}", sig="${sig}"`,
    ],
  },
  'unquoted values': {
    lines: ({ origin, destination, key, sig }) => [
      `Authorization: X-Matrix origin=${origin},destination=${destination},key=${key},sig=${sig}`,
    ],
  },
  'two spaces after the scheme': { lines: (p) => usual(p).map((line) => line.replace('X-Matrix ', 'X-Matrix  ')) },
  'scheme in lower case': {
    lines: (p) => usual(p).map((line) => line.replace('X-Matrix', 'x-matrix')),
    refusedBy: BOTH,
  },
  'parameter names in upper case': {
    lines: (p) => usual(p).map((line) => line.replaceAll(/(origin|key|sig)=/g, (name) => name.toUpperCase())),
    refusedBy: ['dendrite'],
  },
  'padded signature': { lines: (p) => usual({ ...p, sig: `${p.sig}==` }), refusedBy: ['dendrite'] },
  'escaped characters in a quoted string': {
    lines: (p) => usual({ ...p, key: p.key.replace('test', String.raw`te\st`) }),
    refusedBy: ['dendrite'],
  },
  'no destination': {
    lines: ({ origin, key, sig }) => [`Authorization: X-Matrix origin="${origin}",key="${key}",sig="${sig}"`],
  },
  'another destination': { lines: (p) => usual({ ...p, destination: 'elsewhere.example' }), refusedBy: BOTH },
  'two fields, the first of another scheme': { lines: (p) => ['Authorization: Bearer nonsense', ...usual(p)] },
  'two fields, the second of another key': {
    lines: (p) => [...usual(p), `Authorization: X-Matrix origin="${p.origin}",key="ed25519:other",sig="${p.sig}"`],
  },
  'a signature that is not ours': {
    lines: (p) => usual({ ...p, sig: p.sig.replace(/^./, (first) => (first === 'A' ? 'B' : 'A')) }),
    refusedBy: BOTH,
  },
  'no field at all': { lines: () => [], refusedBy: BOTH },
};

const lower = (text: string): string => text.replaceAll(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase());
/** Every byte escaped, also those that need not be. */
const escapeAll = (text: string): string =>
  [...Buffer.from(text)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');

/** All requests, for one homeserver. */
export function fidelityVectors(subject: Subject): Vector[] {
  const F = '/_matrix/federation/v1';
  const encoded = encodeURIComponent;
  const profile = (user: string): string => `${F}/query/profile?user_id=${user}`;
  const directory = (alias: string): string => `${F}/query/directory?room_alias=${alias}`;
  const user = encoded(subject.userId);
  const transaction = (name: string): string => `${F}/send/${name}`;
  const empty = { origin: subject.origin, origin_server_ts: 1_700_000_000_000, pdus: [], edus: [] };
  return [
    // Escapes of the path.
    { name: 'user with %2F %2B %3D in the path', target: `${F}/user/devices/${user}` },
    { name: 'user escaped in lower case', target: `${F}/user/devices/${lower(user)}` },
    { name: 'user with every byte escaped', target: `${F}/user/devices/${escapeAll(subject.userId)}` },
    {
      name: 'user with raw + = @ : and only / escaped',
      target: `${F}/user/devices/${subject.userId.replaceAll('/', '%2F')}`,
    },
    { name: 'user with a raw slash', target: `${F}/user/devices/${subject.userId}` },
    { name: 'user escaped twice', target: `${F}/user/devices/${encoded(user)}` },
    { name: 'event id with / and + escaped', target: `${F}/event/${encoded(subject.eventId)}` },
    { name: 'event id with + and $ raw', target: `${F}/event/${subject.eventId.replaceAll('/', '%2f')}` },
    {
      name: 'room and event in path and query',
      target: `${F}/state_ids/${encoded(subject.roomId)}?event_id=${encoded(subject.eventId)}`,
    },
    { name: 'escapes of letters in fixed parts', target: `${F}/qu%65ry/pro%66ile?user_id=${user}` },
    { name: '%7e and %7E', target: `${F}/user/devices/%7e%7E~` },
    { name: '%20 and + in the path', target: `${F}/user/devices/a%20b+c` },
    { name: '%25 followed by digits', target: `${F}/user/devices/%252F%2525` },
    { name: 'control characters, escaped', target: `${F}/user/devices/%01%0d%0a%7f` },
    { name: 'bytes that are not UTF-8, escaped', target: `${F}/user/devices/%ff%C0%AF%ed%a0%80` },
    { name: 'escapes beyond ASCII', target: `${F}/user/devices/%E2%82%AC%F0%9F%98%80%e6%97%a5` },
    { name: 'sub-delimiters raw', target: `${F}/user/devices/!$&'()*+,;=:@` },
    { name: 'raw { } | ^ `', target: `${F}/user/devices/{}|^\``, refusedBy: ['dendrite'] },
    { name: 'raw " < >', target: `${F}/user/devices/"<>"`, refusedBy: ['dendrite'] },
    { name: 'raw backslash', target: String.raw`${F}/user/devices/a\b`, refusedBy: ['dendrite'] },
    { name: 'raw [ ]', target: `${F}/user/devices/[::1]` },
    // Slashes and dots.
    { name: 'double slash inside', target: `${F}//version` },
    { name: 'double slash near the front', target: '/_matrix//federation/v1/version' },
    { name: 'trailing slash', target: `${F}/version/` },
    { name: 'trailing slash after a user', target: `${F}/user/devices/${user}/` },
    { name: 'single dot segment', target: `${F}/./version` },
    { name: 'double dot segment that stays inside', target: `${F}/user/../version` },
    { name: 'escaped dot segments', target: `${F}/user/%2e%2E/version` },
    { name: 'dots at the end', target: `${F}/user/devices/..` },
    { name: 'double slashes and dots as data', target: `${F}/user/devices/a//b/../c` },
    { name: 'semicolon parameters', target: `${F}/version;x=1` },
    // The query.
    { name: 'empty query', target: `${F}/version?` },
    { name: 'query of question marks and ampersands', target: `${F}/version???&&=&` },
    { name: 'profile, upper-case escapes', target: profile(user) },
    { name: 'profile, lower-case escapes', target: profile(lower(user)) },
    { name: 'profile, nothing escaped but +', target: profile(subject.userId.replaceAll('+', '%2B')) },
    { name: 'profile, + raw, which is a space', target: profile(subject.userId) },
    { name: 'profile, order and repetition', target: `${profile(user)}&field=displayname&b=2&a=1&b=3` },
    { name: 'profile, field first', target: `${F}/query/profile?field=displayname&user_id=${user}` },
    { name: 'alias with literal %2F', target: directory(encoded(subject.slashAlias)) },
    { name: 'alias, every byte escaped', target: directory(escapeAll(subject.slashAlias)) },
    { name: 'alias beyond ASCII', target: directory(encoded(subject.unicodeAlias)) },
    { name: 'alias beyond ASCII, lower case', target: directory(lower(encoded(subject.unicodeAlias))) },
    { name: 'space as + and as %20', target: directory('%23a+b%20c%3Aelsewhere.example') },
    { name: 'quotes and apostrophes in the query', target: directory(`%23it's%3A${encoded(subject.destination)}`) },
    { name: 'raw " < > { } | ^ ` in the query', target: directory('%23"<>{}|^`%3Aelsewhere.example') },
    { name: 'raw / ? : @ [ ] in the query', target: directory('%23a/b?c:@[]%3Aelsewhere.example') },
    { name: 'semicolon in the query', target: `${directory(encoded(subject.slashAlias))};x=1` },
    { name: 'an incomplete escape in the query', target: directory('%23a%2') },
    { name: 'a query of 7 kB', target: `${profile(user)}&padding=${'%C3%A4x~'.repeat(900)}` },
    // Methods and bodies.
    { name: 'HEAD', method: 'HEAD', target: `${F}/version` },
    { name: 'a method the endpoint does not have', method: 'DELETE', target: `${F}/version` },
    { name: 'an endpoint that does not exist', target: `${F}/nonsense/%2F%25` },
    { name: 'the key document', target: '/_matrix/key/v2/server' },
    { name: 'the key document by key id', target: '/_matrix/key/v2/server/ed25519%3Aa_1' },
    { name: 'transaction id with escapes', method: 'PUT', target: transaction('a%2Fb%25c%20d~'), content: empty },
    {
      name: 'transaction id with sub-delimiters',
      method: 'PUT',
      target: transaction("a!$'()*+,;=:@b"),
      content: empty,
    },
    {
      name: 'a body spelled its own way',
      method: 'PUT',
      target: transaction('spelled'),
      content: { ...empty, note: 'a/b é 😀 \u007f "q"', number: 1 },
      body: ` {"pdus":[ ],\r\n"edus":[],"origin":"${subject.origin}","number":1,\t"note":"a\\/b \\u00e9 \\ud83d\\ude00 \u007f \\"q\\"","origin_server_ts":1700000000000} `,
    },
    { name: 'a chunked body', method: 'PUT', target: transaction('chunked'), content: empty, chunked: true },
    {
      name: 'a POST with a query',
      method: 'POST',
      target: `${F}/user/keys/query?`,
      content: { device_keys: { [subject.userId]: [] } },
    },
    {
      name: 'a body that is no JSON',
      method: 'PUT',
      target: transaction('broken'),
      content: empty,
      body: '{"pdus":[',
      refusedBy: BOTH,
    },
    // Fields.
    {
      name: 'fields in odd case and with odd space',
      target: profile(user),
      fields: ['aCCept:*/*', 'X-Odd: \t a  b \t', 'X-Empty:'],
    },
    {
      name: 'a content type with parameters',
      method: 'PUT',
      target: transaction('typed'),
      content: empty,
      fields: ['Content-Type: text/plain; charset="utf-8"'],
      refusedBy: ['dendrite'],
    },
    ...Object.entries(SPELLINGS).map(([name, { lines, refusedBy }]): Vector => ({
      name: `Authorization: ${name}`,
      target: profile(user),
      authorization: lines,
      ...(refusedBy && { refusedBy }),
    })),
  ];
}

/** The field in its usual form. */
export const usualAuthorization = usual;
