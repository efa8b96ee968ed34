/** A manager on a fake clock, a memory store and authorities that do as they are told. */
import { vi } from 'vitest';
import type { CertificateState } from '../../../src/acme/certificate-state.ts';
import type { ChallengeChoice } from '../../../src/acme/challenge-choice.ts';
import type { CertificateEvent } from '../../../src/acme/events.ts';
import type { Issuer, IssuerSession } from '../../../src/acme/issuing.ts';
import { AcmeManager } from '../../../src/acme/manager.ts';
import type { AcmePlan } from '../../../src/acme/manager.ts';
import type { OrderRequest, OrderResult } from '../../../src/acme/order.ts';
import { planCertificate } from '../../../src/acme/planned-certificates.ts';
import type { IssuerLimits } from '../../../src/acme/rate-limits.ts';
import type { RenewalInfo } from '../../../src/acme/renewal-info.ts';
import { PorticoError } from '../../../src/base/errors.ts';
import { MemoryStore } from '../../../src/store/memory-store.ts';
import type { Store, StoreLock } from '../../../src/store/store.ts';
import { instantCertificate } from '../../helpers/instant-certificate.ts';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
export const START = Date.UTC(2026, 10, 28, 12);

/** As the client throws it. */
export function caProblem(
  type: string,
  detail: string,
  more: { retryAfterMs?: number; name?: string } = {},
): PorticoError {
  return Object.assign(new PorticoError('ACME_PROBLEM', detail, { fix: 'Do something.' }), {
    type,
    detail,
    status: 400,
    retryAfterMs: more.retryAfterMs ?? null,
    identifier: more.name === undefined ? null : { type: 'dns', value: more.name },
    subproblems: [],
  });
}

/** An authority of a test. */
export class FakeIssuer {
  readonly id: string;
  limits: IssuerLimits | null = null;
  profile: string | null = null;
  offered: readonly string[] | null = null;
  fingerprint = '1';
  /** Life of what it issues. */
  life = 90 * DAY;
  /** Order times, in the order they came. */
  readonly orders: { readonly at: number; readonly request: OrderRequest }[] = [];
  readonly probes: OrderRequest[] = [];
  readonly discarded: string[] = [];
  connects = 0;
  /** Orders under way. */
  open = 0;
  mostOpen = 0;
  polls = 0;
  rolledOver = 0;
  /** How long a roll-over takes. */
  rollMs = 0;
  underWay = new Set<string>();
  /** How an order takes; default: at once. */
  takeMs = 0;
  answer: (request: OrderRequest, count: number) => Error | null = () => null;
  onProbe: ((request: OrderRequest) => Error | null) | null = null;
  onConnect: () => Error | null = () => null;
  renewalInfo: () => RenewalInfo | Error | null = () => null;

  constructor(id = 'ca') {
    this.id = id;
  }

  get port(): Issuer {
    const { onProbe } = this;
    return {
      id: this.id,
      name: this.id,
      fingerprint: this.fingerprint,
      profile: this.profile,
      preferredChain: null,
      limits: this.limits,
      connect: async () => {
        this.connects += 1;
        const error = this.onConnect();
        if (error !== null) throw error;
        return this.#session();
      },
      probe:
        onProbe === null
          ? null
          : async (request) => {
              this.probes.push(request);
              const error = onProbe(request);
              if (error !== null) throw error;
            },
    };
  }

  #session(): IssuerSession {
    return {
      accountUri: `https://${this.id}.test/account/1`,
      profiles: () => this.offered,
      renewalInfo: async () => {
        this.polls += 1;
        const answer = this.renewalInfo();
        if (answer instanceof Error) throw answer;
        return answer;
      },
      obtain: (request, signal) => this.#obtain(request, signal),
      isUnderWay: async ({ id }) => this.underWay.has(id),
      rollOver: async (signal) => {
        this.rolledOver += 1;
        if (this.rollMs > 0) await pause(this.rollMs, signal);
      },
      discard: async (id) => {
        this.discarded.push(id);
        this.underWay.delete(id);
      },
    };
  }

  async #obtain(request: OrderRequest, signal: AbortSignal): Promise<OrderResult> {
    this.orders.push({ at: Date.now(), request });
    this.underWay.add(request.id);
    this.open += 1;
    this.mostOpen = Math.max(this.mostOpen, this.open);
    try {
      if (this.takeMs > 0) await pause(this.takeMs, signal);
      const error = this.answer(request, this.orders.length);
      if (error !== null) throw error;
      const made = instantCertificate(request.names, Date.now(), Date.now() + this.life);
      const { profile } = request;
      return { ...made, profile, issuer: this.id, certificateUrl: 'https://ca.test/cert/1', droppedReplaces: false };
    } finally {
      this.open -= 1;
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(new PorticoError('ACME_ABORTED', 'aborted'));
    });
  });
}

/** A store that can be told to fail. */
export class FailingStore implements Store {
  readonly inner = new MemoryStore();
  reads = false;
  writes = false;

  get(key: string): Promise<Buffer | null> {
    return this.reads ? Promise.reject(broken('STORE_UNREADABLE')) : this.inner.get(key);
  }

  list(folder: string): Promise<string[]> {
    return this.reads ? Promise.reject(broken('STORE_UNREADABLE')) : this.inner.list(folder);
  }

  put(key: string, value: Uint8Array | string): Promise<void> {
    return this.writes ? Promise.reject(broken('STORE_UNWRITABLE')) : this.inner.put(key, value);
  }

  delete(key: string): Promise<void> {
    return this.writes ? Promise.reject(broken('STORE_UNWRITABLE')) : this.inner.delete(key);
  }

  lock(): Promise<StoreLock> {
    return this.inner.lock();
  }
}

function broken(code: string): PorticoError {
  return new PorticoError(code, 'no space left on device');
}

/** Sets the wall clock, as an administrator or NTP does: timers do not notice. */
export function jumpClock(ms: number): void {
  vi.setSystemTime(Date.now() + ms);
}

/** Everything around one manager. Make it with {@link newBench}; the fake timers must be on. */
export class Bench {
  readonly store = new FailingStore();
  readonly events: CertificateEvent[] = [];
  readonly problems: PorticoError[] = [];
  issuers: FakeIssuer[] = [new FakeIssuer()];
  addresses: (name: string) => boolean | null = () => true;
  /** Names for which a DNS challenge is possible. */
  dnsNames = new Set<string>();
  sets: readonly (readonly string[])[] = [['example.com']];
  manager: AcmeManager | null = null;

  get issuer(): FakeIssuer {
    return this.issuers[0]!;
  }

  get plan(): AcmePlan {
    const certificates = this.sets.map(planCertificate);
    return {
      certificates,
      challenges: new Map(certificates.flatMap(({ names }) => names).map((name) => [name, this.#choice(name)])),
      issuers: this.issuers.map(({ port }) => port),
      keyType: 'ecdsa-p256',
    };
  }

  #choice(name: string): ChallengeChoice {
    const types = this.dnsNames.has(name) ? (['dns-01'] as const) : (['tls-alpn-01', 'http-01'] as const);
    return { name, possible: types.map((type) => ({ type, provided: null })), impossible: [] };
  }

  /** Opens and starts a manager, as a start of the program does. */
  async start(): Promise<AcmeManager> {
    const manager = await this.openOnly();
    manager.start();
    return manager;
  }

  async openOnly(): Promise<AcmeManager> {
    this.manager = await AcmeManager.open(this.plan, {
      store: this.store,
      clock: { now: () => Date.now(), monotonic: () => performance.now() },
      random: () => 0.5,
      hasAddress: async (name) => this.addresses(name),
      ariCertId: (chain) => `ari-${chain.length}`,
      mayTryNextIssuer: (error) => (error as { type?: string }).type !== 'unauthorized',
      observer: {
        certificate: (event) => this.events.push(event),
        problem: (problem) => this.problems.push(problem),
      },
    });
    return this.manager;
  }

  async restart(): Promise<AcmeManager> {
    await this.manager?.close();
    return await this.start();
  }

  /** Lets time pass. */
  async pass(ms: number): Promise<void> {
    await vi.advanceTimersByTimeAsync(ms);
  }

  state(name = 'example.com'): CertificateState {
    const found = this.manager?.state().find(({ names }) => names.includes(name));
    if (found === undefined) throw new Error(`${name} is not planned`);
    return found;
  }

  kinds(): string[] {
    return this.events.map(({ kind }) => kind);
  }

  ofKind<K extends CertificateEvent['kind']>(kind: K): Extract<CertificateEvent, { kind: K }>[] {
    return this.events.filter((event): event is Extract<CertificateEvent, { kind: K }> => event.kind === kind);
  }
}

export async function newBench(): Promise<Bench> {
  const bench = new Bench();
  await bench.store.lock();
  return bench;
}
