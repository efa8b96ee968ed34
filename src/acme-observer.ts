/** What the manager and its orders tell, as log lines and metrics, and as lines for a person who watches. */
import type { AcmeObserver, CertificateEvent } from './acme/events.ts';
import type { OrderStep } from './acme/order.ts';
import type { Logger } from './observability/logger.ts';
import type { AcmeMetrics } from './observability/acme-metrics.ts';

export interface AcmeObserverDeps {
  readonly logger: Logger;
  readonly metrics: Pick<AcmeMetrics, 'acmeAttempted'>;
  /** Lines for a person at a terminal; null when nobody watches. */
  readonly progress: ((line: string) => void) | null;
}

/** Steps that a person may have to act on; the others are for debugging. */
const NOTABLE: ReadonlySet<OrderStep['step']> = new Set([
  'challenge-failed',
  'clean-up-failed',
  'replaces-dropped',
  'abandoned',
]);

/** Tells what happened to certificates. */
export function createAcmeObserver({ logger, metrics, progress }: AcmeObserverDeps): AcmeObserver {
  return {
    certificate: (event) => {
      if (event.kind === 'obtained' || event.kind === 'failed' || event.kind === 'refused') {
        metrics.acmeAttempted(event.kind);
      }
      logEvent(event, logger);
      const line = progress === null ? null : progressLine(event);
      if (line !== null) progress?.(`${event.names[0] ?? ''}: ${line}`);
    },
    problem: (problem) => {
      logger.error({ code: problem.code, fix: problem.fix, err: problem }, 'ACME: what was obtained stays in use');
    },
  };
}

/** Tells the steps of an order. */
export function logOrderStep({ error, ...step }: OrderStep, logger: Logger): void {
  const entry = error === undefined ? step : { ...step, code: error.code, fix: error.fix, err: error };
  if (NOTABLE.has(step.step)) logger.warn(entry, `ACME order: ${step.step}`);
  else logger.debug(entry, `ACME order: ${step.step}`);
}

function logEvent(event: CertificateEvent, logger: Logger): void {
  const { names } = event;
  switch (event.kind) {
    case 'adopted':
      logger.debug({ names, issuer: event.issuer, not_after: iso(event.notAfter) }, 'certificate found in the store');
      return;
    case 'ordering':
      logger.info(
        { names, issuer: event.issuer, profile: event.profile, replaces: event.replaces, attempt: event.attempt },
        'ordering a certificate',
      );
      return;
    case 'probing':
      logger.info({ names, issuer: event.issuer }, 'trying the order where failures cost nothing');
      return;
    case 'obtained':
      logger.info(
        { names, issuer: event.issuer, profile: event.profile, not_after: iso(event.notAfter) },
        'certificate obtained',
      );
      return;
    case 'failed': {
      const { code, type, message, fix, issuer } = event.problem;
      const next = Number.isFinite(event.next) ? iso(event.next) : null;
      logger.warn({ names, code, type, fix, issuer, failures: event.failures, next }, `no certificate: ${message}`);
      return;
    }
    case 'refused':
      logger.warn(
        { names, code: 'ACME_LIMIT', issuer: event.issuer, until: iso(event.until) },
        `not ordered: ${event.sentence}`,
      );
      return;
    case 'fallback':
      logger.warn({ names, from: event.from, to: event.to }, 'asking the next issuer');
      return;
    case 'waiting':
      logger.warn(
        {
          names,
          code: 'ACME_NAME_WITHOUT_ADDRESS',
          next: iso(event.next),
          fix: `Publish an A or AAAA record for ${event.name}, or use a DNS challenge.`,
        },
        `not ordered: ${event.name} has no address`,
      );
      return;
    case 'profile_dropped':
      logger.warn(
        { names, issuer: event.issuer, profile: event.profile, offered: event.offered },
        'the issuer no longer has the profile; its default is used',
      );
      return;
    case 'renewal_info':
      logger.debug(
        { names, issuer: event.issuer, start: iso(event.start), end: iso(event.end), why: event.explanationUrl },
        'the issuer suggests when to renew',
      );
      return;
    case 'renewal_info_failed':
      logger.debug({ names, issuer: event.issuer, code: event.problem.code }, event.problem.message);
      return;
    case 'expired':
      logger.error(
        {
          names,
          code: 'CERT_EXPIRED',
          not_after: iso(event.notAfter),
          fix: 'See `portico certs list` for why it could not be renewed.',
        },
        'an expired certificate is served, because there is no other',
      );
      return;
  }
}

/** Null for what a person who watches a first start need not know. */
function progressLine(event: CertificateEvent): string | null {
  switch (event.kind) {
    case 'ordering':
      return `ordering from ${event.issuer} …`;
    case 'obtained':
      return `obtained from ${event.issuer}, valid until ${iso(event.notAfter).slice(0, 10)}`;
    case 'failed':
      return `${event.problem.message}${event.problem.fix === null ? '' : ` ${event.problem.fix}`}${nextTry(event.next)}`;
    case 'refused':
      return `${event.sentence} (until ${iso(event.until)})`;
    case 'waiting':
      return `${event.name} has no address yet${nextTry(event.next)}`;
    case 'fallback':
      return `${event.from} did not issue, asking ${event.to}`;
    default:
      return null;
  }
}

function nextTry(at: number): string {
  return Number.isFinite(at) ? ` Next try at ${iso(at)}.` : ' Not tried again before `portico certs renew`.';
}

function iso(at: number): string {
  return new Date(at).toISOString();
}
