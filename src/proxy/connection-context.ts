/**
 * What an exchange is given: the plane (one per snapshot, shared by all connections that started with it) and the facts of
 * its connection.
 */
import type { Clock } from '../base/clock.ts';
import type { RequestClass } from '../base/request-class.ts';
import type { AccessEntry } from '../observability/access-entry.ts';
import type { LimitsData } from '../policy/class-limits.ts';
import type { FieldRecogniser } from './field-names.ts';
import type { PeerForwarding } from './forwarding.ts';
import type { ConnectionFacts, Router } from './route.ts';
import type { UpstreamData } from './snapshot.ts';
import type { ReadBuffers } from './read-buffers.ts';
import type { Turn } from './turn.ts';
import type { UpstreamPool } from './upstream/pool.ts';

/** Counts of a key, with a cap. */
export interface Counter<Key extends unknown[]> {
  /** @returns false when the cap is reached; nothing is counted then */
  enter(...key: Key): boolean;
  leave(...key: Key): void;
}

/** The part of the metrics that exchanges feed. */
export interface ExchangeMetrics {
  exchangeStarted(): void;
  exchangeFinished(): void;
  requestFinished(entry: AccessEntry): void;
  limitHit(code: string): void;
  truncated(side: 'client' | 'upstream'): void;
  upstreamRetried(): void;
}

/** Everything exchanges share; made from one snapshot. */
export interface Plane {
  readonly clock: Clock;
  readonly turn: Turn;
  /** Where pieces of response bodies go when their bytes have left. */
  readonly buffers: ReadBuffers;
  readonly router: Router;
  readonly limits: LimitsData;
  readonly metrics: ExchangeMetrics;
  readonly accessLog: { record(entry: AccessEntry): void };
  /** Requests in flight by site and class. */
  readonly concurrency: Counter<[site: string, requestClass: RequestClass]>;
  /** Requests in flight by client address. */
  readonly requestsPerAddress: Counter<[address: string]>;
  /** Recognises request fields, forged forwarding fields included. */
  readonly requestFields: FieldRecogniser;
  pool(upstream: UpstreamData): UpstreamPool;
  nextRequestId(): string;
  /** The time as IMF-fixdate (RFC 9110 §5.6.7), made once a second. */
  httpDate(): string;
  /** A connection to an upstream could not be made; logged with bounds. */
  upstreamProblem(upstreamId: string, error: Error): void;
  /** An error that should not exist was caught; logged. */
  defect(error: unknown): void;
  /** The process is stopping, or the config has changed: answers close their connections. */
  readonly draining: boolean;
}

/** What the exchanges of one connection share. */
export interface ConnectionContext {
  readonly plane: Plane;
  readonly facts: ConnectionFacts;
  readonly forwarding: PeerForwarding;
  /** `TLSv1.3`, `TLSv1.2`, or null on plain HTTP. */
  readonly tls: string | null;
}
