/** One server of the lab: a homeserver behind its front door, on a host of its own, found as its plan says. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { TestCa } from '../../helpers/test-certificates.ts';
import { startDendrite } from '../harness/dendrite.ts';
import type { Homeserver, HomeserverKind } from '../harness/homeserver.ts';
import type { HomeserverAddress } from '../harness/matrix-client.ts';
import type { Service } from '../harness/service.ts';
import { startSynapse } from '../harness/synapse.ts';
import { webRequest } from '../harness/web-request.ts';
import type { Plan } from './forms.ts';
import { HOMESERVER_PORT, METRICS_PORT, metricsUrl, porticoPort, startFront, type FrontKind } from './front.ts';
import type { LabHost } from './network.ts';

/** Of a homeserver with a listener for federation of its own. */
export const FEDERATION_PORT = 8048;
const STARTERS = { synapse: startSynapse, dendrite: startDendrite } as const;

/** A running server. */
export class Home {
  readonly plan: Plan;
  readonly kind: HomeserverKind;
  /** Where its clients go. */
  readonly client: HomeserverAddress;
  /** The homeserver itself, for those who must not depend on what is in front. */
  readonly direct: HomeserverAddress;
  /** Portico's config; null where it has no part. */
  readonly configPath: string | null;
  readonly #host: LabHost;
  readonly #directory: string;
  /** The outermost last. */
  #front: readonly Service[];
  readonly #homeserver: Homeserver;

  private constructor(
    plan: Plan,
    host: LabHost,
    ca: TestCa,
    directory: string,
    front: readonly Service[],
    homeserver: Homeserver,
    kindOfFront: FrontKind,
  ) {
    this.plan = plan;
    this.kind = homeserver.kind;
    this.client = { base: plan.clientUrl, ca: ca.ca };
    this.direct = { base: `http://${host.ipv4}:${HOMESERVER_PORT}`, ca: ca.ca };
    this.configPath = kindOfFront === 'nginx' ? null : join(directory, 'portico.yaml');
    this.#host = host;
    this.#directory = directory;
    this.#front = front;
    this.#homeserver = homeserver;
  }

  /**
   * Starts both and waits until they serve.
   *
   * @throws ServiceStartError
   */
  static async start(
    kind: HomeserverKind,
    plan: Plan,
    host: LabHost,
    ca: TestCa,
    directory: string,
    kindOfFront: FrontKind = 'portico',
  ): Promise<Home> {
    mkdirSync(directory, { recursive: true });
    const { cert, key } = await ca.issue(plan.certificate);
    writeFileSync(join(directory, 'chain.pem'), cert);
    writeFileSync(join(directory, 'key.pem'), key, { mode: 0o600 });
    writeFileSync(join(directory, 'portico.yaml'), stringify(configOf(kind, plan, host, kindOfFront)));
    const [front, homeserver] = await Promise.allSettled([
      startFront(kindOfFront, host, directory),
      STARTERS[kind]({
        serverName: plan.serverName,
        clientUrl: plan.clientUrl,
        port: HOMESERVER_PORT,
        address: host.ipv4,
        directory: join(directory, 'homeserver'),
        trustedCas: [ca.ca],
        prefix: host.prefix,
        ...(plan.federationUrl && kind === 'synapse' && { federationPort: FEDERATION_PORT }),
      }),
    ]);
    if (front.status === 'fulfilled' && homeserver.status === 'fulfilled') {
      return new Home(plan, host, ca, directory, front.value, homeserver.value, kindOfFront);
    }
    if (front.status === 'fulfilled') for (const service of front.value) await service.stop();
    if (homeserver.status === 'fulfilled') await homeserver.value.service.stop();
    throw front.status === 'rejected' ? front.reason : (homeserver as PromiseRejectedResult).reason;
  }

  /**
   * As after an upgrade: SIGTERM, its end, a new process.
   *
   * @throws Error when it does not end with exit code 0
   */
  async restartPortico(): Promise<void> {
    await this.#stopFront();
    this.#front = await startFront('portico', this.#host, this.#directory);
  }

  /** Connections that came to the listeners of this role since Portico's start. */
  async connections(role: 'https' | 'federation'): Promise<number> {
    const { body } = await webRequest({ base: metricsUrl(this.#host), path: '/metrics', timeoutMs: 5000 });
    const line = new RegExp(`^portico_connections_total\\{role="${role}"\\} (\\d+)$`, 'm').exec(body.toString());
    return Number(line?.[1] ?? 'NaN');
  }

  /** Ends of both logs, for a failure message. */
  describeLogs(): string {
    return [...this.#front, this.#homeserver.service].map((service) => service.describeLog(12)).join('\n');
  }

  async stop(): Promise<void> {
    try {
      await this.#stopFront();
    } finally {
      await this.#homeserver.service.stop();
    }
  }

  async #stopFront(): Promise<void> {
    const problems: string[] = [];
    for (const service of this.#front.toReversed()) {
      const { code, signal } = await service.stop();
      if (code === 0 && signal === null) continue;
      problems.push(`${service.name} did not end well: ${signal ?? `exit code ${code ?? 'none'}`}`);
    }
    if (problems.length > 0) throw new Error([...problems, this.describeLogs()].join('\n'));
  }
}

function configOf(kind: HomeserverKind, plan: Plan, host: LabHost, front: FrontKind): Record<string, unknown> {
  const url = `http://${host.ipv4}:${HOMESERVER_PORT}`;
  // Dendrite has one listener for everything; there the second URL names the same.
  const federation = kind === 'synapse' ? `http://${host.ipv4}:${FEDERATION_PORT}` : url;
  return {
    listeners: [
      { address: `:${porticoPort(front, 443)}`, role: 'https' },
      { address: `:${porticoPort(front, plan.federationPort)}`, role: 'federation' },
    ],
    sites: [
      {
        server_name: plan.serverName,
        homeserver: { url, kind, ...(plan.federationUrl && { federation_url: federation }) },
        ...plan.site,
      },
    ],
    certificates: [{ names: plan.certificate, files: { chain: 'chain.pem', key: 'key.pem' } }],
    ...(front !== 'portico' && { trusted_proxies: [host.ipv4] }),
    store: { path: 'store' },
    metrics: { listen: `${host.ipv4}:${METRICS_PORT}` },
  };
}
