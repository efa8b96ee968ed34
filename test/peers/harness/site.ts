/** A homeserver behind a Portico of its own: the unit the peer tests are made of. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startDendrite } from './dendrite.ts';
import { freePorts } from './free-ports.ts';
import type { Homeserver, HomeserverKind } from './homeserver.ts';
import type { HomeserverAddress } from './matrix-client.ts';
import { PorticoProcess } from './portico-process.ts';
import { ServiceStartError } from './service.ts';
import { startSynapse } from './synapse.ts';

const START_TRIES = 4;
const STARTERS = { synapse: startSynapse, dendrite: startDendrite } as const;

/** One site, up and serving. */
export interface Site {
  readonly kind: HomeserverKind;
  /** `localhost:PORT`, PORT being the federation listener. */
  readonly serverName: string;
  readonly federationPort: number;
  readonly httpsPort: number;
  /** Plain HTTP of the homeserver itself, on 127.0.0.1. */
  readonly directPort: number;
  /** Where clients go: the https listener, with the CA they must trust. */
  readonly client: HomeserverAddress;
  readonly portico: PorticoProcess;
  readonly homeserver: Homeserver;
  /** Ends of all logs, for a failure message. */
  describeLogs(): string;
}

/** Sites that know each other. */
export interface Sites {
  readonly all: readonly Site[];
  /**
   * Stops everything and removes what it wrote.
   *
   * @throws Error when a Portico does not end with exit code 0
   */
  stop(): Promise<void>;
}

/** What to start. */
export interface SitesOptions {
  readonly kinds: readonly HomeserverKind[];
  /** Further authorities that every homeserver trusts for federation. */
  readonly trustedCas?: readonly string[];
  /** Sections added to every Portico's config. */
  readonly config?: Readonly<Record<string, unknown>>;
}

/**
 * Starts one site per kind, each with its own Portico and its own local CA, trusted by the homeservers of the others.
 *
 * @throws ServiceStartError
 */
export async function startSites(options: SitesOptions): Promise<Sites> {
  for (let i = 1; ; i += 1) {
    try {
      return await tryStart(options);
    } catch (error) {
      const again = error instanceof ServiceStartError && error.portTaken && i < START_TRIES;
      if (!again) throw error;
    }
  }
}

async function tryStart(options: SitesOptions): Promise<Sites> {
  const directory = mkdtempSync(join(tmpdir(), 'portico-peers-'));
  const porticos: PorticoProcess[] = [];
  const homeservers: Homeserver[] = [];
  const stop = async (): Promise<void> => {
    // Portico first, as an operator would: it drains while the homeserver still answers.
    const ends = await Promise.allSettled(porticos.map((portico) => portico.stop()));
    await Promise.all(homeservers.map((homeserver) => homeserver.service.stop()));
    rmSync(directory, { recursive: true, force: true });
    const failure = ends.find((end) => end.status === 'rejected');
    if (failure !== undefined) throw failure.reason;
  };
  try {
    const plans = [];
    for (const kind of options.kinds) plans.push(await plan(kind));
    // The Porticos first: the homeservers must be told of all their CAs.
    for (const { ports, ...names } of plans) {
      const own = join(directory, `portico-${porticos.length}`);
      const homeserver = `http://127.0.0.1:${ports.direct}`;
      porticos.push(
        await PorticoProcess.start({
          ...names,
          homeserver,
          httpsPort: ports.https,
          federationPort: ports.federation,
          metricsPort: ports.metrics,
          directory: own,
          ...(options.config && { config: options.config }),
        }),
      );
    }
    const trustedCas = [...porticos.map((portico) => portico.ca), ...(options.trustedCas ?? [])];
    const sites: Site[] = [];
    for (const [i, { kind, serverName, ports }] of plans.entries()) {
      const portico = porticos[i]!;
      const base = `https://localhost:${ports.https}`;
      const homeserver = await STARTERS[kind]({
        serverName,
        clientUrl: base,
        port: ports.direct,
        directory: join(directory, `homeserver-${i}`),
        trustedCas,
      });
      homeservers.push(homeserver);
      sites.push({
        kind,
        serverName,
        federationPort: ports.federation,
        httpsPort: ports.https,
        directPort: ports.direct,
        client: { base, ca: portico.ca },
        portico,
        homeserver,
        describeLogs: () => `${portico.service.describeLog(15)}\n${homeserver.service.describeLog(15)}`,
      });
    }
    return { all: sites, stop };
  } catch (error) {
    await stop().catch(() => undefined); // The first failure is the one to show.
    throw error;
  }
}

async function plan(kind: HomeserverKind): Promise<{
  kind: HomeserverKind;
  serverName: string;
  ports: { https: number; federation: number; metrics: number; direct: number };
}> {
  const [https = 0, federation = 0, metrics = 0, direct = 0] = await freePorts(4);
  return { kind, serverName: `localhost:${federation}`, ports: { https, federation, metrics, direct } };
}
