/**
 * Keeps a valid certificate for every planned set of names: adopts what the store has, orders what is missing, renews what is
 * due. It never throws at anybody who serves: what it cannot do is told to the observer and shown by `state`, and what it
 * has stays in use, expired or not, until there is something better.
 */
import { canonicalIp, coversName, parseCertificate, validityProblem, wildcardOf } from '../base/certificate.ts';
import type { CertificateData } from '../base/certificate.ts';
import type { Clock } from '../base/clock.ts';
import { messageOf, PorticoError } from '../base/errors.ts';
import type { Store } from '../store/store.ts';
import { adoptableFor } from './adopt.ts';
import { attemptOrder } from './attempt.ts';
import type { AttemptOutcome } from './attempt.ts';
import { AttemptStore } from './attempt-store.ts';
import { afterFailure, nextAttemptAt } from './attempts.ts';
import type { Failure } from './attempts.ts';
import { IssuerBudget } from './budget.ts';
import type { LimitName } from './budget.ts';
import { failureOf, problemOf } from './ca-problem.ts';
import { certificateState } from './certificate-state.ts';
import type { CertificateState, Due } from './certificate-state.ts';
import { needsNoAddress } from './challenge-choice.ts';
import type { ChallengeChoice } from './challenge-choice.ts';
import { anchor, coversAll, hold, newEntry } from './entry.ts';
import type { Entry } from './entry.ts';
import type { AcmeObserver, CertificateEvent } from './events.ts';
import type { Issuer, IssuerSession } from './issuing.ts';
import type { OrderRequest } from './order.ts';
import type { PlannedCertificate } from './planned-certificates.ts';
import { decideRenewal, nextRenewalInfoPoll } from './schedule.ts';
import { deleteStoredCertificate, readStoredCertificates, writeStoredCertificate } from './stored-certificates.ts';
import type { StoredCertificate } from './stored-certificates.ts';

/** What follows from the config. */
export interface AcmePlan {
  readonly certificates: readonly PlannedCertificate[];
  /** For each name of `certificates`. */
  readonly challenges: ReadonlyMap<string, ChallengeChoice>;
  /** In order of preference. */
  readonly issuers: readonly Issuer[];
  readonly keyType: OrderRequest['keyType'];
}

export interface AcmeManagerDeps {
  /** Locked by the caller for as long as the manager is open. */
  readonly store: Store;
  readonly clock: Clock;
  /** In [0, 1), for the jitter of the ladder. */
  readonly random: () => number;
  /** See `hasAddress`; null: it cannot be said. */
  hasAddress(name: string, signal: AbortSignal): Promise<boolean | null>;
  /** The ARI identifier of a chain's leaf; null when it has none. */
  ariCertId(chainPem: string): string | null;
  /** False: the cause lies with the name or this machine, so that another authority would refuse as well. */
  mayTryNextIssuer(error: unknown): boolean;
  readonly observer: AcmeObserver;
  /** Orders and questions under way at once; default 4. */
  readonly parallel?: number;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const DEFAULT_PARALLEL = 4;
/** The wall clock may jump, and timers do not notice: look at it at least this often. */
const MAX_SLEEP = MINUTE;
/** So that many things that happen at once are looked at once. */
const SETTLE = 20;
/** Names without an address are asked for again after a minute, two, four, up to this. */
const MAX_ADDRESS_WAIT = HOUR;
/** A budget's refusal is looked at again this often, whatever it said: clocks jump, and people clear things. */
const MAX_BUDGET_WAIT = HOUR;
/** How long an unplanned, expired certificate stays in the store. */
const KEEP_UNPLANNED = 30 * DAY;

/** Open it, give it plans, ask it for certificates, close it. */
export class AcmeManager {
  readonly #deps: AcmeManagerDeps;
  readonly #attempts: AttemptStore;
  readonly #budgets = new Map<string, IssuerBudget>();
  readonly #sessions = new Map<string, { readonly fingerprint: string; readonly session: Promise<IssuerSession> }>();
  readonly #listeners = new Set<() => void>();
  readonly #running = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  #plan: AcmePlan;
  #entries = new Map<string, Entry>();
  #byName = new Map<string, Entry[]>();
  /** No longer planned, but not at rest yet: who comes back meanwhile must not be ordered twice at a time. */
  readonly #leaving = new Map<string, Entry>();
  /** From the store and not planned (any more): they stand in until a planned one is there. */
  #spare: readonly StoredCertificate[] = [];
  #timer: NodeJS.Timeout | null = null;
  #timerAt = Infinity;
  #started = false;
  /** Nothing new is begun: the accounts get new keys. */
  #held = false;

  private constructor(plan: AcmePlan, deps: AcmeManagerDeps) {
    this.#plan = plan;
    this.#deps = deps;
    this.#attempts = new AttemptStore(deps.store, (problem) => {
      this.#report(problem);
    });
  }

  /**
   * Reads what is in the store, so that it is served from the first second. Orders nothing before `start`. Never rejects: what
   * cannot be read is told to the observer.
   */
  static async open(plan: AcmePlan, deps: AcmeManagerDeps): Promise<AcmeManager> {
    const manager = new AcmeManager(plan, deps);
    await manager.#attempts.load();
    await manager.#openBudgets(plan);
    const { found, unreadable } = await readStoredCertificates(deps.store, (problem) => {
      manager.#report(problem);
    });
    manager.#spare = [...found.values()];
    manager.#arrange(plan);
    for (const [id, entry] of manager.#entries) {
      entry.unread = entry.held === null && (unreadable === null || unreadable.has(id));
    }
    await manager.#prune();
    return manager;
  }

  /** Begins to order and to renew; call it when challenges can be answered. */
  start(): void {
    this.#started = true;
    this.#wake(0);
  }

  /**
   * The certificate to serve for a name.
   * @param name - as {@link CertificateSource.certificateFor}
   * @returns `'pending'`: it is planned, and there is none yet; null: it is not planned
   */
  certificateFor(name: string): CertificateData | 'pending' | null {
    const entries = this.#entriesFor(name);
    if (entries.length === 0) return null;
    const now = this.#deps.clock.now();
    const own = entries.flatMap(({ held }) => (held === null ? [] : [held.certificate]));
    const usable = own.filter((certificate) => validityProblem(certificate, now) === null);
    const spare = usable.length > 0 ? [] : this.#spareFor(name, now);
    const [best] = [...usable, ...spare, ...own].sort((a, b) => rank(b, now) - rank(a, now));
    return best ?? 'pending';
  }

  /** Calls back when the answer of {@link certificateFor} has changed for some name. @returns ends it */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Takes another plan. What is unchanged goes on: orders under way, ladders, dates; what is no longer planned is broken off.
   */
  async setPlan(plan: AcmePlan): Promise<void> {
    await this.#openBudgets(plan);
    this.#arrange(plan);
    await this.#prune();
    this.#wake(0);
  }

  /**
   * Renews now whatever covers the name: its ladder and waits are cleared first. Limits of the authority stay.
   * @returns ids of the certificates
   * @throws PorticoError `ACME_NOT_PLANNED`
   */
  async renewNow(name: string): Promise<string[]> {
    const entries = this.#entriesFor(name);
    const [first] = entries;
    if (first === undefined) {
      const known = [...this.#byName.keys()].slice(0, 10).join(', ');
      throw new PorticoError('ACME_NOT_PLANNED', `No certificate for ${name} comes from ACME.`, {
        fix: known === '' ? 'Add the section acme to the config.' : `Name one of those that do: ${known}.`,
      });
    }
    for (const entry of entries) {
      entry.forced = true;
      entry.waiting = null;
      entry.addressChecks = 0;
      await this.#attempts.clear(entry.plan.id);
      for (const budget of this.#budgets.values()) budget.clear(entry.plan.id);
    }
    this.#wake(0);
    return entries.map(({ plan }) => plan.id);
  }

  /**
   * Gives the account at each configured authority a new key; orders wait meanwhile.
   * @returns the authorities' names with the URLs of the accounts
   * @throws PorticoError `ACME_ORDERS_UNDER_WAY`, and what an authority or the store says; accounts before it have new keys then
   */
  async rollOverKeys(): Promise<{ readonly issuer: string; readonly accountUri: string }[]> {
    const busy = [...this.#entries.values(), ...this.#leaving.values()].filter(({ running }) => running?.ordering);
    if (busy.length > 0 || this.#held) {
      const names = busy.map(({ plan }) => plan.names[0] ?? '').slice(0, 10);
      throw new PorticoError('ACME_ORDERS_UNDER_WAY', `Certificates are being ordered: ${names.join(', ')}.`, {
        fix: 'Try again when `portico certs list` shows none that is being ordered.',
      });
    }
    this.#held = true;
    try {
      const done: { readonly issuer: string; readonly accountUri: string }[] = [];
      for (const issuer of this.#plan.issuers) {
        const session = await this.#session(issuer, this.#closing.signal);
        await session.rollOver(this.#closing.signal);
        done.push({ issuer: issuer.name, accountUri: session.accountUri });
      }
      return done;
    } finally {
      this.#held = false;
      this.#wake(0);
    }
  }

  /** All planned certificates, in the order of the plan. */
  state(): CertificateState[] {
    const now = this.#deps.clock.now();
    return [...this.#entries.values()].map((entry) =>
      certificateState(entry, this.#attempts.get(entry.plan.id, now), this.#due(entry, now), now),
    );
  }

  /** What is left of each authority's limits, by its name. */
  budgets(): { readonly issuer: string; readonly left: Readonly<Partial<Record<LimitName, number>>> }[] {
    return this.#plan.issuers.map((issuer) => ({ issuer: issuer.name, left: this.#budgetOf(issuer).left() }));
  }

  /** Breaks off what is under way, which the next start goes on with, and resolves when nothing is. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#listeners.clear();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    for (const { running } of this.#entries.values()) running?.abort.abort();
    await Promise.all(this.#running);
    for (const budget of this.#budgets.values()) await budget.settled();
  }

  async #openBudgets(plan: AcmePlan): Promise<void> {
    for (const issuer of plan.issuers) {
      if (this.#budgets.has(issuer.id)) continue;
      const budget = this.#budgetOf(issuer);
      await budget.load();
    }
  }

  #budgetOf(issuer: Issuer): IssuerBudget {
    const known = this.#budgets.get(issuer.id);
    if (known !== undefined) return known;
    const budget = new IssuerBudget({
      store: this.#deps.store,
      issuerId: issuer.id,
      issuerName: issuer.name,
      limits: issuer.limits,
      clock: this.#deps.clock,
      onProblem: (problem) => {
        this.#report(problem);
      },
    });
    this.#budgets.set(issuer.id, budget);
    return budget;
  }

  /** Makes the entries of a plan from those that there are. */
  #arrange(plan: AcmePlan): void {
    const before = this.#entries;
    this.#plan = plan;
    this.#entries = new Map();
    this.#byName = new Map();
    const spare = new Map(this.#spare.map((one) => [one.id, one]));
    for (const planned of plan.certificates) {
      const entry = before.get(planned.id) ?? this.#leaving.get(planned.id) ?? newEntry(planned);
      this.#leaving.delete(planned.id);
      entry.plan = planned;
      const stored = entry.held === null ? adoptableFor(planned, spare, this.#deps.clock.now()) : null;
      if (stored !== null) {
        hold(entry, stored);
        this.#tell(entry, { kind: 'adopted', issuer: stored.issuerName, notAfter: stored.certificate.notAfter });
      }
      spare.delete(planned.id);
      this.#entries.set(planned.id, entry);
      for (const name of planned.names) this.#byName.set(name, [...(this.#byName.get(name) ?? []), entry]);
    }
    for (const [id, entry] of before) {
      if (this.#entries.has(id)) continue;
      if (entry.running !== null) this.#leaving.set(id, entry);
      entry.running?.abort.abort();
      if (entry.held !== null) spare.set(id, entry.held);
    }
    this.#spare = [...spare.values()];
  }

  async #prune(): Promise<void> {
    const now = this.#deps.clock.now();
    await this.#attempts.prune(new Set(this.#entries.keys()), now);
    for (const { id, certificate } of this.#spare) {
      if (this.#entries.has(id) || now - certificate.notAfter < KEEP_UNPLANNED) continue;
      try {
        await deleteStoredCertificate(this.#deps.store, id);
      } catch {
        // It is looked at again at the next start; nothing depends on its being gone.
        continue;
      }
      this.#spare = this.#spare.filter((one) => one.id !== id);
    }
  }

  #entriesFor(name: string): Entry[] {
    const bare = name.startsWith('[') && name.endsWith(']') ? name.slice(1, -1) : name;
    const address = canonicalIp(bare);
    if (address !== null) return this.#byName.get(address) ?? [];
    const lower = bare.toLowerCase();
    return [...(this.#byName.get(lower) ?? []), ...(this.#byName.get(wildcardOf(lower)) ?? [])];
  }

  #spareFor(name: string, now: number): CertificateData[] {
    return this.#spare.flatMap(({ certificate }) =>
      coversName(certificate.names, name) && validityProblem(certificate, now) === null ? [certificate] : [],
    );
  }

  /** When this certificate is to be ordered next, and why then. */
  #due(entry: Entry, now: number): Due {
    const { held, waiting, forced, unread } = entry;
    if (waiting !== null && waiting.until > this.#deps.clock.monotonic()) return waiting;
    if (forced) return { at: now, reason: 'asked for' };
    const attempts = this.#attempts.get(entry.plan.id, now);
    if (held === null) {
      const allowed = nextAttemptAt(attempts, now);
      if (allowed === Infinity) return { at: allowed, reason: 'paused by the CA until `portico certs renew`' };
      const count = attempts?.failures ?? 0;
      const reason = unread ? 'the store could not be read' : count === 0 ? 'there is none yet' : afterFailures(count);
      return { at: Math.max(now, allowed), reason };
    }
    // An imported one may be of any authority, known or not: it is used up like the others.
    if (held.importedFrom === null && !this.#plan.issuers.some(({ id }) => id === held.issuer)) {
      const allowed = nextAttemptAt(attempts, now);
      const name = held.issuerName ?? 'its authority';
      const reason = attempts === null ? `${name} is no longer configured` : afterFailures(attempts.failures);
      return { at: Math.max(now, allowed), reason };
    }
    const { notBefore, notAfter } = held.certificate;
    return decideRenewal({
      certificate: { notBefore, notAfter, obtainedAt: held.obtainedAt },
      ari: entry.ari,
      attempts,
      now,
      random: () => entry.share,
    });
  }

  /** Infinite when nobody can be asked. */
  #pollDue(entry: Entry, now: number): number {
    const { held } = entry;
    if (held === null || this.#issuerOf(held) === undefined) return Infinity;
    return nextRenewalInfoPoll({
      certificate: held.certificate,
      ari: entry.ari,
      failures: entry.ariFailures,
      lastAt: entry.ariAskedAt,
      now,
    });
  }

  #issuerOf(held: StoredCertificate): Issuer | undefined {
    return this.#plan.issuers.find(({ id }) => id === held.issuer);
  }

  /** Looks at the clock soon, or in `delay` ms; the soonest wish counts. */
  #wake(delay: number): void {
    if (!this.#started || this.#closing.signal.aborted) return;
    const at = this.#deps.clock.monotonic() + Math.max(delay, SETTLE);
    if (this.#timer !== null) {
      if (this.#timerAt <= at) return;
      clearTimeout(this.#timer);
    }
    this.#timerAt = at;
    this.#timer = setTimeout(
      () => {
        this.#timer = null;
        this.#look();
      },
      Math.max(delay, SETTLE),
    );
    this.#timer.unref();
  }

  #look(): void {
    const { clock, parallel = DEFAULT_PARALLEL } = this.#deps;
    const now = clock.now();
    let next = now + MAX_SLEEP;
    const work: { readonly entry: Entry; readonly urgency: number; readonly start: () => void }[] = [];
    for (const entry of this.#entries.values()) {
      this.#lament(entry, now);
      anchor(entry, now);
      if (entry.running !== null) continue;
      if (entry.unsavedUntil !== null && entry.unsavedUntil <= clock.monotonic()) {
        work.push({ entry, urgency: 0, start: () => this.#run(entry, false, () => this.#save(entry)) });
        continue;
      }
      const due = this.#due(entry, now).at;
      const poll = this.#pollDue(entry, now);
      // A renewal is due by the dates alone: the CA may have said otherwise before the restart, so it is asked first.
      const askFirst = !entry.forced && entry.ariAskedAt === null && poll <= now;
      if (due <= now && !askFirst) {
        const urgency = entry.held?.certificate.notAfter ?? 0;
        work.push({ entry, urgency, start: () => this.#run(entry, true, (signal) => this.#obtain(entry, signal)) });
      } else if (poll <= now) {
        const start = (): void => this.#run(entry, false, (signal) => this.#poll(entry, signal));
        work.push({ entry, urgency: entry.held?.certificate.notAfter ?? 0, start });
      } else {
        next = Math.min(next, due, poll);
      }
    }
    // What is missing comes before what is merely to be renewed, and that in the order in which it ends.
    work.sort((a, b) => a.urgency - b.urgency);
    const free = this.#held ? 0 : parallel - this.#running.size;
    for (const { start } of work.slice(0, Math.max(0, free))) start();
    this.#wake(next - now);
  }

  /** Work on one entry; nothing else is done about it meanwhile. */
  #run(entry: Entry, ordering: boolean, work: (signal: AbortSignal) => Promise<void>): void {
    const abort = new AbortController();
    entry.running = { abort, ordering };
    const done = work(abort.signal)
      .catch(async (error: unknown) => {
        // Whatever was not foreseen goes through the ladder like any failure, or it would be tried in a circle.
        this.#report(
          new PorticoError('ACME_DEFECT', `Looking after ${entry.plan.id} failed: ${messageOf(error)}`, {
            fix: 'Report this with the log line.',
            cause: error,
          }),
        );
        await this.#failed(entry, failureOf(error, null, this.#deps.clock.now()));
      })
      .finally(() => {
        this.#running.delete(done);
        entry.running = null;
        this.#leaving.delete(entry.plan.id);
        this.#wake(0);
      });
    this.#running.add(done);
  }

  async #obtain(entry: Entry, signal: AbortSignal): Promise<void> {
    if (entry.unread && !(await this.#readAgain(entry))) return;
    const { plan } = entry;
    if (entry.held === null && !(await this.#mayResolve(entry, signal))) return;
    if (signal.aborted) return;
    const outcome = await attemptOrder(
      {
        plan,
        challenges: this.#challengesOf(plan),
        keyType: this.#plan.keyType,
        held: entry.held,
        replaces: entry.held === null || entry.ari === null ? null : this.#deps.ariCertId(entry.held.certificate.chain),
        failures: this.#attempts.get(plan.id, this.#deps.clock.now())?.failures ?? 0,
      },
      {
        issuers: this.#plan.issuers,
        clock: this.#deps.clock,
        budgetOf: (issuer) => this.#budgetOf(issuer),
        session: (issuer, abort) => this.#session(issuer, abort),
        mayTryNextIssuer: (error) => this.#deps.mayTryNextIssuer(error),
        tell: (event) => {
          this.#send(event);
        },
      },
      signal,
    );
    if (outcome.kind === 'aborted') return;
    entry.forced = false;
    if (outcome.kind === 'issued') await this.#obtained(entry, outcome);
    else if (outcome.kind === 'failed') await this.#failed(entry, outcome.failure);
    else this.#wait(entry, Math.min(outcome.until - this.#deps.clock.now(), MAX_BUDGET_WAIT), outcome);
  }

  #challengesOf(plan: PlannedCertificate): OrderRequest['challenges'] {
    return new Map(
      plan.names.map((name) => [name, (this.#plan.challenges.get(name)?.possible ?? []).map(({ type }) => type)]),
    );
  }

  /** A store that could not be read at the start: ordering what it may hold would burn limits. */
  async #readAgain(entry: Entry): Promise<boolean> {
    const { found, unreadable } = await readStoredCertificates(this.#deps.store, () => undefined);
    const { plan } = entry;
    if (unreadable === null || unreadable.has(plan.id)) {
      this.#wait(entry, MINUTE, { until: this.#deps.clock.now() + MINUTE, sentence: 'the store cannot be read' });
      return false;
    }
    entry.unread = false;
    const stored = adoptableFor(plan, found, this.#deps.clock.now());
    if (stored === null) return true;
    hold(entry, stored);
    this.#tell(entry, { kind: 'adopted', issuer: stored.issuerName, notAfter: stored.certificate.notAfter });
    this.#changed();
    return false;
  }

  /** Only the first certificate waits for addresses; a renewal is worth a try whatever this machine's DNS says. */
  async #mayResolve(entry: Entry, signal: AbortSignal): Promise<boolean> {
    if (entry.forced) return true;
    for (const name of entry.plan.names) {
      const choice = this.#plan.challenges.get(name);
      if (name.startsWith('*.') || canonicalIp(name) !== null || choice === undefined || needsNoAddress(choice))
        continue;
      const found = await this.#deps.hasAddress(name, signal).catch(() => null);
      if (found !== false || signal.aborted) continue;
      const wait = Math.min(MINUTE * 2 ** Math.min(entry.addressChecks, 10), MAX_ADDRESS_WAIT);
      entry.addressChecks += 1;
      const next = this.#deps.clock.now() + wait;
      this.#wait(entry, wait, { until: next, sentence: `${name} has no address in DNS yet` });
      this.#tell(entry, { kind: 'waiting', name, next });
      return false;
    }
    return true;
  }

  #wait(entry: Entry, ms: number, what: { readonly until: number; readonly sentence: string }): void {
    const until = this.#deps.clock.monotonic() + Math.max(ms, 1000);
    entry.waiting = { until, at: what.until, reason: what.sentence };
  }

  async #obtained(entry: Entry, outcome: Extract<AttemptOutcome, { kind: 'issued' }>): Promise<void> {
    const { result, issuer, askedProfile, session } = outcome;
    const { clock } = this.#deps;
    let certificate: CertificateData;
    try {
      certificate = parseCertificate(result.chain, result.key, 'acme');
    } catch (error) {
      await this.#failed(entry, failureOf(error, issuer.name, clock.now()));
      return;
    }
    const held: StoredCertificate = {
      id: entry.plan.id,
      certificate,
      issuer: issuer.id,
      issuerName: issuer.name,
      profile: result.profile,
      askedProfile,
      configuredProfile: issuer.profile,
      obtainedAt: clock.now(),
      certificateUrl: result.certificateUrl,
      importedFrom: null,
    };
    if (!coversAll(held, entry.plan)) {
      const missing = entry.plan.names.filter((name) => !coversName(certificate.names, name)).join(', ');
      const error = new PorticoError('ACME_NAME_NOT_COVERED', `The certificate that came is not for ${missing}.`, {
        fix: 'Report this to the certificate authority.',
      });
      await this.#failed(entry, failureOf(error, issuer.name, clock.now()));
      return;
    }
    hold(entry, held);
    entry.discard = () => session.discard(held.id);
    await this.#save(entry);
    this.#changed();
    await this.#attempts.clear(entry.plan.id);
    this.#tell(entry, {
      kind: 'obtained',
      issuer: issuer.name,
      profile: held.profile,
      notAfter: certificate.notAfter,
      droppedReplaces: result.droppedReplaces,
    });
  }

  async #save(entry: Entry): Promise<void> {
    const { held } = entry;
    if (held === null) return;
    try {
      await writeStoredCertificate(this.#deps.store, held);
      entry.unsavedUntil = null;
    } catch (cause) {
      entry.unsavedUntil = this.#deps.clock.monotonic() + MINUTE;
      const message = `The new certificate for ${held.id} is served but cannot be stored: ${messageOf(cause)}`;
      const fix = 'Check free space and permissions of store.path; it is tried again every minute.';
      this.#report(new PorticoError('ACME_CERTIFICATE_UNSTORED', message, { fix, cause }));
      return;
    }
    const { discard } = entry;
    entry.discard = null;
    await discard?.().catch((cause: unknown) => {
      const message = `The finished order of ${held.id} stays in the store: ${messageOf(cause)}`;
      const fix = 'Check free space and permissions of store.path.';
      this.#report(new PorticoError('ACME_STATE_UNWRITABLE', message, { fix, cause }));
    });
  }

  async #failed(entry: Entry, failure: Failure): Promise<void> {
    const now = this.#deps.clock.now();
    const remaining = entry.held === null ? null : entry.held.certificate.notAfter - now;
    const before = this.#attempts.get(entry.plan.id, now);
    const state = afterFailure(before, failure, now, remaining, this.#deps.random);
    entry.forced = false;
    await this.#attempts.set(entry.plan.id, state);
    const next = nextAttemptAt(state, now);
    this.#tell(entry, { kind: 'failed', failures: state.failures, next, problem: state.problem });
  }

  async #poll(entry: Entry, signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    const { held } = entry;
    const issuer = held === null ? undefined : this.#issuerOf(held);
    if (held === null || issuer === undefined) return;
    const certId = this.#deps.ariCertId(held.certificate.chain);
    try {
      const session = await this.#session(issuer, signal);
      const answer = certId === null ? null : await session.renewalInfo(certId, signal);
      entry.ariAskedAt = clock.now();
      entry.ariFailures = 0;
      const news = answer !== null && (answer.start !== entry.ari?.start || answer.end !== entry.ari.end);
      entry.ari = answer;
      if (!news) return;
      this.#tell(entry, {
        kind: 'renewal_info',
        issuer: issuer.name,
        start: answer.start,
        end: answer.end,
        explanationUrl: answer.explanationUrl,
        next: this.#due(entry, clock.now()).at,
      });
    } catch (error) {
      if (signal.aborted) return;
      entry.ariAskedAt = clock.now();
      entry.ariFailures += 1;
      this.#tell(entry, {
        kind: 'renewal_info_failed',
        issuer: issuer.name,
        problem: problemOf(error, issuer.name, clock.now()),
      });
    }
  }

  /** Opened once for all who ask, and again after it could not be opened. */
  #session(issuer: Issuer, signal: AbortSignal): Promise<IssuerSession> {
    const known = this.#sessions.get(issuer.id);
    if (known?.fingerprint === issuer.fingerprint) return untilAborted(known.session, signal);
    // Not with the signal of who asked first: others wait for the same session.
    const session = issuer.connect(this.#closing.signal);
    const made = { fingerprint: issuer.fingerprint, session };
    this.#sessions.set(issuer.id, made);
    session.catch(() => {
      if (this.#sessions.get(issuer.id) === made) this.#sessions.delete(issuer.id);
    });
    return untilAborted(session, signal);
  }

  /** An expired certificate is served for want of a better one; that is said loudly, but not all the time. */
  #lament(entry: Entry, now: number): void {
    const { held } = entry;
    if (held === null || held.certificate.notAfter >= now) return;
    const at = this.#deps.clock.monotonic();
    if (entry.saidExpired !== null && at - entry.saidExpired < DAY) return;
    entry.saidExpired = at;
    this.#tell(entry, { kind: 'expired', notAfter: held.certificate.notAfter });
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  #tell(entry: Entry, event: EventBody): void {
    this.#send({ id: entry.plan.id, names: entry.plan.names, ...event });
  }

  #send(event: CertificateEvent): void {
    try {
      this.#deps.observer.certificate(event);
    } catch {
      // Telling must not stop the work; there is nobody left to tell.
    }
  }

  #report(problem: PorticoError): void {
    try {
      this.#deps.observer.problem(problem);
    } catch {
      // As above.
    }
  }
}

/** An event without whom it is about. */
type EventBody = CertificateEvent extends infer Event
  ? Event extends CertificateEvent
    ? Omit<Event, 'id' | 'names'>
    : never
  : never;

/** Valid ones first, then the one that ends last. */
function rank(certificate: CertificateData, now: number): number {
  return certificate.notAfter + (validityProblem(certificate, now) === null ? 1e15 : 0);
}

function afterFailures(count: number): string {
  return `after ${String(count)} failed attempt${count === 1 ? '' : 's'}`;
}

function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const give = (): void => {
      reject(new PorticoError('ACME_ABORTED', 'It was broken off.'));
    };
    if (signal.aborted) give();
    signal.addEventListener('abort', give, { once: true });
    promise.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', give);
    });
  });
}
