/** The pools of all upstreams. A pool outlives a snapshot when the next one has the same upstream. */
import type { Clock } from '../../base/clock.ts';
import type { LimitsData } from '../../policy/class-limits.ts';
import type { UpstreamData } from '../snapshot.ts';
import type { UpstreamMeans } from './connection.ts';
import { createDialler } from './dial.ts';
import { UpstreamPool, type PoolEvent } from './pool.ts';

/** What pools are made with. */
export interface UpstreamPoolsOptions {
  readonly clock: Clock;
  readonly means: UpstreamMeans;
  readonly onEvent: (upstreamId: string, event: PoolEvent) => void;
  /** See `PoolOptions`. */
  readonly onWait: () => void;
  readonly onWaitOver: (waitedMs: number) => void;
}

/** All pools of the data plane. */
export class UpstreamPools {
  readonly #options: UpstreamPoolsOptions;
  /** By the upstream's data, since equal data means the same connections. */
  #pools = new Map<string, UpstreamPool>();

  constructor(options: UpstreamPoolsOptions) {
    this.#options = options;
  }

  /**
   * Makes pools for the upstreams of a snapshot and lets go of those it does not have.
   * @returns finds the pool of an upstream of that snapshot
   */
  use(upstreams: readonly UpstreamData[], limits: LimitsData): (upstream: UpstreamData) => UpstreamPool {
    const pools = new Map<string, UpstreamPool>();
    const byUpstream = new Map<UpstreamData, UpstreamPool>();
    for (const upstream of upstreams) {
      const key = JSON.stringify([
        upstream,
        limits.connectMs,
        limits.upstreamIdleConnections,
        limits.upstreamIdleMs,
        limits.upstreamMaxConnections,
      ]);
      const pool = pools.get(key) ?? this.#pools.get(key) ?? this.#create(upstream, limits);
      pools.set(key, pool);
      byUpstream.set(upstream, pool);
    }
    for (const [key, pool] of this.#pools) if (!pools.has(key)) pool.close();
    this.#pools = pools;
    return (upstream) => {
      const pool = byUpstream.get(upstream);
      if (pool === undefined) throw new Error(`no pool for upstream ${upstream.id}`);
      return pool;
    };
  }

  /** Drops connections that have been idle too long. */
  sweep(): void {
    for (const pool of this.#pools.values()) pool.sweep();
  }

  close(): void {
    for (const pool of this.#pools.values()) pool.close();
  }

  #create(upstream: UpstreamData, limits: LimitsData): UpstreamPool {
    return new UpstreamPool({
      dialler: createDialler(upstream, this.#options.means, limits.connectMs),
      clock: this.#options.clock,
      maxIdle: limits.upstreamIdleConnections,
      idleMs: limits.upstreamIdleMs,
      maxConnections: limits.upstreamMaxConnections,
      onWait: this.#options.onWait,
      onWaitOver: this.#options.onWaitOver,
      onEvent: (event) => {
        this.#options.onEvent(upstream.id, event);
      },
    });
  }
}
