/** What an order in a test is made with: a store, a clock that waiting moves, solvers that prove to the fake CA. */
import type { ChallengeSolver, ChallengeTask, ChallengeType } from '../../../src/acme/challenge.ts';
import { openAcmeClient } from '../../../src/acme/client.ts';
import type { AcmeClient, AcmeClientDeps, AcmeIssuer } from '../../../src/acme/client.ts';
import { issuerIdOf } from '../../../src/acme/issuer.ts';
import type { OrderDeps, OrderRequest, OrderStep } from '../../../src/acme/order.ts';
import type { Clock } from '../../../src/base/clock.ts';
import { MemoryStore } from '../../../src/store/memory-store.ts';
import type { FakeCa } from './fake-ca.ts';

/** The fake CA as an issuer. */
export function issuerOf(
  ca: Pick<FakeCa, 'directoryUrl' | 'tlsCaPem'>,
  overrides: Partial<AcmeIssuer> = {},
): AcmeIssuer {
  return {
    id: issuerIdOf(ca.directoryUrl),
    name: 'fake',
    directoryUrl: ca.directoryUrl,
    caPem: ca.tlsCaPem,
    eab: null,
    email: null,
    ...overrides,
  };
}

/** A clock that is moved by waiting, and remembers for how long. */
export class WaitedClock implements Clock {
  readonly waits: number[] = [];
  #ahead = 0;

  now(): number {
    return Date.now() + this.#ahead;
  }

  monotonic(): number {
    return this.#ahead;
  }

  get waited(): number {
    return this.waits.reduce((sum, wait) => sum + wait, 0);
  }

  readonly pause = async (milliseconds: number, signal: AbortSignal): Promise<void> => {
    signal.throwIfAborted();
    this.waits.push(milliseconds);
    this.#ahead += milliseconds;
  };
}

/** Shows the key authorization to the CA, and records what it was called with. */
export class ProofSolver implements ChallengeSolver {
  readonly type: ChallengeType;
  readonly presented: ChallengeTask[] = [];
  readonly cleaned: ChallengeTask[] = [];
  readonly #ca: FakeCa;

  constructor(ca: FakeCa, type: ChallengeType) {
    this.#ca = ca;
    this.type = type;
  }

  async present(task: ChallengeTask): Promise<void> {
    this.presented.push(task);
    this.#ca.proofs.set(task.token, task.keyAuthorization);
  }

  async cleanUp(task: ChallengeTask): Promise<void> {
    this.cleaned.push(task);
    this.#ca.proofs.delete(task.token);
  }
}

/** Everything together. */
export interface OrderSetup {
  readonly store: MemoryStore;
  readonly clock: WaitedClock;
  readonly http: ProofSolver;
  readonly alpn: ProofSolver;
  readonly dns: ProofSolver;
  readonly steps: OrderStep[];
  readonly issuer: AcmeIssuer;
  open(overrides?: Partial<AcmeClientDeps>): Promise<AcmeClient>;
  deps(client: AcmeClient): OrderDeps;
}

/** A fresh setup; `store` to go on with an older one. */
export async function orderSetup(
  ca: FakeCa,
  overrides: { readonly store?: MemoryStore; readonly issuer?: Partial<AcmeIssuer> } = {},
): Promise<OrderSetup> {
  const store = overrides.store ?? new MemoryStore();
  if (overrides.store === undefined) await store.lock();
  const clock = new WaitedClock();
  const issuer = issuerOf(ca, overrides.issuer);
  const [http, alpn, dns] = [
    new ProofSolver(ca, 'http-01'),
    new ProofSolver(ca, 'tls-alpn-01'),
    new ProofSolver(ca, 'dns-01'),
  ];
  const steps: OrderStep[] = [];
  return {
    store,
    clock,
    http,
    alpn,
    dns,
    steps,
    issuer,
    open: (more = {}) =>
      openAcmeClient(issuer, { store, clock, pause: clock.pause, ...more }, AbortSignal.timeout(60_000)),
    deps: (client) => ({ client, solvers: [http, alpn, dns], store, clock, log: (step) => void steps.push(step) }),
  };
}

/** An order for these names by HTTP-01, or as said. */
export function requestFor(names: readonly string[], overrides: Partial<OrderRequest> = {}): OrderRequest {
  return {
    id: 'example',
    names,
    keyType: 'ecdsa-p256',
    profile: null,
    preferredChain: null,
    replaces: null,
    challenges: new Map(names.map((name) => [name, ['http-01'] as const])),
    ...overrides,
  };
}
