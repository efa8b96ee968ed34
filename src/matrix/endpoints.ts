/**
 * The endpoints of Matrix that need different patience, as data. docs/request-classes.md is printed from this table.
 *
 * Patterns: `{name}` stands for one segment, a trailing `/**` for the path itself and everything below it. `{version}` is
 * one segment, or the `api/v1` of Matrix before 1.0. GET covers HEAD. The most specific pattern wins: a literal segment
 * before a `{name}`, both before a `/**`, and a pattern whose method does not fit counts as absent.
 */
import type { RequestClass } from '../base/request-class.ts';

/** One line of the table. */
export interface EndpointRule {
  readonly method: 'GET' | 'POST' | 'PUT' | '*';
  readonly pattern: string;
  readonly requestClass: RequestClass;
  /** Why it is in this class. */
  readonly reason: string;
  /** Part of federation: a listener with `only: [federation]` relays it. */
  readonly federation: boolean;
}

type Line = readonly [method: EndpointRule['method'], pattern: string, reason: string];

const C = '/_matrix/client/{version}';
const F = '/_matrix/federation/{version}';
const ASKS_OTHERS = 'asks other servers before it answers';
const BACKFILLS = 'may fetch history from other servers first';
const WAITS_FOR_STATE = 'waits until a join in progress has the whole state';
const BIG_STATE = 'the state of a large room takes minutes to collect';

function rules(requestClass: RequestClass, federation: boolean, lines: readonly Line[]): EndpointRule[] {
  return lines.map(([method, pattern, reason]) => ({ method, pattern, requestClass, reason, federation }));
}

/** All rules; the order has no meaning. Source: Matrix 1.19 C-S and S-S, Synapse's docs/workers.md, the MSCs named. */
export const ENDPOINTS: readonly EndpointRule[] = [
  ...rules('sync', false, [
    ['*', `${C}/sync`, 'long poll'],
    ['*', '/_matrix/client/unstable/{prefix}/sync', 'long poll of sliding sync (MSC3575, MSC4186)'],
    ['GET', `${C}/events`, 'long poll of Matrix before 1.0'],
  ]),
  ...rules('join', false, [
    ['POST', `${C}/join/{room}`, 'a join of a large room takes minutes'],
    ['POST', `${C}/rooms/{room}/join`, 'a join of a large room takes minutes'],
    ['POST', `${C}/knock/{room}`, ASKS_OTHERS],
    ['POST', `${C}/rooms/{room}/knock`, ASKS_OTHERS],
    ['POST', `${C}/rooms/{room}/invite`, ASKS_OTHERS],
    ['POST', `${C}/rooms/{room}/leave`, ASKS_OTHERS],
    ['POST', `${C}/rooms/{room}/upgrade`, 'makes a room and moves its state'],
    ['POST', `${C}/createRoom`, 'invites everybody in its list before it answers'],
    ['GET', `${C}/initialSync`, 'collects the whole account; works for long instead of waiting'],
    ['GET', `${C}/rooms/{room}/initialSync`, WAITS_FOR_STATE],
    ['GET', `${C}/rooms/{room}/messages`, BACKFILLS],
    ['GET', `${C}/rooms/{room}/context/{event}`, BACKFILLS],
    ['GET', `${C}/rooms/{room}/timestamp_to_event`, BACKFILLS],
    ['GET', `${C}/rooms/{room}/hierarchy`, ASKS_OTHERS],
    ['GET', `${C}/rooms/{room}/members`, WAITS_FOR_STATE],
    ['GET', `${C}/rooms/{room}/joined_members`, WAITS_FOR_STATE],
    ['GET', `${C}/rooms/{room}/state`, WAITS_FOR_STATE],
    ['GET', `${C}/rooms/{room}/state/**`, WAITS_FOR_STATE],
  ]),
  ...rules('join', true, [
    ['GET', `${F}/make_join/**`, 'may wait for a join in progress of its own'],
    ['GET', `${F}/make_leave/**`, 'a peer waits for it to end a membership'],
    ['GET', `${F}/make_knock/**`, 'a peer waits for it to knock'],
    ['PUT', `${F}/send_join/**`, BIG_STATE],
    ['PUT', `${F}/send_leave/**`, 'authorises an event against the state of the room'],
    ['PUT', `${F}/send_knock/**`, 'authorises an event against the state of the room'],
    ['PUT', `${F}/invite/**`, 'carries room state, and peers give up on the user when it fails'],
    ['PUT', `${F}/exchange_third_party_invite/**`, ASKS_OTHERS],
    ['GET', `${F}/state/**`, BIG_STATE],
    ['GET', `${F}/state_ids/**`, BIG_STATE],
    ['GET', `${F}/event_auth/**`, 'the auth chain of an old room is long'],
    ['POST', `${F}/query_auth/**`, 'the auth chain of an old room is long'],
    ['GET', `${F}/backfill/**`, 'a hundred events and the checks on each'],
    ['POST', `${F}/get_missing_events/**`, 'walks the graph of a room'],
    ['GET', `${F}/timestamp_to_event/**`, BACKFILLS],
    ['GET', `${F}/hierarchy/**`, 'walks the tree of a space'],
  ]),
  ...rules('transaction', true, [
    [
      'PUT',
      `${F}/send/{transaction}`,
      'up to 50 events and 100 EDUs; the peer sends nothing else until it is answered',
    ],
  ]),
  ...rules('media_up', false, [
    ['POST', '/_matrix/media/{version}/upload', 'a file from a client'],
    ['PUT', '/_matrix/media/{version}/upload/{server}/{media}', 'a file for a URI made before'],
    ['PUT', '/_matrix/media/unstable/{prefix}/upload/{server}/{media}', 'a file for a URI made before (MSC2246)'],
    ['POST', '/_matrix/client/{version}/media/upload', 'a file from a client (MSC3911)'],
    ['PUT', '/_matrix/client/{version}/media/upload/{server}/{media}', 'a file for a URI made before (MSC3911)'],
    ['POST', '/_matrix/client/unstable/{prefix}/media/upload', 'a file from a client (MSC3911)'],
    [
      'PUT',
      '/_matrix/client/unstable/{prefix}/media/upload/{server}/{media}',
      'a file for a URI made before (MSC3911)',
    ],
  ]),
  ...rules('media_down', true, [
    ['GET', '/_matrix/media/{version}/download/**', 'a file, for clients and servers before Matrix 1.11'],
    ['GET', '/_matrix/media/{version}/thumbnail/**', 'an image, for clients and servers before Matrix 1.11'],
    ['GET', `${F}/media/download/{media}`, 'a file for another server'],
    ['GET', `${F}/media/thumbnail/{media}`, 'an image for another server'],
    ['GET', '/_matrix/federation/unstable/{prefix}/media/download/{media}', 'a file for another server (MSC3916)'],
    ['GET', '/_matrix/federation/unstable/{prefix}/media/thumbnail/{media}', 'an image for another server (MSC3916)'],
  ]),
  ...rules('media_down', false, [
    ['GET', `${C}/media/download/**`, 'a file; may be fetched from another server first'],
    ['GET', `${C}/media/thumbnail/**`, 'an image; may be fetched from another server first'],
    ['GET', '/_matrix/client/unstable/{prefix}/media/download/**', 'a file (MSC3916)'],
    ['GET', '/_matrix/client/unstable/{prefix}/media/thumbnail/**', 'an image (MSC3916)'],
  ]),
  ...rules('federation', true, [
    ['*', '/_matrix/federation/**', 'other requests of servers'],
    ['*', '/_matrix/key/**', 'signing keys, ours and those we are asked about'],
    ['*', '/_matrix/policy/**', 'policy servers sign events here'],
  ]),
  ...rules('client', false, [
    ['*', '/_matrix/client/**', 'other requests of clients'],
    ['*', '/_matrix/media/**', 'media requests that carry no file'],
    ['*', '/_matrix/**', 'everything else that homeservers serve'],
    ['*', '/_synapse/**', 'pages of Synapse for clients; the rest only where `expose` opens it'],
    ['*', '/_dendrite/**', 'only where `expose` opens it'],
  ]),
  ...rules('discovery', false, [['*', '/.well-known/matrix/**', 'discovery documents, answered by Portico']]),
  ...rules('site', false, [['*', '/**', 'the rest of the site']]),
];
