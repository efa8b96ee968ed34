/**
 * `limits`: what requests and connections may take. The defaults never cut a working homeserver; each reason stands in the
 * description. The shape mirrors `policy/class-limits.ts`.
 */
import { z } from 'zod';
import { REQUEST_CLASSES, type RequestClass } from '../../base/request-class.ts';
import { duration } from '../values/duration.ts';
import { integer } from '../values/scalar.ts';
import { size } from '../values/size.ts';

/** Defaults of one class, as written in YAML. */
interface ClassDefaults {
  readonly covers: string;
  readonly response_head: string;
  readonly response_idle: string;
  readonly request_idle: string;
  readonly max_body: string;
  readonly reason: string;
}

const CLASS_DEFAULTS: Readonly<Record<RequestClass, ClassDefaults>> = {
  sync: {
    covers: 'long polls: /sync and sliding sync',
    response_head: '90s',
    response_idle: '120s',
    request_idle: '30s',
    max_body: '1MiB',
    reason:
      'the time a request asks for with timeout=, plus 60 s, is waited when that is longer; raise it when first syncs of very large accounts are cut',
  },
  join: {
    covers: 'joins, knocks, invites and the state requests behind them, of clients and of peers',
    response_head: '600s',
    response_idle: '120s',
    request_idle: '30s',
    max_body: '16MiB',
    reason: 'joining a large room takes a homeserver many minutes, and a joined room is lost when the answer is',
  },
  transaction: {
    covers: 'PUT /_matrix/federation/v1/send',
    response_head: '180s',
    response_idle: '60s',
    request_idle: '30s',
    max_body: '16MiB',
    reason:
      'peers may send 50 PDUs and 100 EDUs, and Synapse takes 13,107,200 bytes: a smaller body limit loses messages',
  },
  media_up: {
    covers: 'uploads of media',
    response_head: '300s',
    response_idle: '120s',
    request_idle: '60s',
    max_body: '100MiB',
    reason:
      "phones upload over poor links, and large files are hashed and scaled before the answer; the homeserver's own limit is usually lower",
  },
  media_down: {
    covers: 'downloads and thumbnails, for clients and for peers',
    response_head: '180s',
    response_idle: '120s',
    request_idle: '30s',
    max_body: '64KiB',
    reason: 'remote media is fetched from another server before the first byte comes',
  },
  client: {
    covers: 'every other client request',
    response_head: '180s',
    response_idle: '120s',
    request_idle: '30s',
    max_body: '16MiB',
    reason: 'key uploads and account data are large, searches and room creation slow',
  },
  federation: {
    covers: 'every other federation and key request',
    response_head: '180s',
    response_idle: '120s',
    request_idle: '30s',
    max_body: '16MiB',
    reason: 'state and backfill of large rooms are slow; a peer gives up by itself after 60 s or later',
  },
  discovery: {
    covers: 'versions and the discovery documents',
    response_head: '30s',
    response_idle: '30s',
    request_idle: '30s',
    max_body: '64KiB',
    reason: 'peers give up after 10 to 30 s',
  },
  site: {
    covers: 'everything that the fallback relays',
    response_head: '60s',
    response_idle: '60s',
    request_idle: '30s',
    max_body: '100MiB',
    reason: 'the custom of web servers',
  },
};

const RATE_MAXIMUM = 1024 ** 3;

function classSection(defaults: ClassDefaults) {
  return z
    .strictObject(
      {
        response_head: duration().prefault(defaults.response_head).meta({
          description:
            "Longest wait for the response's head after the request was sent to the homeserver; 504 beyond. For sync, the request's own timeout + 60 s when that is longer.",
        }),
        response_idle: duration()
          .prefault(defaults.response_idle)
          .meta({ description: 'Longest silence within a response body; the connection is cut beyond.' }),
        request_idle: duration()
          .prefault(defaults.request_idle)
          .meta({ description: 'Longest silence within a request body; 408 beyond.' }),
        min_request_rate: size(0, RATE_MAXIMUM).prefault('240B').meta({
          description:
            'Slowest average a sender may have, per second, judged after the first 10 s of a body; 408 below. 0: any. 240 B/s is a tenth of a poor 2G link.',
        }),
        min_response_rate: size(0, RATE_MAXIMUM).prefault('240B').meta({
          description:
            'Slowest average at which a client may take a response, per second, judged over 30 s in which data was waiting for it; cut below. 0: any.',
        }),
        max_body: size()
          .prefault(defaults.max_body)
          .meta({ description: 'Largest request body; 413 M_TOO_LARGE beyond.' }),
        max_concurrent: z
          .union([integer(1, 1_000_000), z.null()], { error: 'a whole number from 1 to 1000000, or null' })
          .prefault(null)
          .meta({ description: 'Requests of this class in flight per site; 429 beyond. null: as many as come.' }),
      },
      { error: 'a map of limits' },
    )
    .prefault({})
    .meta({ description: `For ${defaults.covers}. Why the defaults: ${defaults.reason}.` });
}

/** One class section per class, keyed by it. */
type ClassShape = Record<RequestClass, ReturnType<typeof classSection>>;

const classes = z
  .strictObject(
    Object.fromEntries(REQUEST_CLASSES.map((name) => [name, classSection(CLASS_DEFAULTS[name])])) as ClassShape,
    { error: `a map with ${REQUEST_CLASSES.join(', ')}` },
  )
  .prefault({})
  .meta({ description: 'Limits per class of request; `portico explain METHOD PATH` tells the class of a request.' });

const COUNT = 1_000_000;

/** All limits. */
export const limitsSection = z
  .strictObject(
    {
      classes,
      connections_per_address: integer(1, COUNT).prefault(512).meta({
        description:
          'Open connections per client address (IPv6: per /64). High enough for an office or a carrier behind one address.',
      }),
      requests_per_address: integer(1, COUNT).prefault(512).meta({
        description: 'Requests in flight per client address (IPv6: per /64), long polls included; 429 beyond.',
      }),
      max_connections: integer(1, COUNT).prefault(20_000).meta({
        description: 'Open connections in all. Each takes about 50 kB, and a file descriptor.',
      }),
      max_handshakes: integer(1, COUNT)
        .prefault(256)
        .meta({ description: 'TLS handshakes in progress at one time; further connections are closed.' }),
      handshake: duration()
        .prefault('10s')
        .meta({ description: 'From the accepted connection to the end of its TLS handshake.' }),
      request_head: duration()
        .prefault('15s')
        .meta({ description: "From the first byte of a request's head to its last; 408 beyond." }),
      keep_alive: duration().prefault('75s').meta({
        description:
          'Silence on a connection between requests. Longer than the 30 s long polls of clients, so that a connection lives on.',
      }),
      max_head: size(1024, 1024 ** 2)
        .prefault('16KiB')
        .meta({ description: 'Largest request head; 431 beyond.' }),
      max_target: size(256, 1024 ** 2)
        .prefault('8KiB')
        .meta({ description: 'Longest request target (path and query); 414 beyond.' }),
      max_fields: integer(8, 10_000).prefault(100).meta({ description: 'Most fields in a request head; 431 beyond.' }),
      connect: duration().prefault('5s').meta({
        description: 'Longest wait for a connection to one address of a homeserver; the next address is tried beyond.',
      }),
      upstream_idle_connections: integer(0, COUNT).prefault(512).meta({
        description:
          'Idle connections kept per homeserver for the next requests. Below the number of requests that come at once, connections are closed and opened again all the time; what is kept needlessly goes after upstream_idle.',
      }),
      upstream_idle: duration().prefault('25s').meta({
        description:
          "How long an idle connection to a homeserver is kept. Must stay below the homeserver's own limit, which is 60 s in Synapse and none in Dendrite.",
      }),
      upstream_max_connections: integer(1, COUNT).prefault(10_000).meta({
        description:
          'Open connections to one homeserver; further requests wait. Every long poll occupies one, so this is about the number of clients that are online at one time.',
      }),
      queue: duration().prefault('10s').meta({
        description: 'How long a request waits for a connection to the homeserver before 503 with Retry-After.',
      }),
    },
    { error: 'a map of limits' },
  )
  .prefault({})
  .meta({
    description:
      'What requests and connections may take, by class of request and in all. Every refusal shows in the metrics.',
  });
