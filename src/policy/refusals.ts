/**
 * Every refusal and failure that Portico answers by itself, by code. The code is the log field and the metric label; the
 * sentence goes to the client and tells nothing about the inside.
 *
 * Mind the status (matrix.org homeservers' senders): a federation peer backs off from the whole server, for ten minutes and
 * doubling, on 401, 429 and everything from 500 up. What a single request did wrong is therefore always another 4xx, and a 429
 * is kept for those who are over a limit indeed. A 404 or 405 with `M_UNRECOGNIZED` makes peers and clients fall back to an older
 * endpoint, so it stands only where the method or path is not served at all (Matrix v1.19 S-S "Unsupported endpoints").
 */
import type { Refusal } from './decision.ts';

/** Methods that Portico relays; also the value of `Allow`. CONNECT and TRACE are not for a front door. */
export const RELAYED_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'] as const;

type Row = Omit<Refusal, 'code'>;

const ROWS = {
  /** The head does not follow RFC 9112; what follows it on the connection cannot be trusted. */
  BAD_REQUEST: row(400, 'M_UNKNOWN', 'The request does not follow the HTTP grammar.', { close: true }),
  /** Content-Length and Transfer-Encoding contradict each other or themselves (RFC 9112 §6.3). */
  BAD_FRAMING: row(400, 'M_UNKNOWN', 'The length of the request body is not stated clearly.', { close: true }),
  /** A body broke its own framing: bad chunk, or other than Content-Length said. */
  BAD_BODY: row(400, 'M_UNKNOWN', 'The request body does not follow its own framing.', { close: true }),
  /** A target with characters that RFC 9112 §3.2 does not allow: controls, spaces, bytes from 0x80 up, `#`, or `%00`. */
  TARGET_INVALID: row(400, 'M_UNKNOWN', 'The request target holds characters that are not allowed there.', {
    close: true,
  }),
  /** `GET https://host/path`: leaves two hosts to choose from. */
  TARGET_ABSOLUTE: row(400, 'M_UNKNOWN', 'The request target must be a path.', { close: true }),
  /** A target longer than the limit for targets. */
  TARGET_TOO_LONG: row(414, 'M_UNKNOWN', 'The request target is too long.', { close: true }),
  /** More bytes or fields in the head than the limits allow. */
  HEAD_TOO_LARGE: row(431, 'M_UNKNOWN', 'The request head is too large.', { close: true }),
  /** A method that is not relayed. */
  METHOD_UNKNOWN: row(405, 'M_UNRECOGNIZED', 'This method is not served here.', { allow: RELAYED_METHODS.join(', ') }),
  /** CONNECT: bytes behind it are meant for a tunnel that does not exist. */
  METHOD_CONNECT: row(405, 'M_UNRECOGNIZED', 'This server is not a forward proxy.', {
    allow: RELAYED_METHODS.join(', '),
    close: true,
  }),
  /** A method that a discovery document does not have. */
  METHOD_NOT_ALLOWED: row(405, 'M_UNRECOGNIZED', 'This document can only be read.', { allow: 'GET, HEAD, OPTIONS' }),
  /** GET or HEAD with a body: servers disagree on where the next request begins. */
  BODY_UNEXPECTED: row(400, 'M_UNKNOWN', 'GET and HEAD requests must not have a body.', { close: true }),
  /** Host is missing, doubled, or no `host[:port]`. */
  HOST_INVALID: row(400, 'M_UNKNOWN', 'The Host field is missing or not valid.', { close: true }),
  /** A Host that no site answers to. */
  HOST_UNKNOWN: row(421, 'M_UNRECOGNIZED', 'This host name is not served here.'),
  /** A Host that belongs to another site than the name the connection was opened for (RFC 9110 §7.4). */
  HOST_NOT_SNI: row(421, 'M_UNRECOGNIZED', 'This connection was opened for another host name.'),
  /** A path that a homeserver might read as one that is not open. */
  PATH_AMBIGUOUS: row(403, 'M_FORBIDDEN', 'This path can be read in more than one way.'),
  /** A path that is not open from outside. */
  PATH_CLOSED: row(403, 'M_FORBIDDEN', 'This path is not open.'),
  /** A path that this listener does not relay (`only: [federation]`). */
  PATH_NOT_FEDERATION: row(404, 'M_UNRECOGNIZED', 'Only federation requests are served on this port.'),
  /** A discovery document that this site does not have. */
  DOCUMENT_NOT_FOUND: row(404, 'M_NOT_FOUND', 'This site has no such document.'),
  /** A path below `/.well-known/acme-challenge/` on an `http` listener that no token can have. */
  CHALLENGE_PATH_INVALID: row(404, 'M_NOT_FOUND', 'There is no challenge at this path.'),
  /** The body is larger than its class allows. */
  BODY_TOO_LARGE: row(413, 'M_TOO_LARGE', 'The request body is too large.', { close: true }),
  /** The head or the body came too slowly. */
  REQUEST_TIMEOUT: row(408, 'M_UNKNOWN', 'The request took too long to arrive.', { close: true }),
  /** An `Expect` other than `100-continue` (RFC 9110 §10.1.1). */
  EXPECTATION_FAILED: row(417, 'M_UNKNOWN', 'This expectation cannot be met.', { close: true }),
  /** One address has too many requests in flight. */
  REQUESTS_PER_ADDRESS: row(429, 'M_LIMIT_EXCEEDED', 'Too many requests at once from this address.', {
    retryAfterSeconds: 2,
  }),
  /** The site has too many requests of this class in flight. */
  CLASS_CONCURRENCY: row(429, 'M_LIMIT_EXCEEDED', 'Too many requests of this kind at once.', { retryAfterSeconds: 2 }),
  /** No connection to the homeserver could be made. */
  UPSTREAM_UNREACHABLE: row(502, 'M_UNKNOWN', 'The homeserver cannot be reached.'),
  /** The homeserver answered something that is no HTTP response, or broke off before its head was complete. */
  UPSTREAM_INVALID: row(502, 'M_UNKNOWN', 'The homeserver gave no valid answer.'),
  /** The homeserver did not answer in the time its class allows. */
  UPSTREAM_TIMEOUT: row(504, 'M_UNKNOWN', 'The homeserver did not answer in time.'),
  /** All connections to the homeserver stayed busy for as long as a request may wait. */
  UPSTREAM_BUSY: row(503, 'M_UNKNOWN', 'The homeserver is busy.', { retryAfterSeconds: 5 }),
  /** A mistake of ours; the log has it under the request id. */
  INTERNAL: row(500, 'M_UNKNOWN', 'Something went wrong here.', { close: true }),
} as const;

/** The code of a refusal that Portico makes by itself; all are listed in docs/errors.md. */
export type RefusalCode = keyof typeof ROWS;

/** The refusal of each code; frozen, to be shared. */
export const REFUSALS: Readonly<Record<RefusalCode, Refusal>> = Object.freeze(
  Object.fromEntries(
    Object.entries(ROWS).map(([code, fields]) => [code, Object.freeze({ code, ...fields })]),
  ) as Record<RefusalCode, Refusal>,
);

function row(status: number, errcode: string, error: string, more: Partial<Row> = {}): Row {
  return { status, errcode, error, ...more };
}
