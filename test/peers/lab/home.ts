/** One server of the lab: a homeserver behind its Portico, on a host of its own, found as its plan says. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { TestCa } from '../../helpers/test-certificates.ts';
import { startDendrite } from '../harness/dendrite.ts';
import type { Homeserver, HomeserverKind } from '../harness/homeserver.ts';
import type { HomeserverAddress } from '../harness/matrix-client.ts';
import { Service } from '../harness/service.ts';
import { startSynapse } from '../harness/synapse.ts';
import { webRequest } from '../harness/web-request.ts';
import { REPOSITORY } from '../install/place.ts';
import type { Plan } from './forms.ts';
import type { LabHost } from './network.ts';

const HOMESERVER_PORT = 8008;
const FEDERATION_PORT = 8048;
const METRICS_PORT = 9464;
const STARTERS = { synapse: startSynapse, dendrite: startDendrite } as const;

/** A running server. */
export class Home {
  readonly plan: Plan;
  readonly kind: HomeserverKind;
  /** Where its clients go. */
  readonly client: HomeserverAddress;
  readonly #host: LabHost;
  readonly #directory: string;
  #portico: Service;
  readonly #homeserver: Homeserver;

  private constructor(
    plan: Plan,
    host: LabHost,
    ca: TestCa,
    directory: string,
    portico: Service,
    homeserver: Homeserver,
  ) {
    this.plan = plan;
    this.kind = homeserver.kind;
    this.client = { base: plan.clientUrl, ca: ca.ca };
    this.#host = host;
    this.#directory = directory;
    this.#portico = portico;
    this.#homeserver = homeserver;
  }

  /**
   * Starts both and waits until they serve.
   *
   * @throws ServiceStartError
   */
  static async start(kind: HomeserverKind, plan: Plan, host: LabHost, ca: TestCa, directory: string): Promise<Home> {
    mkdirSync(directory, { recursive: true });
    const { cert, key } = await ca.issue(plan.certificate);
    writeFileSync(join(directory, 'chain.pem'), cert);
    writeFileSync(join(directory, 'key.pem'), key, { mode: 0o600 });
    writeFileSync(join(directory, 'portico.yaml'), stringify(configOf(kind, plan, host)));
    const [portico, homeserver] = await Promise.allSettled([
      startPortico(plan, host, directory),
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
    if (portico.status === 'fulfilled' && homeserver.status === 'fulfilled') {
      return new Home(plan, host, ca, directory, portico.value, homeserver.value);
    }
    if (portico.status === 'fulfilled') await portico.value.stop();
    if (homeserver.status === 'fulfilled') await homeserver.value.service.stop();
    throw portico.status === 'rejected' ? portico.reason : (homeserver as PromiseRejectedResult).reason;
  }

  /**
   * As after an upgrade: SIGTERM, its end, a new process.
   *
   * @throws Error when it does not end with exit code 0
   */
  async restartPortico(): Promise<void> {
    await this.#stopPortico();
    this.#portico = await startPortico(this.plan, this.#host, this.#directory);
  }

  /** Connections that came to the listeners of this role since Portico's start. */
  async connections(role: 'https' | 'federation'): Promise<number> {
    const { body } = await webRequest({ base: metricsUrl(this.#host), path: '/metrics', timeoutMs: 5000 });
    const line = body.toString().match(new RegExp(`^portico_connections_total\\{role="${role}"\\} (\\d+)$`, 'm'));
    return Number(line?.[1] ?? 'NaN');
  }

  /** Ends of both logs, for a failure message. */
  describeLogs(): string {
    return `${this.#portico.describeLog(12)}\n${this.#homeserver.service.describeLog(12)}`;
  }

  async stop(): Promise<void> {
    try {
      await this.#stopPortico();
    } finally {
      await this.#homeserver.service.stop();
    }
  }

  async #stopPortico(): Promise<void> {
    const { code, signal } = await this.#portico.stop();
    if (code === 0 && signal === null) return;
    throw new Error(`Portico did not end well: ${signal ?? `exit code ${code ?? 'none'}`}\n${this.describeLogs()}`);
  }
}

function metricsUrl(host: LabHost): string {
  return `http://${host.ipv4}:${METRICS_PORT}`;
}

function configOf(kind: HomeserverKind, plan: Plan, host: LabHost): Record<string, unknown> {
  const url = `http://${host.ipv4}:${HOMESERVER_PORT}`;
  // Dendrite has one listener for everything; there the second URL names the same.
  const federation = kind === 'synapse' ? `http://${host.ipv4}:${FEDERATION_PORT}` : url;
  return {
    listeners: [
      { address: ':443', role: 'https' },
      { address: `:${plan.federationPort}`, role: 'federation' },
    ],
    sites: [
      {
        server_name: plan.serverName,
        homeserver: { url, kind, ...(plan.federationUrl && { federation_url: federation }) },
        ...plan.site,
      },
    ],
    certificates: [{ names: plan.certificate, files: { chain: 'chain.pem', key: 'key.pem' } }],
    store: { path: 'store' },
    metrics: { listen: `${host.ipv4}:${METRICS_PORT}` },
  };
}

function startPortico(plan: Plan, host: LabHost, directory: string): Promise<Service> {
  const main = process.env.PORTICO_MAIN ?? join(REPOSITORY, 'src', 'main.ts');
  const config = join(directory, 'portico.yaml');
  const [command = '', ...args] = [...host.prefix, process.execPath, main, 'run', '--config', config];
  return Service.start({
    name: `Portico ${plan.serverName}`,
    command,
    args,
    cwd: directory,
    startLimitMs: 60_000,
    isReady: async () =>
      (await webRequest({ base: metricsUrl(host), path: '/health/ready', timeoutMs: 5000 })).status === 200,
  });
}
