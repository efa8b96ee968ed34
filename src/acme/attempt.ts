/**
 * One attempt to obtain one certificate: the authorities in order of preference, each within its budget, the preferred one
 * alone at first, since a second authority means another chain and maybe another trust.
 */
import type { Clock } from '../base/clock.ts';
import { messageOf, PorticoError } from '../base/errors.ts';
import type { Failure } from './attempts.ts';
import type { BudgetQuestion, BudgetRefusal, IssuerBudget } from './budget.ts';
import { caProblemOf, failedNames, failureOf, isRateLimited } from './ca-problem.ts';
import type { ChallengeType } from './challenge.ts';
import type { CertificateEvent } from './events.ts';
import type { Issuer, IssuerSession } from './issuing.ts';
import type { OrderRequest, OrderResult } from './order.ts';
import type { PlannedCertificate } from './planned-certificates.ts';
import type { StoredCertificate } from './stored-certificates.ts';

/** What is to be obtained. */
export interface AttemptTask {
  readonly plan: PlannedCertificate;
  readonly challenges: ReadonlyMap<string, readonly ChallengeType[]>;
  readonly keyType: OrderRequest['keyType'];
  /** The certificate in use. */
  readonly held: StoredCertificate | null;
  /** ARI identifier of `held` when its authority gives renewal information for it; else null. */
  readonly replaces: string | null;
  /** Failures in a row before this attempt. */
  readonly failures: number;
}

export interface AttemptDeps {
  readonly issuers: readonly Issuer[];
  readonly clock: Clock;
  budgetOf(issuer: Issuer): IssuerBudget;
  /** The issuer's session, opened at most once at a time. */
  session(issuer: Issuer, signal: AbortSignal): Promise<IssuerSession>;
  /** False: the cause lies with the name or this machine, so that others would refuse as well. */
  mayTryNextIssuer(error: unknown): boolean;
  tell(event: CertificateEvent): void;
}

export type AttemptOutcome =
  | {
      readonly kind: 'issued';
      readonly result: OrderResult;
      readonly issuer: Issuer;
      readonly session: IssuerSession;
      readonly askedProfile: string | null;
    }
  | { readonly kind: 'failed'; readonly failure: Failure }
  /** Nothing was asked of anybody. */
  | { readonly kind: 'refused'; readonly until: number; readonly sentence: string }
  | { readonly kind: 'aborted' };

/** After so many failures of the preferred authority the others are asked, and its staging environment before it. */
const PATIENCE = 2;

/** Never rejects. */
export async function attemptOrder(task: AttemptTask, deps: AttemptDeps, signal: AbortSignal): Promise<AttemptOutcome> {
  const failed: Failure[] = [];
  const refused: BudgetRefusal[] = [];
  for (const [index, issuer] of deps.issuers.entries()) {
    const outcome = await askIssuer(issuer, task, deps, signal);
    if (outcome.kind === 'issued' || outcome.kind === 'aborted') return outcome;
    if (outcome.kind === 'refused') refused.push(outcome.refusal);
    else {
      failed.push(outcome.failure);
      const patient = task.failures + 1 < PATIENCE;
      if (!isRateLimited(caProblemOf(outcome.error)) && (patient || !deps.mayTryNextIssuer(outcome.error))) break;
    }
    const next = deps.issuers[index + 1];
    if (next !== undefined) deps.tell({ ...about(task), kind: 'fallback', from: issuer.name, to: next.name });
  }
  // The preferred authority's word is what a person must act on.
  const [failure] = failed;
  if (failure !== undefined) return { kind: 'failed', failure };
  const [first, ...others] = refused;
  if (first !== undefined) {
    const soonest = others.reduce((best, one) => (one.until < best.until ? one : best), first);
    return { kind: 'refused', until: soonest.until, sentence: soonest.sentence };
  }
  const nobody = new PorticoError('ACME_NO_ISSUER', 'No certificate authority is configured.', {
    fix: 'Add the section acme.',
  });
  return { kind: 'failed', failure: failureOf(nobody, null, deps.clock.now()) };
}

type Answer =
  | Extract<AttemptOutcome, { kind: 'issued' | 'aborted' }>
  | { readonly kind: 'failed'; readonly failure: Failure; readonly error: unknown }
  | { readonly kind: 'refused'; readonly refusal: BudgetRefusal };

async function askIssuer(issuer: Issuer, task: AttemptTask, deps: AttemptDeps, signal: AbortSignal): Promise<Answer> {
  const { clock } = deps;
  const budget = deps.budgetOf(issuer);
  const refuse = (refusal: BudgetRefusal): Answer => {
    deps.tell({
      ...about(task),
      kind: 'refused',
      issuer: issuer.name,
      until: refusal.until,
      sentence: refusal.sentence,
    });
    return { kind: 'refused', refusal };
  };
  const fail = (error: unknown): Answer =>
    signal.aborted
      ? { kind: 'aborted' }
      : { kind: 'failed', failure: failureOf(error, issuer.name, clock.now()), error };

  const noAccount = budget.accountRefusal();
  if (noAccount !== null) return refuse(noAccount);
  let session: IssuerSession;
  let request: OrderRequest;
  let underWay: boolean;
  try {
    session = await deps.session(issuer, signal);
    budget.accountSeen(session.accountUri);
    request = requestFor(issuer, session, task, deps);
    underWay = await session.isUnderWay(request);
  } catch (error) {
    return fail(error);
  }

  const question: BudgetQuestion = { id: task.plan.id, names: task.plan.names, exempt: request.replaces !== null };
  // An order that was counted when it was placed, before a crash, is not counted again.
  const refusal = underWay ? null : budget.refusal(question);
  if (refusal !== null) return refuse(refusal);
  if (task.failures >= PATIENCE && issuer.probe !== null) {
    deps.tell({ ...about(task), kind: 'probing', issuer: issuer.name });
    try {
      await issuer.probe(request, signal);
    } catch (error) {
      // Only what would meet production as well keeps it from being asked; staging may be down by itself.
      if (signal.aborted || !deps.mayTryNextIssuer(error)) return fail(stagingFailure(error));
    }
  }

  deps.tell({
    ...about(task),
    kind: 'ordering',
    issuer: issuer.name,
    profile: request.profile,
    replaces: request.replaces !== null,
    attempt: task.failures + 1,
  });
  const reservation = underWay ? null : budget.reserve(question);
  try {
    const result = await session.obtain(request, signal);
    budget.accountSeen(session.accountUri);
    // Without `replaces` it was an order like any other.
    if (result.droppedReplaces && request.replaces !== null) budget.reserve({ ...question, exempt: false });
    return { kind: 'issued', result, issuer, session, askedProfile: request.profile };
  } catch (error) {
    // What was broken off goes on at the next start, and is not counted again then.
    if (signal.aborted) return { kind: 'aborted' };
    reservation?.release();
    const problem = caProblemOf(error);
    for (const name of failedNames(problem)) budget.validationFailed(name);
    if (isRateLimited(problem)) budget.rateLimited(question, problem.detail, problem.retryAfterMs);
    return fail(error);
  }
}

function requestFor(issuer: Issuer, session: IssuerSession, task: AttemptTask, deps: AttemptDeps): OrderRequest {
  const { plan, held } = task;
  const wanted = wantedProfile(issuer, plan, held);
  const offered = session.profiles();
  let profile = wanted;
  // For the very first certificate a wrong word in the config had better be refused, with the list; a renewal must not fail
  // because an authority has renamed something. An address takes what there is.
  if (wanted !== null && !(offered ?? []).includes(wanted) && (held !== null || issuer.profile === null)) {
    profile = null;
    if (wanted !== plan.profile) {
      deps.tell({
        ...about(task),
        kind: 'profile_dropped',
        issuer: issuer.name,
        profile: wanted,
        offered: offered ?? [],
      });
    }
  }
  return {
    id: plan.id,
    names: plan.names,
    keyType: task.keyType,
    profile,
    preferredChain: issuer.preferredChain,
    replaces: held?.issuer === issuer.id ? task.replaces : null,
    challenges: task.challenges,
  };
}

/**
 * The config decides; else what an address needs; else what the certificate in use was ordered with, unless the config has
 * been changed since then.
 */
function wantedProfile(issuer: Issuer, plan: PlannedCertificate, held: StoredCertificate | null): string | null {
  if (issuer.profile !== null) return issuer.profile;
  if (plan.profile !== null) return plan.profile;
  return held?.issuer === issuer.id && held.configuredProfile === null ? held.askedProfile : null;
}

function stagingFailure(error: unknown): unknown {
  if (!(error instanceof PorticoError)) return error;
  const message = `Tried at the staging environment first, because it failed before: ${messageOf(error)}`;
  return Object.assign(
    new PorticoError(error.code, message, { ...(error.fix === undefined ? {} : { fix: error.fix }), cause: error }),
    // Staging's limits are not those of production: the type is kept for people, its Retry-After is not.
    'type' in error && 'detail' in error ? { type: error.type, detail: error.detail } : {},
  );
}

function about({ plan }: AttemptTask): { readonly id: string; readonly names: readonly string[] } {
  return { id: plan.id, names: plan.names };
}
