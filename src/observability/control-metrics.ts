/** Metrics of the control plane: snapshots, reloads, certificates, and what the log had to drop. */
import type { Registry } from 'prom-client';
import { defineFamily, LabelledCounter } from './metric-family.ts';

/** How long a certificate's name is covered. */
export interface CertificateExpiry {
  /** DNS name or IP literal. */
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly notAfter: number;
  readonly source: 'files' | 'local_ca' | 'acme';
}

/** Calls of the control plane. */
export interface ControlMetrics {
  /** @param atMs - milliseconds since the epoch */
  snapshotSwapped(version: number, atMs: number): void;
  /** A new config was refused and the old one kept. */
  reloadFailed(code: string): void;
  /** Replaces the list; of more than 200 names the ones that expire last are shown as one, named `others`. */
  setCertificates(certificates: readonly CertificateExpiry[]): void;
  /** A look at one of our own ports after new certificates were swapped in, by its outcome. */
  selfDialed(outcome: 'match' | 'mismatch' | 'failed'): void;
  /** Lines of the access log that were dropped because their reader was too slow. */
  accessLogDropped(lines: number): void;
}

const MAX_CERTIFICATE_LABELS = 200;

/** Registers the families and returns their calls. */
export function createControlMetrics(registry: Registry): ControlMetrics {
  const reloadFailures = new LabelledCounter();
  const selfDials = new LabelledCounter(['match', 'mismatch', 'failed']);
  let snapshotVersion = 0;
  let swappedAtMs = 0;
  let droppedLines = 0;
  let certificates: { name: string; source: string; notAfter: number }[] = [];

  defineFamily(registry, {
    name: 'portico_snapshot_version',
    type: 'gauge',
    help: 'Version of the snapshot that serves; grows with every reload and renewed certificate',
    labels: [],
    samples: () => [{ labels: {}, value: snapshotVersion }],
    aggregator: 'min',
  });
  defineFamily(registry, {
    name: 'portico_snapshot_swapped_timestamp_seconds',
    type: 'gauge',
    help: 'When that snapshot began to serve, seconds since the epoch',
    labels: [],
    samples: () => [{ labels: {}, value: swappedAtMs / 1000 }],
    aggregator: 'min',
  });
  defineFamily(registry, {
    name: 'portico_reload_failures_total',
    type: 'counter',
    help: 'Reloads that were refused, the old config kept serving, by stable error code (docs/errors.md)',
    labels: ['code'],
    samples: () => reloadFailures.samples('code'),
  });
  defineFamily(registry, {
    name: 'portico_certificate_expiry_timestamp_seconds',
    type: 'gauge',
    help: 'When the certificate for a name expires, seconds since the epoch; name others: the first of those not listed',
    labels: ['name', 'source'],
    samples: () =>
      certificates.map(({ name, source, notAfter }) => ({ labels: { name, source }, value: notAfter / 1000 })),
    aggregator: 'min',
  });
  defineFamily(registry, {
    name: 'portico_self_dials_total',
    type: 'counter',
    help: 'Looks at our own ports after new certificates were swapped in (match, mismatch, failed: nothing was seen)',
    labels: ['outcome'],
    samples: () => selfDials.samples('outcome'),
  });
  defineFamily(registry, {
    name: 'portico_access_log_dropped_lines_total',
    type: 'counter',
    help: 'Lines of the access log that were dropped because their reader was too slow',
    labels: [],
    samples: () => [{ labels: {}, value: droppedLines }],
  });

  return {
    snapshotSwapped: (version, atMs) => {
      snapshotVersion = version;
      swappedAtMs = atMs;
    },
    reloadFailed: (code) => {
      reloadFailures.add(code);
    },
    setCertificates: (list) => {
      certificates = shownCertificates(list);
    },
    selfDialed: (outcome) => {
      selfDials.add(outcome);
    },
    accessLogDropped: (lines) => {
      droppedLines += lines;
    },
  };
}

/** One row a name and source (two rows with the same labels would make a scrape invalid), those that expire first in front. */
function shownCertificates(list: readonly CertificateExpiry[]) {
  const firstToExpire = new Map<string, CertificateExpiry>();
  for (const certificate of list.toSorted((a, b) => a.notAfter - b.notAfter)) {
    const key = `${certificate.source} ${certificate.name}`;
    if (!firstToExpire.has(key)) firstToExpire.set(key, certificate);
  }
  const all = [...firstToExpire.values()];
  const rest = all[MAX_CERTIFICATE_LABELS - 1];
  if (all.length <= MAX_CERTIFICATE_LABELS || rest === undefined) return all;
  return [...all.slice(0, MAX_CERTIFICATE_LABELS - 1), { name: 'others', source: 'any', notAfter: rest.notAfter }];
}
