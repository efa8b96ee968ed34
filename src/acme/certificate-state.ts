/** The state of a planned certificate, as people and programs see it. */
import type { AttemptProblem, AttemptState } from './attempts.ts';
import type { Entry } from './entry.ts';

/** One planned certificate as `portico certs list` shows it. */
export interface CertificateState {
  readonly id: string;
  readonly names: readonly string[];
  readonly source: 'acme';
  /** Null as long as there is no certificate, and of an imported one whose authority is not known. */
  readonly issuer: string | null;
  readonly profile: string | null;
  /** ISO 8601. */
  readonly not_after: string | null;
  /** With one decimal; negative when it has expired. */
  readonly days_left: number | null;
  /** ISO 8601; null when nothing is planned before somebody acts. */
  readonly next_renewal: string | null;
  readonly reason: string;
  readonly last_problem: (Omit<AttemptProblem, 'at'> & { readonly at: string }) | null;
  /** Failures in a row. */
  readonly failures: number;
  readonly under_way: boolean;
  readonly renewal_info: { readonly start: string; readonly end: string; readonly url: string | null } | null;
}

const DAY = 24 * 60 * 60 * 1000;

/** When something is due, and why then. */
export interface Due {
  readonly at: number;
  readonly reason: string;
}

/** @param now - milliseconds since the epoch */
export function certificateState(entry: Entry, attempts: AttemptState | null, due: Due, now: number): CertificateState {
  const { held, ari, running } = entry;
  const problem = attempts?.problem ?? null;
  return {
    id: entry.plan.id,
    names: entry.plan.names,
    source: 'acme',
    issuer: held?.issuerName ?? null,
    profile: held?.profile ?? null,
    not_after: held === null ? null : isoTime(held.certificate.notAfter),
    days_left: held === null ? null : Math.round(((held.certificate.notAfter - now) / DAY) * 10) / 10,
    next_renewal: isoTime(due.at),
    reason: due.reason,
    last_problem: problem === null ? null : { ...problem, at: isoTime(problem.at) ?? '' },
    failures: attempts?.failures ?? 0,
    under_way: running?.ordering ?? false,
    renewal_info:
      ari === null ? null : { start: isoTime(ari.start) ?? '', end: isoTime(ari.end) ?? '', url: ari.explanationUrl },
  };
}

/** Null for what no date can hold. */
function isoTime(at: number): string | null {
  return Number.isFinite(at) && Math.abs(at) <= 8.64e15 ? new Date(at).toISOString() : null;
}
