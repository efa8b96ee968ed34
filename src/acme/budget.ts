/**
 * What may still be asked of one authority: its published limits counted here, so that Portico refuses before the authority
 * does and can say until when; and what the authority itself said with Retry-After. Kept over restarts, because a restart
 * is when everything is tried again.
 */
import { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import { messageOf, PorticoError } from '../base/errors.ts';
import type { Store } from '../store/store.ts';
import type { IssuerLimits, RateLimit } from './rate-limits.ts';
import { registeredDomain } from './registered-domain.ts';
import { returnToken, takeToken, tokenAt, tokensLeft } from './token-bucket.ts';

/** What is to be ordered. */
export interface BudgetQuestion {
  /** The planned certificate's id: it stands for the set of names. */
  readonly id: string;
  readonly names: readonly string[];
  /** The order replaces a certificate as ARI suggested: exempt from all limits (Let's Encrypt, "Limit exemptions"). */
  readonly exempt: boolean;
}

/** Not now. */
export interface BudgetRefusal {
  /** Milliseconds since the epoch. */
  readonly until: number;
  readonly limit: LimitName | 'retry_after';
  /** Which limit, as a sentence without a full stop. */
  readonly sentence: string;
}

/** What was taken for an order that is under way. */
export interface Reservation {
  /** No certificate came of it: those limits are not used, the order's own is. Not twice. */
  release(): void;
}

export type LimitName = keyof IssuerLimits;

export interface BudgetOptions {
  readonly store: Store;
  readonly issuerId: string;
  /** For sentences. */
  readonly issuerName: string;
  /** Null: nothing is counted, and only Retry-After is obeyed. */
  readonly limits: IssuerLimits | null;
  readonly clock: Clock;
  /** Hears of what could not be read or written; must not throw. */
  readonly onProblem: (problem: PorticoError) => void;
}

const DAY_MS = 24 * 60 * 60 * 1000;
/** No limit of any authority lasts longer; see also the bound in attempts.ts. */
const MAX_BLOCK_MS = 7 * DAY_MS;
/** Without a Retry-After a refusal says only that it was too much. */
const DEFAULT_BLOCK_MS = 60 * 60 * 1000;

const times = z.record(z.string().max(300), z.number());
const stored = z.object({
  version: z.literal(1),
  full_at: times,
  blocked_until: times,
  account: z.string().nullable(),
});

/** The budget at one authority. Questions are answered from memory; the store follows. */
export class IssuerBudget {
  readonly #options: BudgetOptions;
  /** When each bucket is full again, by key; full ones are left out when it is stored. */
  #fullAt = new Map<string, number>();
  #blockedUntil = new Map<string, number>();
  #account: string | null = null;
  #saving: Promise<void> | null = null;
  #dirty = false;

  constructor(options: BudgetOptions) {
    this.#options = options;
  }

  /** Reads what was kept; a damaged file counts as none. Never rejects. */
  async load(): Promise<void> {
    try {
      const text = await this.#options.store.get(this.#key);
      if (text === null) return;
      const value = stored.parse(JSON.parse(text.toString('utf8')));
      this.#fullAt = new Map(Object.entries(value.full_at));
      this.#blockedUntil = new Map(Object.entries(value.blocked_until));
      this.#account = value.account;
    } catch (cause) {
      const message = `What was used of the limits of ${this.#options.issuerName} cannot be read and counts as nothing: ${messageOf(cause)}`;
      const fix = 'Nothing needs to be done unless it happens again; then check the disk of store.path.';
      this.#options.onProblem(new PorticoError('ACME_STATE_UNREADABLE', message, { fix, cause }));
    }
  }

  /** Null: it may be ordered now. */
  refusal(question: BudgetQuestion): BudgetRefusal | null {
    if (question.exempt) return null;
    const now = this.#options.clock.now();
    const names = question.names.join(', ');
    const candidates = [
      this.#blocked('all', 'its Retry-After'),
      this.#blocked(`set:${question.id}`, `its Retry-After for ${names}`),
      this.#empty('orders', 'orders', 'orders for each account', now),
      this.#empty('set', `set:${question.id}`, `certificates for just ${names}`, now),
      ...domainsOf(question.names).flatMap((domain) => [
        this.#blocked(`domain:${domain}`, `its Retry-After for ${domain}`),
        this.#empty('domain', `domain:${domain}`, `certificates below ${domain}`, now),
      ]),
      ...question.names.map((name) =>
        this.#empty('failures', `failures:${name}`, `failed validations of ${name}`, now),
      ),
    ];
    return latest(candidates);
  }

  /** Takes what the order will use; ask {@link refusal} before. */
  reserve(question: BudgetQuestion): Reservation {
    if (question.exempt || this.#options.limits === null) return { release: () => undefined };
    this.#take('orders', 'orders');
    const taken: [LimitName, string][] = [
      ['set', `set:${question.id}`],
      ...domainsOf(question.names).map((domain): [LimitName, string] => ['domain', `domain:${domain}`]),
    ];
    for (const [limit, key] of taken) this.#take(limit, key);
    return {
      release: () => {
        for (const [limit, key] of taken) this.#return(limit, key);
      },
    };
  }

  /** The authority looked at the name and did not find the proof. */
  validationFailed(name: string): void {
    this.#take('failures', `failures:${name}`);
  }

  /**
   * The authority refused because it was too much. What its sentence is about decides what waits: everything, one domain, or
   * this set of names, which is also what is assumed when the sentence is not understood.
   * @param retryAfterMs - null when it did not say
   */
  rateLimited(question: BudgetQuestion, detail: string, retryAfterMs: number | null): BudgetRefusal {
    const wait = retryAfterMs === null || !(retryAfterMs > 0) ? DEFAULT_BLOCK_MS : Math.min(retryAfterMs, MAX_BLOCK_MS);
    const until = this.#options.clock.now() + wait;
    const keys = blockKeys(question, detail);
    for (const key of keys) this.#blockedUntil.set(key, Math.max(until, this.#blockedUntil.get(key) ?? 0));
    this.#save();
    return { until, limit: 'retry_after', sentence: `${this.#options.issuerName} asks to wait: ${detail}` };
  }

  /** Null: an account may be made, or there is one. */
  accountRefusal(): BudgetRefusal | null {
    if (this.#account !== null) return null;
    const now = this.#options.clock.now();
    return this.#empty('accounts', 'accounts', 'new accounts from this address', now);
  }

  /** An account is in use; a new one was made when it is another than before. */
  accountSeen(accountUri: string): void {
    if (accountUri === this.#account) return;
    this.#account = accountUri;
    this.#take('accounts', 'accounts');
    this.#save();
  }

  /** What is left where it is least, for metrics; empty for authorities whose limits are not known. */
  left(): Readonly<Partial<Record<LimitName, number>>> {
    const { limits, clock } = this.#options;
    if (limits === null) return {};
    const now = clock.now();
    const least = (name: LimitName): number =>
      [...this.#fullAt].reduce(
        (lowest, [key, fullAt]) =>
          key === name || key.startsWith(`${name}:`)
            ? Math.min(lowest, Math.floor(tokensLeft(fullAt, limits[name], now)))
            : lowest,
        limits[name].capacity,
      );
    return {
      accounts: least('accounts'),
      orders: least('orders'),
      domain: least('domain'),
      set: least('set'),
      failures: least('failures'),
    };
  }

  /** A person wants it tried again: what the authority said about this set of names is forgotten; counts stay. */
  clear(id: string): void {
    if (this.#blockedUntil.delete(`set:${id}`)) this.#save();
  }

  /** Resolves when the store has what is in memory, or has been found unwritable. */
  async settled(): Promise<void> {
    while (this.#saving !== null) await this.#saving;
  }

  get #key(): string {
    return `acme/budgets/${this.#options.issuerId}.json`;
  }

  #blocked(key: string, what: string): BudgetRefusal | null {
    const now = this.#options.clock.now();
    const until = this.#blockedUntil.get(key);
    if (until === undefined || until <= now) return null;
    // After the clock went back it must not last longer than any block may.
    return {
      until: Math.min(until, now + MAX_BLOCK_MS),
      limit: 'retry_after',
      sentence: `${this.#options.issuerName} asked to wait (${what})`,
    };
  }

  #empty(name: LimitName, key: string, what: string, now: number): BudgetRefusal | null {
    const limit = this.#options.limits?.[name];
    if (limit === undefined) return null;
    const until = tokenAt(this.#fullAt.get(key), limit, now);
    if (until <= now) return null;
    const sentence = `the limit of ${this.#options.issuerName} is used up: ${String(limit.capacity)} ${what} in ${periodOf(limit)}`;
    return { until, limit: name, sentence };
  }

  #take(name: LimitName, key: string): void {
    this.#change(name, key, takeToken);
  }

  #return(name: LimitName, key: string): void {
    this.#change(name, key, returnToken);
  }

  #change(name: LimitName, key: string, change: typeof takeToken): void {
    const limit = this.#options.limits?.[name];
    if (limit === undefined) return;
    this.#fullAt.set(key, change(this.#fullAt.get(key), limit, this.#options.clock.now()));
    this.#save();
  }

  /** One write at a time; changes meanwhile make one more. */
  #save(): void {
    this.#dirty = true;
    this.#saving ??= this.#write().finally(() => {
      this.#saving = null;
    });
  }

  async #write(): Promise<void> {
    while (this.#dirty) {
      this.#dirty = false;
      const now = this.#options.clock.now();
      this.#fullAt = still(this.#fullAt, now);
      this.#blockedUntil = still(this.#blockedUntil, now);
      const value: z.input<typeof stored> = {
        version: 1,
        full_at: Object.fromEntries(this.#fullAt),
        blocked_until: Object.fromEntries(this.#blockedUntil),
        account: this.#account,
      };
      try {
        await this.#options.store.put(this.#key, `${JSON.stringify(value)}\n`);
      } catch (cause) {
        const message = `What was used of the limits of ${this.#options.issuerName} cannot be stored: ${messageOf(cause)}`;
        const fix = 'Check free space and permissions of store.path; until then a restart forgets it.';
        this.#options.onProblem(new PorticoError('ACME_STATE_UNWRITABLE', message, { fix, cause }));
      }
    }
  }
}

/** The later of the refusals, since all have to be over. */
function latest(refusals: readonly (BudgetRefusal | null)[]): BudgetRefusal | null {
  return refusals.reduce(
    (worst, one) => (one !== null && (worst === null || one.until > worst.until) ? one : worst),
    null,
  );
}

function domainsOf(names: readonly string[]): string[] {
  return [...new Set(names.map(registeredDomain))];
}

/**
 * Reads Let's Encrypt's sentences: "too many new orders (300) from this account in the last 3h0m0s", "too many certificates (50)
 * already issued for "example.com" in the last 168h0m0s", "… for this exact set of identifiers …", "Service busy".
 */
function blockKeys(question: BudgetQuestion, detail: string): string[] {
  if (/new orders|requests|service busy|overloaded/i.test(detail)) return ['all'];
  if (/certificates .*already issued/i.test(detail) && !/exact set/i.test(detail)) {
    const domains = domainsOf(question.names);
    const named = domains.filter((domain) => detail.includes(`"${domain}"`));
    return (named.length > 0 ? named : domains).map((domain) => `domain:${domain}`);
  }
  return [`set:${question.id}`];
}

function still(times: ReadonlyMap<string, number>, now: number): Map<string, number> {
  return new Map([...times].filter(([, at]) => at > now));
}

function periodOf(limit: RateLimit): string {
  const hours = Math.round((limit.capacity * limit.refillMs) / 3_600_000);
  return hours % 24 === 0 ? `${String(hours / 24)} days` : hours === 1 ? 'one hour' : `${String(hours)} hours`;
}
