/** One authorization of an order: shows control of its name by the first challenge that works. */
import { canonicalIp } from '../base/certificate.ts';
import { messageOf, PorticoError } from '../base/errors.ts';
import type { ChallengeSolver, ChallengeTask, ChallengeType } from './challenge.ts';
import type { AcmeClient } from './client.ts';
import type { OrderStep } from './order-step.ts';
import { AcmeProblem } from './problem.ts';
import type { AcmeAuthorization, AcmeChallenge } from './resources.ts';

/**
 * What became of it. `failed`: the authority looked and refused, which costs the order; `unusable`: it is not pending and not
 * valid any more, which costs the order as well.
 */
export type AuthorizationOutcome =
  | { readonly kind: 'valid' }
  | { readonly kind: 'failed'; readonly name: string; readonly challenge: ChallengeType; readonly error: PorticoError }
  | { readonly kind: 'unusable'; readonly error: PorticoError };

/** What it is solved with. */
export interface AuthorizationDeps {
  readonly client: AcmeClient;
  readonly solvers: readonly ChallengeSolver[];
  /** Challenge types that are left to try, best first, by name (`*.example.com` for a wildcard). */
  readonly challenges: ReadonlyMap<string, readonly ChallengeType[]>;
  readonly log: (step: Pick<OrderStep, 'step' | 'name' | 'challenge' | 'error'>) => void;
}

/** Authorities look within seconds, and some several times. */
const VALIDATION_LIMIT_MS = 10 * 60 * 1000;

/**
 * @throws AcmeProblem, PorticoError `ACME_CHALLENGE_NOT_OFFERED`, `ACME_ORDER_STUCK`, or what the last solver threw: then the
 * authority was not asked to look, and the order can still be used
 */
export async function solveAuthorization(
  url: string,
  deps: AuthorizationDeps,
  signal: AbortSignal,
): Promise<AuthorizationOutcome> {
  const authorization = await deps.client.authorization(url, signal);
  const name = nameOf(authorization, deps.challenges);
  if (authorization.status === 'valid') {
    deps.log({ step: 'authorized', name });
    return { kind: 'valid' };
  }
  if (authorization.status !== 'pending') return { kind: 'unusable', error: unusable(name, authorization) };
  let firstError: PorticoError | null = null;
  for (const { challenge, solver } of choices(authorization, name, deps)) {
    try {
      return await tryChallenge({ authorization, name, challenge, solver }, deps, signal);
    } catch (error) {
      if (!(error instanceof NotPresented)) throw error;
      deps.log({ step: 'challenge-failed', name, challenge: challenge.type, error: error.why });
      firstError ??= error.why;
    }
  }
  throw firstError ?? notOffered(name, authorization, deps);
}

interface Choice {
  readonly challenge: AcmeChallenge;
  readonly solver: ChallengeSolver;
}

/** A solver failed before the authority was told anything. */
class NotPresented extends Error {
  readonly why: PorticoError;

  constructor(why: PorticoError) {
    super(why.message);
    this.why = why;
  }
}

function choices(authorization: AcmeAuthorization, name: string, deps: AuthorizationDeps): Choice[] {
  return (deps.challenges.get(name) ?? []).flatMap((type) => {
    const challenge = authorization.challenges.find((offered) => offered.type === type);
    const solver = deps.solvers.find((candidate) => candidate.type === type);
    return challenge === undefined || solver === undefined ? [] : [{ challenge, solver }];
  });
}

async function tryChallenge(
  { authorization, name, challenge, solver }: Choice & { authorization: AcmeAuthorization; name: string },
  { client, log }: AuthorizationDeps,
  signal: AbortSignal,
): Promise<AuthorizationOutcome> {
  const about = { name, challenge: challenge.type };
  const task: ChallengeTask = {
    type: challenge.type,
    identifier: authorization.identifier,
    wildcard: authorization.wildcard,
    token: challenge.token,
    keyAuthorization: challenge.token === '' ? '' : await client.keyAuthorization(challenge.token),
    accountUri: client.accountUri,
    issuerDomainNames: challenge.issuerDomainNames,
  };
  log({ step: 'presenting', ...about });
  await present(solver, task, signal);
  try {
    log({ step: 'presented', ...about });
    await start(client, authorization.url, challenge, signal);
    log({ step: 'validating', ...about });
    const ended = await client.pollAuthorization(authorization.url, VALIDATION_LIMIT_MS, signal);
    if (ended.status === 'valid') {
      log({ step: 'validated', ...about });
      return { kind: 'valid' };
    }
    if (ended.status === 'pending') throw stuck(name);
    if (ended.status !== 'invalid') return { kind: 'unusable', error: unusable(name, ended) };
    const error = problemIn(ended, challenge);
    log({ step: 'challenge-failed', ...about, error });
    return { kind: 'failed', ...about, error };
  } finally {
    await cleanUp(solver, task, (error) => log({ step: 'clean-up-failed', ...about, error }));
  }
}

async function present(solver: ChallengeSolver, task: ChallengeTask, signal: AbortSignal): Promise<void> {
  try {
    await solver.present(task, signal);
  } catch (error) {
    if (signal.aborted) throw new PorticoError('ACME_ABORTED', 'The certificate order was stopped.', { cause: error });
    if (error instanceof PorticoError) throw new NotPresented(error);
    throw error;
  }
}

/** A challenge that was started before a crash is not pending any more, and some authorities then refuse to start it again. */
async function start(
  client: AcmeClient,
  authorizationUrl: string,
  challenge: AcmeChallenge,
  signal: AbortSignal,
): Promise<void> {
  if (challenge.status !== 'pending') return;
  try {
    await client.startChallenge(challenge.url, signal);
  } catch (error) {
    if (!(error instanceof AcmeProblem) || error.status < 400 || error.status >= 500 || error.status === 429)
      throw error;
    const now = await client.authorization(authorizationUrl, signal);
    const same = now.challenges.find(({ url }) => url === challenge.url);
    if (now.status === 'pending' && same?.status === 'pending') throw error;
  }
}

async function cleanUp(
  solver: ChallengeSolver,
  task: ChallengeTask,
  failed: (error: PorticoError) => void,
): Promise<void> {
  try {
    await solver.cleanUp(task);
  } catch (cause) {
    // What is left behind does no harm to the order; the caller's log says what it is.
    failed(
      cause instanceof PorticoError
        ? cause
        : new PorticoError('ACME_CLEAN_UP_FAILED', `A challenge could not be taken away: ${messageOf(cause)}.`, {
            cause,
          }),
    );
  }
}

/** The name as it was ordered, whatever spelling of an address the authority uses. */
function nameOf(authorization: AcmeAuthorization, ordered: ReadonlyMap<string, unknown>): string {
  const { identifier, wildcard } = authorization;
  const value = identifier.type === 'ip' ? (canonicalIp(identifier.value) ?? identifier.value) : identifier.value;
  const name = wildcard && !value.startsWith('*.') ? `*.${value}` : value;
  const found = [...ordered.keys()].find((key) => (canonicalIp(key) ?? key.toLowerCase()) === name);
  if (found !== undefined) return found;
  throw new PorticoError(
    'ACME_RESPONSE_INVALID',
    `The certificate authority wants proof for ${name}, which was not ordered.`,
    { fix: 'Portico tries again; if it stays, the fault is with the authority.' },
  );
}

function problemIn(authorization: AcmeAuthorization, tried: AcmeChallenge): PorticoError {
  const same = authorization.challenges.find(({ url }) => url === tried.url);
  const any = authorization.challenges.find(({ error }) => error !== null);
  return same?.error ?? any?.error ?? unusable(authorization.identifier.value, authorization);
}

function unusable(name: string, { status, identifier }: AcmeAuthorization): AcmeProblem {
  const detail = `the authorization is ${status}`;
  return new AcmeProblem({
    type: 'unauthorized',
    status: 0,
    detail,
    retryAfterMs: null,
    identifier: { ...identifier, value: name },
    subproblems: [],
    instance: null,
  });
}

function stuck(name: string): PorticoError {
  return new PorticoError(
    'ACME_ORDER_STUCK',
    `The certificate authority has not finished looking at ${name} in ten minutes.`,
    {
      fix: "Nothing: Portico goes on with the same order later. The authority's status page may say more.",
    },
  );
}

function notOffered(name: string, { challenges }: AcmeAuthorization, deps: AuthorizationDeps): PorticoError {
  const offered = challenges.map(({ type }) => type).join(', ') || 'none that Portico knows';
  const wanted = deps.challenges.get(name)?.join(', ') ?? 'none';
  return new PorticoError(
    'ACME_CHALLENGE_NOT_OFFERED',
    `For ${name} the certificate authority offers ${offered}; possible here: ${wanted}.`,
    { fix: 'Add one that it offers to acme.challenges, or use another authority.' },
  );
}
