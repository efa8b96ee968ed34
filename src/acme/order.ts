/**
 * From a request to a certificate that was checked (RFC 8555 §7.4), so that a crash at any moment is followed by the same
 * certificate: the key is stored before the order is placed, the order's URL before anything is done about it, and both stay
 * until the caller has stored the certificate and says so with `discardOrder`.
 */
import { X509Certificate } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { codeOf, PorticoError } from '../base/errors.ts';
import type { Store } from '../store/store.ts';
import { ariCertId } from './ari.ts';
import { solveAuthorization } from './authorization.ts';
import { createCertificateKey, createCertificateRequest } from './certificate-request.ts';
import type { CertificateKeyType } from './certificate-request.ts';
import { checkReceivedChain } from './chain-check.ts';
import type { ChallengeSolver, ChallengeType } from './challenge.ts';
import type { AcmeClient } from './client.ts';
import { identifierOf } from './identifier.ts';
import { discardOrder, isSamePurpose, readOrderState, writeOrderState } from './order-state.ts';
import type { OrderState } from './order-state.ts';
import type { OrderStep } from './order-step.ts';
import { inParallel } from './parallel.ts';
import { AcmeProblem } from './problem.ts';
import type { AcmeOrder } from './resources.ts';

export { discardOrder } from './order-state.ts';
export type { OrderStep } from './order-step.ts';

/** What is wanted. */
export interface OrderRequest {
  /** The planned certificate's id: `[a-z0-9._-]{1,100}`. Not twice at a time. */
  readonly id: string;
  readonly names: readonly string[];
  readonly keyType: CertificateKeyType;
  /** Null: the authority's default. */
  readonly profile: string | null;
  /** Common name of the root; null: the authority's default. */
  readonly preferredChain: string | null;
  /** ARI identifier of the certificate that is replaced; dropped once by the order when the authority refuses it. */
  readonly replaces: string | null;
  /** Challenge types to try per name, best first; a name without one is a mistake of the caller. */
  readonly challenges: ReadonlyMap<string, readonly ChallengeType[]>;
}

/** A certificate that may be used: chain, key, names and dates were checked. */
export interface OrderResult {
  /** PEM, leaf first. */
  readonly chain: string;
  /** PKCS #8, PEM. */
  readonly key: string;
  /** What the authority used, or what was asked for when it does not say. */
  readonly profile: string | null;
  readonly issuer: string;
  readonly certificateUrl: string;
  readonly droppedReplaces: boolean;
}

/** What an order is made with; the store must be locked. */
export interface OrderDeps {
  readonly client: AcmeClient;
  readonly solvers: readonly ChallengeSolver[];
  readonly store: Store;
  readonly clock: Clock;
  readonly log: (step: OrderStep) => void;
}

const PARALLEL_AUTHORIZATIONS = 8;
const READY_LIMIT_MS = 2 * 60 * 1000;
/** Some authorities sign at leisure. */
const ISSUE_LIMIT_MS = 20 * 60 * 1000;
const MAX_NOT_READY = 3;
/** Of an alternate chain only. */
const ALTERNATE_FAILURES = new Set(['ACME_CHAIN_REFUSED', 'ACME_PROBLEM', 'ACME_RESPONSE_INVALID', 'ACME_UNREACHABLE']);
/** How authorities say that they have no such order for this account. */
const GONE_TYPES = new Set(['accountDoesNotExist', 'malformed', 'unauthorized']);
/** Of a certificate that was found waiting at the authority. */
const LEAST_LIFE_LEFT = 2 / 3;

/**
 * Obtains one certificate, going on with an order that was begun before.
 *
 * Challenge types are tried in the order of the request: when the authority has refused one, another order is placed for the
 * next. An order that the authority no longer has, or that lost an authorization, is replaced once.
 *
 * @throws AcmeProblem; PorticoError `ACME_CHALLENGE_…` of a solver, `ACME_CHALLENGE_NOT_OFFERED`, `ACME_PROFILE_UNKNOWN`,
 * `ACME_CHAIN_REFUSED`, `ACME_CHAIN_DATES`, `ACME_ORDER_STUCK`, `ACME_UNREACHABLE`, `ACME_RESPONSE_INVALID`, `ACME_ABORTED`, and
 * what the store throws. Whatever may still be of use stays in the store.
 */
export async function obtain(request: OrderRequest, deps: OrderDeps, signal: AbortSignal): Promise<OrderResult> {
  return new Obtaining(request, deps, signal).run();
}

/**
 * Tries the same order at an authority's staging environment, where failures cost nothing, and forgets what comes of it.
 * @param deps - with a client of the staging environment (see `stagingIssuer`)
 * @throws as {@link obtain}: what production would most likely say as well
 */
export async function probeStaging(request: OrderRequest, deps: OrderDeps, signal: AbortSignal): Promise<void> {
  const { client, store } = deps;
  const offered = client.profiles() ?? [];
  const profile = request.profile !== null && offered.includes(request.profile) ? request.profile : null;
  await obtain({ ...request, profile, preferredChain: null, replaces: null }, deps, signal);
  await discardOrder(client.issuer.id, request.id, store);
}

/** The order is of no use any more, and a fresh one might be. */
class Stale extends Error {
  readonly why: PorticoError;

  constructor(why: PorticoError) {
    super(why.message);
    this.why = why;
  }
}

/** The authority refused challenges, which ends the order. */
class Refused extends Error {
  readonly failures: readonly Failure[];

  constructor(failures: readonly Failure[]) {
    super('challenges failed');
    this.failures = failures;
  }
}

interface Failure {
  readonly name: string;
  readonly challenge: ChallengeType;
  readonly error: PorticoError;
}

class Obtaining {
  readonly #request: OrderRequest;
  readonly #deps: OrderDeps;
  readonly #signal: AbortSignal;
  readonly #issuerId: string;
  /** What is left to try. */
  readonly #challenges: Map<string, readonly ChallengeType[]>;
  /** Of names that have failed before, the first failure: it is about the challenge that was wanted most. */
  readonly #firstFailures = new Map<string, PorticoError>();
  #orderUrl: string | null = null;

  constructor(request: OrderRequest, deps: OrderDeps, signal: AbortSignal) {
    this.#request = request;
    this.#deps = deps;
    this.#signal = signal;
    this.#issuerId = deps.client.issuer.id;
    this.#challenges = new Map(request.challenges);
  }

  async run(): Promise<OrderResult> {
    let replacements = 1;
    // Ends: each turn uses up the one replacement, or a challenge type of some name.
    for (;;) {
      try {
        return await this.#once();
      } catch (error) {
        if (error instanceof Stale) {
          await this.#abandon(error.why);
          if (replacements === 0) throw error.why;
          replacements -= 1;
        } else if (error instanceof Refused) {
          await this.#abandon(error.failures[0]?.error);
          this.#crossOut(error.failures);
        } else {
          // What was received and refused would be the same again.
          if (codeOf(error) === 'ACME_CHAIN_REFUSED') await this.#abandon(error as PorticoError);
          throw error;
        }
      }
    }
  }

  async #once(): Promise<OrderResult> {
    const { client } = this.#deps;
    const { state, order: found, isResumed } = await this.#placedOrder();
    if (found.status === 'invalid') {
      const why = found.error ?? orderProblem('the order is invalid');
      throw isResumed ? new Stale(why) : await this.#ended(why);
    }
    let order = found.status === 'pending' ? await this.#authorize(found) : found;
    if (order.status === 'ready') {
      this.#log({ step: 'ready' });
      order = await this.#finalize(order, state);
    }
    if (order.status !== 'invalid' && (order.status !== 'valid' || order.certificate === null)) {
      order = await client.pollOrder(order.url, isIssued, ISSUE_LIMIT_MS, this.#signal);
    }
    if (order.status === 'invalid') throw await this.#ended(order.error ?? orderProblem('the order became invalid'));
    if (order.status !== 'valid' || order.certificate === null) throw stuck(order.status);
    this.#log({ step: 'issued' });
    const chain = await this.#download(order.certificate, state, isResumed);
    this.#log({ step: 'downloaded' });
    return {
      chain,
      key: state.key,
      profile: order.profile ?? this.#request.profile,
      issuer: this.#issuerId,
      certificateUrl: order.certificate,
      droppedReplaces: state.droppedReplaces,
    };
  }

  /** The order as the authority has it, placed now or before. Its URL is in the store. */
  async #placedOrder(): Promise<{ state: OrderState; order: AcmeOrder; isResumed: boolean }> {
    const { client, store } = this.#deps;
    const { id } = this.#request;
    const stored = await readOrderState(store, this.#issuerId, id);
    const usable = stored !== null && isSamePurpose(stored, this.#request) ? stored : null;
    if (usable?.orderUrl) {
      this.#orderUrl = usable.orderUrl;
      const order = await this.#unlessGone(client.order(usable.orderUrl, this.#signal));
      this.#log({ step: 'resumed' });
      return { state: usable, order, isResumed: true };
    }
    const prepared = usable ?? (await this.#prepare());
    const { order, droppedReplaces } = await this.#place();
    const state: OrderState = { ...prepared, orderUrl: order.url, droppedReplaces };
    await writeOrderState(store, this.#issuerId, id, state);
    this.#orderUrl = order.url;
    this.#log({ step: 'placed' });
    return { state, order, isResumed: false };
  }

  async #prepare(): Promise<OrderState> {
    const { id, names, keyType, profile, replaces } = this.#request;
    const key = await createCertificateKey(keyType);
    const state: OrderState = {
      version: 1,
      names,
      keyType,
      profile,
      replaces,
      key,
      orderUrl: null,
      droppedReplaces: false,
    };
    await writeOrderState(this.#deps.store, this.#issuerId, id, state);
    this.#orderUrl = null;
    this.#log({ step: 'prepared' });
    return state;
  }

  async #place(): Promise<{ order: AcmeOrder; droppedReplaces: boolean }> {
    const { client } = this.#deps;
    const { names, profile, replaces } = this.#request;
    const wanted = { identifiers: names.map(identifierOf), profile };
    try {
      return { order: await client.newOrder({ ...wanted, replaces }, this.#signal), droppedReplaces: false };
    } catch (error) {
      if (replaces === null || !(error instanceof AcmeProblem) || !mayBeAboutReplaces(error)) throw error;
      this.#log({ step: 'replaces-dropped', error });
      return { order: await client.newOrder({ ...wanted, replaces: null }, this.#signal), droppedReplaces: true };
    }
  }

  /** Shows control of every name; the order is no longer pending then. */
  async #authorize(order: AcmeOrder): Promise<AcmeOrder> {
    const { client, solvers } = this.#deps;
    const deps = { client, solvers, challenges: this.#challenges, log: this.#log.bind(this) };
    const outcomes = await inParallel(order.authorizations, PARALLEL_AUTHORIZATIONS, (url) =>
      solveAuthorization(url, deps, this.#signal),
    );
    const failures = outcomes.filter((outcome) => outcome.kind === 'failed');
    if (failures.length > 0) throw new Refused(failures);
    const unusable = outcomes.find((outcome) => outcome.kind === 'unusable');
    if (unusable !== undefined) throw new Stale(unusable.error);
    const seen = await client.pollOrder(order.url, ({ status }) => status !== 'pending', READY_LIMIT_MS, this.#signal);
    if (seen.status === 'pending') throw stuck(seen.status);
    return seen;
  }

  async #finalize(order: AcmeOrder, state: OrderState): Promise<AcmeOrder> {
    const { client } = this.#deps;
    const request = await createCertificateRequest(this.#request.names, state.key);
    for (let attempt = 1; ; attempt += 1) {
      try {
        const finalized = await client.finalize(order, request, this.#signal);
        this.#log({ step: 'finalized' });
        return finalized;
      } catch (error) {
        // The authority's parts need not all know yet that the order is ready, or they know that it was finalized before.
        const isEarly = error instanceof AcmeProblem && error.type === 'orderNotReady';
        if (!isEarly || attempt === MAX_NOT_READY) throw error;
        const seen = await client.pollOrder(
          order.url,
          ({ status }) => status !== 'pending',
          READY_LIMIT_MS,
          this.#signal,
        );
        if (seen.status !== 'ready') return seen;
      }
    }
  }

  /** The chain that is preferred if it is good, else the authority's default. */
  async #download(certificateUrl: string, state: OrderState, isResumed: boolean): Promise<string> {
    const { client, clock } = this.#deps;
    const { names, preferredChain, replaces } = this.#request;
    const offered = await this.#unlessGone(client.download(certificateUrl, this.#signal));
    const check = (chain: string): string => {
      const certificate = checkReceivedChain(chain, { key: state.key, names }, clock.now());
      const life = certificate.notAfter - certificate.notBefore;
      const isOld = certificate.notAfter - clock.now() < life * LEAST_LIFE_LEFT;
      // An order whose certificate was stored, but which was not discarded because the process died just then.
      if (isResumed && (isOld || (replaces !== null && ariCertId(certificate.chain) === replaces))) {
        throw new Stale(orderProblem('the certificate of this order was used already'));
      }
      return certificate.chain;
    };
    if (preferredChain === null || isUnderRoot(offered.chain, preferredChain)) return check(offered.chain);
    for (const url of offered.alternates) {
      try {
        const { chain } = await client.download(url, this.#signal);
        if (isUnderRoot(chain, preferredChain)) return check(chain);
      } catch (error) {
        // An alternate that cannot be had or used is no reason to go without a certificate: there is the default.
        if (!ALTERNATE_FAILURES.has(codeOf(error))) throw error;
      }
    }
    return check(offered.chain);
  }

  /** An order or certificate that the authority does not have any more, or that belongs to an account that is lost. */
  async #unlessGone<Resource>(asking: Promise<Resource>): Promise<Resource> {
    try {
      return await asking;
    } catch (error) {
      if (!(error instanceof AcmeProblem)) throw error;
      const isGone = error.status === 404 || error.status === 410 || GONE_TYPES.has(error.type);
      throw isGone ? new Stale(error) : error;
    }
  }

  /** The next type of each name that failed is tried; a name that has none left ends it. */
  #crossOut(failures: readonly Failure[]): void {
    for (const { name, challenge, error } of failures) {
      const left = (this.#challenges.get(name) ?? []).filter((type) => type !== challenge);
      const first = this.#firstFailures.get(name) ?? error;
      if (left.length === 0) throw first;
      this.#firstFailures.set(name, first);
      this.#challenges.set(name, left);
    }
  }

  /** The authority will issue nothing for this order. */
  async #ended(why: PorticoError): Promise<PorticoError> {
    await this.#abandon(why);
    return why;
  }

  async #abandon(error: PorticoError | undefined): Promise<void> {
    this.#log({ step: 'abandoned', ...(error !== undefined && { error }) });
    await discardOrder(this.#issuerId, this.#request.id, this.#deps.store);
  }

  #log(step: Omit<OrderStep, 'order' | 'issuer' | 'orderUrl'>): void {
    this.#deps.log({ ...step, order: this.#request.id, issuer: this.#issuerId, orderUrl: this.#orderUrl });
  }
}

function isIssued({ status, certificate }: AcmeOrder): boolean {
  return status === 'invalid' || (status === 'valid' && certificate !== null);
}

/**
 * RFC 9773 §5 names `alreadyReplaced` only; authorities refuse in other ways as well when the certificate is not theirs, not this
 * account's, or of other names. A refusal that has nothing to do with it comes again without it.
 */
function mayBeAboutReplaces({ type, status }: AcmeProblem): boolean {
  if (type === 'alreadyReplaced') return true;
  const isRefusal = status === 400 || status === 403 || status === 404 || status === 409;
  return isRefusal && ['malformed', 'unauthorized', 'conflict', 'serverInternal', 'orderNotReady'].includes(type);
}

/** True when the last certificate of the chain was issued by a root of this common name. */
function isUnderRoot(chainPem: string, commonName: string): boolean {
  const last = chainPem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g)?.at(-1);
  if (last === undefined) return false;
  try {
    return new X509Certificate(last).issuer.split('\n').includes(`CN=${commonName}`);
  } catch {
    // Damaged; the check of the chain that is taken says so.
    return false;
  }
}

function orderProblem(detail: string): AcmeProblem {
  return new AcmeProblem({
    type: 'serverInternal',
    status: 0,
    detail,
    retryAfterMs: null,
    identifier: null,
    subproblems: [],
    instance: null,
  });
}

function stuck(status: string): PorticoError {
  return new PorticoError(
    'ACME_ORDER_STUCK',
    `The certificate authority keeps the order at ${JSON.stringify(status.slice(0, 50))}.`,
    {
      fix: "Nothing: Portico goes on with the same order later. The authority's status page may say more.",
    },
  );
}
