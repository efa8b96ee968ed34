/** Metrics of the connections to upstreams. */
import type { Registry } from 'prom-client';
import { defineFamily, DurationHistogram } from './metric-family.ts';

/** What happens to an upstream connection; `reused` counts requests that found an idle one. */
export type UpstreamConnectionEvent = 'opened' | 'closed' | 'reused' | 'failed';

/** Calls of the upstream pool. */
export interface UpstreamMetrics {
  /** @param upstreamId - `UpstreamData.id` */
  upstreamConnection(upstreamId: string, event: UpstreamConnectionEvent): void;
  /** A request was sent a second time, after the first attempt was known to have had no effect. */
  upstreamRetried(): void;
  /** A request began to wait for a connection because the upstream has as many as it may have. */
  upstreamWaitStarted(): void;
  /** The wait ended, with a connection or without; once for each `upstreamWaitStarted`. */
  upstreamWaitFinished(waitedMs: number): void;
}

const EVENTS = ['opened', 'closed', 'reused', 'failed'] as const;
/** Ids come from the config; old ones stay after a reload, so they are bounded. */
const MAX_UPSTREAMS = 256;
const OTHER = 'other';

type Row = Record<UpstreamConnectionEvent, number>;

/** Registers the families and returns their calls. */
export function createUpstreamMetrics(registry: Registry): UpstreamMetrics {
  const rows = new Map<string, Row>();
  const waits = new DurationHistogram(['']);
  let retries = 0;
  let waiting = 0;

  const addRow = (id: string): Row => {
    const key = rows.size < MAX_UPSTREAMS ? id : OTHER;
    const row = rows.get(key) ?? { opened: 0, closed: 0, reused: 0, failed: 0 };
    rows.set(key, row);
    return row;
  };

  defineFamily(registry, {
    name: 'portico_upstream_connections',
    type: 'gauge',
    help: 'Open connections to an upstream',
    labels: ['upstream'],
    samples: () => [...rows].map(([upstream, row]) => ({ labels: { upstream }, value: row.opened - row.closed })),
  });
  defineFamily(registry, {
    name: 'portico_upstream_connection_events_total',
    type: 'counter',
    help: 'Connections to an upstream that were opened, closed, reused for a request, or could not be made (failed)',
    labels: ['upstream', 'event'],
    samples: () =>
      [...rows].flatMap(([upstream, row]) =>
        EVENTS.map((event) => ({ labels: { upstream, event }, value: row[event] })),
      ),
  });
  defineFamily(registry, {
    name: 'portico_upstream_retries_total',
    type: 'counter',
    help: 'Requests sent a second time after an attempt that had no effect',
    labels: [],
    samples: () => [{ labels: {}, value: retries }],
  });
  defineFamily(registry, {
    name: 'portico_upstream_waiting',
    type: 'gauge',
    help: 'Requests that wait for a connection to an upstream',
    labels: [],
    samples: () => [{ labels: {}, value: waiting }],
  });
  defineFamily(registry, {
    name: 'portico_upstream_wait_seconds',
    type: 'histogram',
    help: 'How long requests waited for a connection to an upstream; those that did not wait are not counted',
    labels: [],
    samples: () => waits.samples('portico_upstream_wait_seconds', null),
  });

  return {
    upstreamConnection: (upstreamId, event) => {
      const row = rows.get(upstreamId) ?? addRow(upstreamId);
      row[event]++;
    },
    upstreamRetried: () => {
      retries++;
    },
    upstreamWaitStarted: () => {
      waiting++;
    },
    upstreamWaitFinished: (waitedMs) => {
      waiting--;
      waits.observe(0, waitedMs);
    },
  };
}
