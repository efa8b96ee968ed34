/** Certificates by ACME in a running Portico: the manager with everything it needs, given another config on reload. */
import { acmeIssuers } from './acme-issuers.ts';
import { createAcmeObserver, logOrderStep } from './acme-observer.ts';
import { acmeOutline } from './acme-plan.ts';
import { AcmeSource } from './acme/acme-source.ts';
import { ariCertId } from './acme/ari.ts';
import type { ChallengeBoard } from './acme/challenges/board.ts';
import type { CertificateState } from './acme/certificate-state.ts';
import type { AcmeClient } from './acme/client.ts';
import { mayTryNextIssuer } from './acme/issuer.ts';
import { AcmeManager, type AcmePlan } from './acme/manager.ts';
import { hasAddress } from './acme/name-address.ts';
import type { CertificateRow, RolloverReport } from './admin/api.ts';
import type { Clock } from './base/clock.ts';
import type { Config } from './config/index.ts';
import { createStubClient } from './dns/stub-client.ts';
import { resolverServers } from './dns/system-servers.ts';
import type { AcmeMetrics } from './observability/acme-metrics.ts';
import type { Logger } from './observability/logger.ts';
import type { Store } from './store/store.ts';

export interface AcmeServiceOptions {
  readonly config: Config;
  /** Locked for as long as the service is open. */
  readonly store: Store;
  readonly clock: Clock;
  /** Cryptographically strong. */
  readonly random: (size: number) => Buffer;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly challenges: ChallengeBoard;
  readonly logger: Logger;
  readonly metrics: AcmeMetrics;
  /** Lines for a person who watches at a terminal; null when nobody does. */
  readonly progress: ((line: string) => void) | null;
}

/** Open it once a process; a config without `acme` gives it nothing to do. */
export class AcmeService {
  readonly #options: Omit<AcmeServiceOptions, 'config'>;
  readonly #manager: AcmeManager;
  readonly #clients: Set<AcmeClient>;
  #plan: AcmePlan;
  #config: Config;

  /**
   * Reads what the store has. Orders nothing before `start`.
   * @throws PorticoError as `acmeIssuers`
   */
  static async open(options: AcmeServiceOptions): Promise<AcmeService> {
    const { config, store, clock, metrics, random } = options;
    const clients = new Set<AcmeClient>();
    const plan = await planOf(config, options, clients);
    const manager = await AcmeManager.open(plan, {
      store,
      clock,
      random: () => random(4).readUInt32BE(0) / 2 ** 32,
      // Made anew each time: the system's resolvers may change, and a reload may name others.
      hasAddress: (name, signal) => {
        const servers = resolverServers(service.#config.dns.servers);
        return hasAddress(createStubClient({ servers, random }), name, signal);
      },
      ariCertId,
      mayTryNextIssuer,
      observer: createAcmeObserver(options),
    });
    const service = new AcmeService(options, manager, plan, clients);
    metrics.watchAcme(
      () => manager.state().map(viewOf),
      () =>
        manager
          .budgets()
          .flatMap(({ issuer, left }) =>
            Object.entries(left).map(([limit, tokens]) => ({ issuer, limit, left: tokens })),
          ),
    );
    return service;
  }

  private constructor(options: AcmeServiceOptions, manager: AcmeManager, plan: AcmePlan, clients: Set<AcmeClient>) {
    this.#options = options;
    this.#config = options.config;
    this.#manager = manager;
    this.#plan = plan;
    this.#clients = clients;
  }

  /** A source for one set of sources; closing it leaves the service at work. */
  source(): AcmeSource {
    return new AcmeSource(this.#manager);
  }

  /** Begins to order and to renew; call it when challenges can be answered. */
  start(): void {
    this.#manager.start();
  }

  /**
   * Takes another config; what is unchanged goes on, orders under way too.
   * @returns takes it back, for a reload that fails later on
   * @throws PorticoError as `acmeIssuers`; nothing has changed then
   */
  async setConfig(config: Config): Promise<() => Promise<void>> {
    const before = { config: this.#config, plan: this.#plan };
    await this.#take(config, await planOf(config, this.#options, this.#clients));
    return () => this.#take(before.config, before.plan);
  }

  async #take(config: Config, plan: AcmePlan): Promise<void> {
    this.#config = config;
    this.#plan = plan;
    await this.#manager.setPlan(plan);
  }

  /** True when the name's certificate comes from ACME. */
  plans(name: string): boolean {
    return this.#manager.certificateFor(name) !== null;
  }

  /**
   * Renews now what covers the name; its ladder is cleared.
   * @throws PorticoError `ACME_NOT_PLANNED`
   */
  async renew(name: string): Promise<readonly string[]> {
    const ids = new Set(await this.#manager.renewNow(name));
    return this.#manager.state().flatMap(({ id, names }) => (ids.has(id) ? names : []));
  }

  /**
   * Gives the ACME accounts new keys.
   * @throws PorticoError as `AcmeManager.rollOverKeys`
   */
  async rollOver(): Promise<RolloverReport> {
    const accounts = await this.#manager.rollOverKeys();
    return { accounts: accounts.map(({ issuer, accountUri }) => ({ issuer, account_url: accountUri })) };
  }

  /** Planned certificates as `portico certs list` shows them, those without a certificate too. */
  rows(): CertificateRow[] {
    return this.#manager.state().map(rowOf);
  }

  /** Breaks off what is under way; the next start goes on with it. */
  async close(): Promise<void> {
    await this.#manager.close();
    for (const client of this.#clients) client.close();
    this.#clients.clear();
  }
}

async function planOf(
  config: Config,
  options: Omit<AcmeServiceOptions, 'config'>,
  clients: Set<AcmeClient>,
): Promise<AcmePlan> {
  const { store, clock, random, env, challenges, logger } = options;
  return {
    ...acmeOutline(config),
    issuers: await acmeIssuers(config, {
      store,
      clock,
      random,
      env,
      challenges,
      onStep: (step) => {
        logOrderStep(step, logger);
      },
      onClient: (client) => clients.add(client),
    }),
    keyType: config.acme?.key_type ?? 'ecdsa-p256',
  };
}

function viewOf({ names, next_renewal, last_problem, renewal_info }: CertificateState) {
  return {
    name: names[0] ?? '',
    nextAt: next_renewal === null ? null : Date.parse(next_renewal),
    problem: last_problem === null ? null : (last_problem.type ?? last_problem.code),
    windowStart: renewal_info === null ? null : Date.parse(renewal_info.start),
  };
}

function rowOf(state: CertificateState): CertificateRow {
  const { names, source, issuer, profile, not_after, days_left, next_renewal, reason, last_problem } = state;
  return {
    names,
    source,
    issuer,
    profile,
    not_after,
    days_left: days_left === null ? null : Math.floor(days_left),
    next_renewal,
    reason: state.under_way ? `being ordered now (${reason})` : reason,
    last_problem,
  };
}
