/**
 * The data plane's own objects for one snapshot: router, certificate index, counters. Built whole, swapped whole; a
 * connection keeps the one it started with.
 */
import { createCidrSet } from '../base/cidr.ts';
import type { Clock } from '../base/clock.ts';
import type { AccessLogger } from '../observability/access-log.ts';
import type { Metrics } from '../observability/metrics.ts';
import { AddressCounter } from '../policy/address-limits.ts';
import { ConcurrencyCounter } from '../policy/concurrency.ts';
import type { ChallengeResponder } from '../tls/challenge-responder.ts';
import type { SecureContexts } from '../tls/contexts.ts';
import { createCertificateIndex, type CertificateIndex } from '../tls/select.ts';
import type { Counter, Plane } from './connection-context.ts';
import { createFieldRecogniser } from './field-names.ts';
import { createForwarding, isClientForwardingField, type PeerForwarding } from './forwarding.ts';
import { createRouter, type AnswerCanary } from './router.ts';
import type { Snapshot, UpstreamData } from './snapshot.ts';
import type { ReadBuffers } from './read-buffers.ts';
import type { Turn } from './turn.ts';
import type { UpstreamPools } from './upstream/pools.ts';

/** What outlives snapshots and is shared by all states of a data plane. */
export interface SharedParts {
  readonly clock: Clock;
  readonly turn: Turn;
  readonly buffers: ReadBuffers;
  readonly metrics: Metrics;
  readonly accessLog: Pick<AccessLogger, 'record'>;
  readonly contexts: SecureContexts;
  readonly pools: UpstreamPools;
  readonly counters: Counters;
  /** Knows the ACME challenges under way; null: there are none, ever. */
  readonly challenges: ChallengeResponder | null;
  /** Answers URI canaries; null: there are none. */
  readonly canary: AnswerCanary | null;
  nextRequestId(): string;
  httpDate(): string;
  defect(error: unknown): void;
  upstreamProblem(upstreamId: string, error: Error): void;
  isDraining(): boolean;
}

/** What is counted while snapshots come and go; the caps come from the snapshot. */
export class Counters {
  readonly connections = new AddressCounter();
  readonly requests = new AddressCounter();
  readonly handshakes = new AddressCounter();
  readonly classes = new ConcurrencyCounter();
  /** Open connections in all. */
  openConnections = 0;
}

/** The state of the data plane for one snapshot. */
export interface PlaneState {
  readonly snapshot: Snapshot;
  readonly index: CertificateIndex;
  readonly contexts: SecureContexts;
  readonly challenges: ChallengeResponder | null;
  readonly metrics: Metrics;
  readonly plane: Plane;
  /** Counts a connection; false when the address, or all together, have too many. */
  admit(address: string): boolean;
  leave(address: string): void;
  readonly handshakesPerAddress: Counter<[address: string]>;
  forwarding(address: string): PeerForwarding;
  /** The next response on every connection of this state is its last. */
  retire(): void;
}

/** Every upstream of a snapshot, but for the files servers. */
function upstreamsOf(snapshot: Snapshot): UpstreamData[] {
  return snapshot.sites.flatMap((site) => [
    site.homeserver,
    ...(site.federation === null ? [] : [site.federation]),
    ...(site.fallback.kind === 'proxy' ? [site.fallback.upstream] : []),
  ]);
}

/**
 * Builds the state of a snapshot.
 * @param filesUpstreams - where the files fallback of each directory is served from
 */
export function createPlaneState(
  snapshot: Snapshot,
  shared: SharedParts,
  filesUpstreams: ReadonlyMap<string, UpstreamData>,
): PlaneState {
  const { limits } = snapshot;
  const trusted = createCidrSet(snapshot.trustedProxies);
  const forwarding = createForwarding(snapshot.trustedProxies);
  const router = createRouter(snapshot, { filesUpstreams, challenges: shared.challenges, canary: shared.canary });
  const pool = shared.pools.use([...upstreamsOf(snapshot), ...filesUpstreams.values()], limits);
  const { counters } = shared;
  const connections = counters.connections.limitedTo(limits.connectionsPerAddress);
  // No single address can fill the room for handshakes.
  const handshakes = counters.handshakes.limitedTo(Math.max(8, Math.floor(limits.maxHandshakes / 4)));

  let retired = false;
  const plane: Plane = {
    clock: shared.clock,
    turn: shared.turn,
    buffers: shared.buffers,
    router,
    limits,
    metrics: shared.metrics,
    accessLog: shared.accessLog,
    concurrency: counters.classes.limitedTo(limits.classes),
    requestsPerAddress: counters.requests.limitedTo(limits.requestsPerAddress),
    requestFields: createFieldRecogniser(isClientForwardingField),
    pool,
    nextRequestId: () => shared.nextRequestId(),
    httpDate: () => shared.httpDate(),
    upstreamProblem: (upstreamId, error) => {
      shared.upstreamProblem(upstreamId, error);
    },
    defect: (error) => {
      shared.defect(error);
    },
    get draining() {
      return retired || shared.isDraining();
    },
  };

  return {
    snapshot,
    index: createCertificateIndex(snapshot.certificates, snapshot.defaultName),
    contexts: shared.contexts,
    challenges: shared.challenges,
    metrics: shared.metrics,
    plane,
    handshakesPerAddress: handshakes,
    admit: (address) => {
      if (counters.openConnections >= limits.maxConnections) {
        shared.metrics.limitHit('CONNECTIONS');
        return false;
      }
      // A trusted proxy brings many clients; they are counted by request.
      if (!trusted.has(address) && !connections.enter(address)) {
        shared.metrics.limitHit('CONNECTIONS_PER_ADDRESS');
        return false;
      }
      counters.openConnections++;
      return true;
    },
    leave: (address) => {
      counters.openConnections--;
      if (!trusted.has(address)) connections.leave(address);
    },
    forwarding: (address) => forwarding.forConnection(address),
    retire: () => {
      retired = true;
    },
  };
}
