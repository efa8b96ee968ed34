/** Metrics of certificates by ACME: how attempts ended, what is wrong now, what is due, what is left of the CA's limits. */
import type { Registry } from 'prom-client';
import { defineFamily, LabelledCounter } from './metric-family.ts';

/** One planned certificate as it stands. */
export interface AcmeCertificateView {
  /** Its first name. */
  readonly name: string;
  /** When it is ordered next, milliseconds since the epoch; null when somebody must act first. */
  readonly nextAt: number | null;
  /** The CA's problem type, or our code, while the last attempt failed. */
  readonly problem: string | null;
  /** Start of the window that the CA suggested, milliseconds since the epoch. */
  readonly windowStart: number | null;
}

/** What is left of one limit of one CA, as far as it is known here. */
export interface AcmeLimitView {
  readonly issuer: string;
  readonly limit: string;
  readonly left: number;
}

/** How an attempt ended; `refused` by our own model of the CA's limits. */
export type AcmeOutcome = 'obtained' | 'failed' | 'refused';

/** Calls of the ACME side. */
export interface AcmeMetrics {
  acmeAttempted(outcome: AcmeOutcome): void;
  /** Says where the state is read at each scrape. */
  watchAcme(certificates: () => readonly AcmeCertificateView[], limits: () => readonly AcmeLimitView[]): void;
}

/** Of more certificates than this the rest is not shown one by one. */
const MAX_CERTIFICATES = 200;

/** Registers the families and returns their calls. */
export function createAcmeMetrics(registry: Registry): AcmeMetrics {
  const attempts = new LabelledCounter(['obtained', 'failed', 'refused']);
  let certificates: () => readonly AcmeCertificateView[] = () => [];
  let limits: () => readonly AcmeLimitView[] = () => [];
  const shown = (): readonly AcmeCertificateView[] => certificates().slice(0, MAX_CERTIFICATES);

  defineFamily(registry, {
    name: 'portico_acme_attempts_total',
    type: 'counter',
    help: 'Attempts to get a certificate by ACME, by how they ended (obtained, failed, refused: by our own model of the limits)',
    labels: ['outcome'],
    samples: () => attempts.samples('outcome'),
  });
  defineFamily(registry, {
    name: 'portico_acme_problem',
    type: 'gauge',
    help: 'Always 1; certificates whose last attempt failed, with the problem type of the CA or the stable code',
    labels: ['name', 'type'],
    samples: () =>
      shown().flatMap(({ name, problem }) => (problem === null ? [] : [{ labels: { name, type: problem }, value: 1 }])),
    aggregator: 'max',
  });
  defineFamily(registry, {
    name: 'portico_acme_next_attempt_timestamp_seconds',
    type: 'gauge',
    help: 'When a certificate is ordered or renewed next, seconds since the epoch; not there while somebody must act first',
    labels: ['name'],
    samples: () => seconds(shown(), ({ nextAt }) => nextAt),
    aggregator: 'max',
  });
  defineFamily(registry, {
    name: 'portico_acme_suggested_window_start_timestamp_seconds',
    type: 'gauge',
    help: 'Start of the renewal window that the CA suggested (ARI, RFC 9773), seconds since the epoch',
    labels: ['name'],
    samples: () => seconds(shown(), ({ windowStart }) => windowStart),
    aggregator: 'max',
  });
  defineFamily(registry, {
    name: 'portico_acme_limit_left',
    type: 'gauge',
    help: 'What is left of a limit of a CA, by our own count; the smallest over all names',
    labels: ['issuer', 'limit'],
    samples: () => limits().map(({ issuer, limit, left }) => ({ labels: { issuer, limit }, value: left })),
    aggregator: 'min',
  });

  return {
    acmeAttempted: (outcome) => {
      attempts.add(outcome);
    },
    watchAcme: (certificatesNow, limitsNow) => {
      certificates = certificatesNow;
      limits = limitsNow;
    },
  };
}

function seconds(views: readonly AcmeCertificateView[], of: (view: AcmeCertificateView) => number | null) {
  return views.flatMap((view) => {
    const at = of(view);
    return at === null ? [] : [{ labels: { name: view.name }, value: at / 1000 }];
  });
}
