/** Metrics of exchanges: how many, how long, how they ended, which limits they met. */
import type { Registry } from 'prom-client';
import { REQUEST_CLASSES } from '../base/request-class.ts';
import type { RequestClass } from '../base/request-class.ts';
import type { AccessEntry, Outcome } from './access-entry.ts';
import { defineFamily, DurationHistogram, LabelledCounter } from './metric-family.ts';

/** Calls of the exchange; none allocates when it counts what it has seen before. */
export interface RequestMetrics {
  /** An exchange has begun. */
  exchangeStarted(): void;
  /** It is over; once for each `exchangeStarted`. */
  exchangeFinished(): void;
  /** Counts what the access log writes. */
  requestFinished(entry: AccessEntry): void;
  /** A limit refused or cut something short; `code` as in docs/errors.md. */
  limitHit(code: string): void;
  /** A message broke off in the middle because this side went away. */
  truncated(side: 'client' | 'upstream'): void;
}

const STATUS_CLASSES = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'] as const;
const CLASS_ROW = Object.fromEntries(REQUEST_CLASSES.map((name, row) => [name, row])) as Record<RequestClass, number>;
const OUTCOME_ROW: Record<Outcome, number> = {
  complete: 0,
  client_gone: 1,
  upstream_gone: 2,
  timed_out: 3,
  refused: 4,
  tunnel: 5,
};
const OUTCOMES = Object.keys(OUTCOME_ROW);

/** @param knownLimitCodes - limit codes that are shown at zero before they are first met */
export function createRequestMetrics(registry: Registry, knownLimitCodes: readonly string[]): RequestMetrics {
  const classes = REQUEST_CLASSES.length;
  const statuses = new Float64Array(classes * STATUS_CLASSES.length);
  const outcomes = new Float64Array(classes * OUTCOMES.length);
  const bytesIn = new Float64Array(classes);
  const bytesOut = new Float64Array(classes);
  const durations = new DurationHistogram(REQUEST_CLASSES);
  const upstreamDurations = new DurationHistogram(REQUEST_CLASSES);
  const errors = new LabelledCounter();
  const limits = new LabelledCounter(knownLimitCodes);
  let inFlight = 0;
  let truncatedByClient = 0;
  let truncatedByUpstream = 0;

  defineFamily(registry, {
    name: 'portico_requests_total',
    type: 'counter',
    help: 'Exchanges that ended, by class of request and class of the status sent (none: no response began)',
    labels: ['class', 'status'],
    samples: () => table(statuses, STATUS_CLASSES, 'status'),
  });
  defineFamily(registry, {
    name: 'portico_request_outcomes_total',
    type: 'counter',
    help: 'How exchanges ended: complete, client_gone, upstream_gone, timed_out, refused, tunnel',
    labels: ['class', 'outcome'],
    samples: () => table(outcomes, OUTCOMES, 'outcome'),
  });
  defineFamily(registry, {
    name: 'portico_request_duration_seconds',
    type: 'histogram',
    help: 'Time from the first byte of the request to the last byte of the response; sync includes the long poll',
    labels: ['class'],
    samples: () => durations.samples('portico_request_duration_seconds', 'class'),
  });
  defineFamily(registry, {
    name: 'portico_upstream_response_seconds',
    type: 'histogram',
    help: 'Time from the request going upstream to the head of its response',
    labels: ['class'],
    samples: () => upstreamDurations.samples('portico_upstream_response_seconds', 'class'),
  });
  defineFamily(registry, {
    name: 'portico_request_body_bytes_total',
    type: 'counter',
    help: 'Body bytes received from clients',
    labels: ['class'],
    samples: () => table(bytesIn),
  });
  defineFamily(registry, {
    name: 'portico_response_body_bytes_total',
    type: 'counter',
    help: 'Body bytes sent to clients',
    labels: ['class'],
    samples: () => table(bytesOut),
  });
  defineFamily(registry, {
    name: 'portico_request_errors_total',
    type: 'counter',
    help: 'Exchanges that Portico itself answered or broke off, by stable error code (docs/errors.md)',
    labels: ['code'],
    samples: () => errors.samples('code'),
  });
  defineFamily(registry, {
    name: 'portico_limit_hits_total',
    type: 'counter',
    help: 'Limits that refused a request or cut it short, by stable error code (docs/errors.md)',
    labels: ['code'],
    samples: () => limits.samples('code'),
  });
  defineFamily(registry, {
    name: 'portico_requests_in_flight',
    type: 'gauge',
    help: 'Exchanges that have begun and not ended, long polls included',
    labels: [],
    samples: () => [{ labels: {}, value: inFlight }],
  });
  defineFamily(registry, {
    name: 'portico_truncated_messages_total',
    type: 'counter',
    help: 'Messages that broke off in the middle, by the side that went away (client, upstream)',
    labels: ['side'],
    samples: () => [
      { labels: { side: 'client' }, value: truncatedByClient },
      { labels: { side: 'upstream' }, value: truncatedByUpstream },
    ],
  });

  return {
    exchangeStarted: () => {
      inFlight++;
    },
    exchangeFinished: () => {
      inFlight--;
    },
    requestFinished: (entry) => {
      const row = CLASS_ROW[entry.requestClass];
      increment(statuses, row * STATUS_CLASSES.length + Math.min(5, Math.max(0, Math.floor(entry.status / 100))), 1);
      increment(outcomes, row * OUTCOMES.length + OUTCOME_ROW[entry.outcome], 1);
      increment(bytesIn, row, entry.bytesIn);
      increment(bytesOut, row, entry.bytesOut);
      durations.observe(row, entry.durationMs);
      if (entry.upstreamMs !== null) upstreamDurations.observe(row, entry.upstreamMs);
      if (entry.errorCode !== null) errors.add(entry.errorCode);
    },
    limitHit: (code) => {
      limits.add(code);
    },
    truncated: (side) => {
      if (side === 'client') truncatedByClient++;
      else truncatedByUpstream++;
    },
  };
}

function increment(values: Float64Array, at: number, amount: number): void {
  values[at] = (values[at] ?? 0) + amount;
}

/** Samples of a table with one row for each class; with columns, only the cells that were ever counted. */
function table(values: Float64Array, columns?: readonly string[], label = '') {
  if (columns === undefined)
    return REQUEST_CLASSES.map((name, at) => ({ labels: { class: name }, value: values[at] ?? 0 }));
  return REQUEST_CLASSES.flatMap((name, row) =>
    columns
      .map((column, at) => ({
        labels: { class: name, [label]: column },
        value: values[row * columns.length + at] ?? 0,
      }))
      .filter((sample) => sample.value > 0),
  );
}
