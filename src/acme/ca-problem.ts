/** Reads what went wrong with an attempt: an authority's problem document keeps its type, everything else its code. */
import { codeOf, messageOf, PorticoError } from '../base/errors.ts';
import type { AttemptProblem, Failure } from './attempts.ts';
import type { AcmeIdentifier } from './identifier.ts';

/** The part of an ACME problem that decides what happens next (RFC 8555 §6.7). */
export interface CaProblem {
  /** Without the URN. */
  readonly type: string;
  readonly detail: string;
  readonly retryAfterMs: number | null;
  readonly identifier: AcmeIdentifier | null;
  readonly subproblems: readonly { readonly type: string; readonly identifier: AcmeIdentifier | null }[];
}

/** What an authority says after it has looked at a name and not found the proof. */
const VALIDATION = new Set(['connection', 'dns', 'incorrectResponse', 'tls', 'unauthorized']);

/** Null: no authority said it. */
export function caProblemOf(error: unknown): CaProblem | null {
  if (!(error instanceof PorticoError) || !('type' in error) || !('detail' in error)) return null;
  const { type, detail, retryAfterMs, identifier, subproblems } = error as PorticoError & Partial<CaProblem>;
  if (typeof type !== 'string' || typeof detail !== 'string') return null;
  return {
    type,
    detail,
    retryAfterMs: retryAfterMs ?? null,
    identifier: identifier ?? null,
    subproblems: subproblems ?? [],
  };
}

/** Too much was asked, and time mends it; a pause is not such a case. */
export function isRateLimited(problem: CaProblem | null): problem is CaProblem {
  return problem?.type === 'rateLimited' && !isPaused(problem);
}

/** Names that the authority looked at in vain; it counts them. */
export function failedNames(problem: CaProblem | null): string[] {
  if (problem === null) return [];
  return [problem, ...problem.subproblems].flatMap(({ type, identifier }) =>
    VALIDATION.has(type) && identifier !== null ? [identifier.value] : [],
  );
}

/**
 * The failure to be kept.
 * @param issuer - its name; null when none was asked
 */
export function failureOf(error: unknown, issuer: string | null, now: number): Failure {
  const problem = caProblemOf(error);
  return {
    problem: problemOf(error, issuer, now),
    retryAfterMs: problem?.retryAfterMs ?? null,
    paused: problem !== null && isPaused(problem),
  };
}

/** The problem for people. */
export function problemOf(error: unknown, issuer: string | null, now: number): AttemptProblem {
  return {
    code: codeOf(error),
    type: caProblemOf(error)?.type ?? null,
    message: messageOf(error),
    fix: error instanceof PorticoError ? (error.fix ?? null) : null,
    at: now,
    issuer,
  };
}

/** Let's Encrypt pauses a name after more than a thousand failures; only a person can end that. */
function isPaused(problem: CaProblem): boolean {
  return problem.type === 'rateLimited' && /paus/i.test(problem.detail);
}
