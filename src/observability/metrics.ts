/**
 * All metrics of the process. Labels are bounded: classes, status classes, roles and stable codes, never paths, peers or
 * servers. docs/metrics.md lists every family.
 */
import { collectDefaultMetrics, Registry } from 'prom-client';
import { createAcmeMetrics } from './acme-metrics.ts';
import type { AcmeMetrics } from './acme-metrics.ts';
import { createConnectionMetrics } from './connection-metrics.ts';
import type { ConnectionMetrics } from './connection-metrics.ts';
import { createControlMetrics } from './control-metrics.ts';
import type { ControlMetrics } from './control-metrics.ts';
import { createDoctorMetrics } from './doctor-metrics.ts';
import type { DoctorMetrics } from './doctor-metrics.ts';
import { defineFamily } from './metric-family.ts';
import { createRequestMetrics } from './request-metrics.ts';
import type { RequestMetrics } from './request-metrics.ts';
import { createUpstreamMetrics } from './upstream-metrics.ts';
import type { UpstreamMetrics } from './upstream-metrics.ts';

/** What the parts of the process count, and the text of a scrape. Calls never throw. */
export interface Metrics
  extends RequestMetrics, ConnectionMetrics, UpstreamMetrics, ControlMetrics, AcmeMetrics, DoctorMetrics {
  /** For families of other parts. */
  readonly registry: Registry;
  /** Everything in Prometheus' text format 0.0.4. */
  render(): Promise<string>;
}

/** Options of {@link createMetrics}. */
export interface MetricsOptions {
  /** Portico's own version, for `portico_build_info`. */
  readonly version?: string;
  /** Limit codes that are shown at zero before they are first met. */
  readonly limitCodes?: readonly string[];
  /** Also memory, CPU, event-loop delay and garbage collection of the process (`process_*`, `nodejs_*`); default true. */
  readonly processMetrics?: boolean;
}

/** Creates the metrics of one process, in a registry of their own. */
export function createMetrics(options: MetricsOptions = {}): Metrics {
  const registry = new Registry();
  const version = options.version ?? 'unknown';
  defineFamily(registry, {
    name: 'portico_build_info',
    type: 'gauge',
    help: 'Always 1; says what runs',
    labels: ['version', 'node'],
    samples: () => [{ labels: { version, node: process.version }, value: 1 }],
    aggregator: 'first',
  });
  const metrics: Metrics = {
    ...createRequestMetrics(registry, options.limitCodes ?? []),
    ...createConnectionMetrics(registry),
    ...createUpstreamMetrics(registry),
    ...createControlMetrics(registry),
    ...createAcmeMetrics(registry),
    ...createDoctorMetrics(registry),
    registry,
    render: () => registry.metrics(),
  };
  if (options.processMetrics ?? true) collectDefaultMetrics({ register: registry });
  return metrics;
}
