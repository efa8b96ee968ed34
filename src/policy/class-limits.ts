/**
 * What each class of request may take, as plain data. Defaults and their reasons stand in the config schema; the table is
 * printed in docs/configuration.md.
 */
import type { RequestClass } from '../base/request-class.ts';

/** Limits of one class, as plain data. */
export interface ClassLimits {
  /** Longest wait for the response's head, after the request was sent upstream (ms). Sync adds the request's own `timeout`. */
  readonly responseHeadMs: number;
  /** Longest silence within a response body (ms). */
  readonly responseIdleMs: number;
  /** Longest silence within a request body (ms). */
  readonly requestIdleMs: number;
  /** Slowest average a sender may have, bytes per second, judged after the first 10 s of a body. */
  readonly minRequestRate: number;
  /** Slowest average at which a client may take a response, bytes per second, judged over 30 s in which data was waiting for it. */
  readonly minResponseRate: number;
  /** Largest request body in bytes. */
  readonly maxBodyBytes: number;
  /** Requests of this class in flight per site; null: as many as come. */
  readonly maxConcurrent: number | null;
}

/** Everything that is counted or timed, as plain data. */
export interface LimitsData {
  readonly classes: Readonly<Record<RequestClass, ClassLimits>>;
  /** Open connections per client address (IPv6: per /64). */
  readonly connectionsPerAddress: number;
  /** Requests in flight per client address (IPv6: per /64). */
  readonly requestsPerAddress: number;
  /** Open connections in all. */
  readonly maxConnections: number;
  /** TLS handshakes in progress at one time. */
  readonly maxHandshakes: number;
  /** From accept to the end of the handshake (ms). */
  readonly handshakeMs: number;
  /** From the first byte of a request head to its last (ms). */
  readonly requestHeadMs: number;
  /** Silence on a connection between requests (ms). */
  readonly keepAliveMs: number;
  /** Largest request head in bytes (431 beyond). */
  readonly maxHeadBytes: number;
  /** Longest request target in bytes (414 beyond). */
  readonly maxTargetBytes: number;
  /** Most fields in a request head (431 beyond). */
  readonly maxFields: number;
  /** Connect time-out for one address of an upstream (ms). */
  readonly connectMs: number;
  /** Idle upstream connections kept per upstream. */
  readonly upstreamIdleConnections: number;
  /** How long an idle upstream connection is kept (ms); below the homeserver's own. */
  readonly upstreamIdleMs: number;
  /** Open connections to one upstream; further requests wait. */
  readonly upstreamMaxConnections: number;
  /** How long a request waits for an upstream connection before 503 (ms). */
  readonly queueMs: number;
}
