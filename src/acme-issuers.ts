/** From the config's issuers follow those that the manager asks: each opens its account when it is first needed. */
import type { ChallengeBoard } from './acme/challenges/board.ts';
import { dnsSolvers, type DnsProviderSettings } from './acme/challenges/dns-solvers.ts';
import { http01Solver } from './acme/challenges/http-01.ts';
import { tlsAlpn01Solver } from './acme/challenges/tls-alpn-01.ts';
import type { ChallengeSolver } from './acme/challenge.ts';
import { openAcmeClient, type AcmeClient } from './acme/client.ts';
import { issuerIdOf, stagingIssuer, type AcmeIssuer } from './acme/issuer.ts';
import type { Issuer, IssuerSession } from './acme/issuing.ts';
import { discardOrder, obtain, probeStaging, type OrderDeps, type OrderStep } from './acme/order.ts';
import { isOrderPlaced } from './acme/order-state.ts';
import { limitsOf } from './acme/rate-limits.ts';
import type { Clock } from './base/clock.ts';
import { readCaFile } from './ca-file.ts';
import { systemFiles } from './config/file-reader.ts';
import type { Config } from './config/index.ts';
import { readSecret } from './config/secret-value.ts';
import type { Store } from './store/store.ts';

type AcmeConfig = NonNullable<Config['acme']>;
type IssuerConfig = AcmeConfig['issuers'][number];

/** What issuers work with. */
export interface IssuersDeps {
  readonly store: Store;
  readonly clock: Clock;
  /** Cryptographically strong. */
  readonly random: (size: number) => Buffer;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where HTTP-01 and TLS-ALPN-01 answers are pinned up. */
  readonly challenges: ChallengeBoard;
  readonly onStep: (step: OrderStep) => void;
  /** Every client that was opened, to be closed at the end. */
  readonly onClient: (client: AcmeClient) => void;
}

/**
 * The issuers of a config, in order of preference; none without the section `acme`.
 * @throws PorticoError `CA_FILE_UNREADABLE`, `DNS_UPDATE_UNREACHABLE`
 */
export async function acmeIssuers(config: Config, deps: IssuersDeps): Promise<readonly Issuer[]> {
  const { acme } = config;
  if (acme === undefined) return [];
  const solvers = challengeSolvers(config, acme, deps);
  // Whatever a session is made of: with another, sessions are opened anew. No secrets, which are read when they are needed.
  const means = JSON.stringify([acme.dns ?? null, config.dns.servers]);
  return await Promise.all(acme.issuers.map((issuer) => oneIssuer(issuer, acme, { solvers, means }, deps)));
}

async function oneIssuer(
  config: IssuerConfig,
  acme: AcmeConfig,
  { solvers, means }: { readonly solvers: readonly ChallengeSolver[]; readonly means: string },
  deps: IssuersDeps,
): Promise<Issuer> {
  const { url, name } = config.directory;
  const caPem = config.ca_file === undefined ? null : await readCaFile(config.ca_file);
  const id = issuerIdOf(url);
  const account = async (): Promise<AcmeIssuer> => ({
    id,
    name,
    directoryUrl: url,
    caPem,
    eab: await accountBinding(config, deps),
    email: acme.email ?? null,
  });
  const orderDeps = (client: AcmeClient): OrderDeps => {
    const { store, clock, onStep } = deps;
    return { client, solvers, store, clock, log: onStep };
  };
  const open = async (issuer: AcmeIssuer, signal: AbortSignal): Promise<AcmeClient> => {
    const client = await openAcmeClient(issuer, { store: deps.store, clock: deps.clock }, signal);
    deps.onClient(client);
    return client;
  };

  const staging = stagingIssuer({ id, name, directoryUrl: url, caPem, eab: null, email: acme.email ?? null });
  let probing: Promise<AcmeClient> | null = null;
  const openStaging = (issuer: AcmeIssuer, signal: AbortSignal): Promise<AcmeClient> => {
    probing ??= open(issuer, signal).catch((error: unknown) => {
      // The next probe tries again.
      probing = null;
      throw error;
    });
    return probing;
  };

  return {
    id,
    name,
    fingerprint: JSON.stringify([url, caPem, acme.email ?? null, config.eab?.kid ?? null, means]),
    profile: config.profile ?? null,
    preferredChain: config.preferred_chain ?? null,
    limits: limitsOf(url),
    connect: async (signal): Promise<IssuerSession> => {
      const client = await open(await account(), signal);
      return {
        get accountUri() {
          return client.accountUri;
        },
        profiles: () => client.profiles(),
        renewalInfo: (certId, abort) => client.renewalInfo(certId, abort),
        obtain: (request, abort) => obtain(request, orderDeps(client), abort),
        isUnderWay: (request) => isOrderPlaced(deps.store, id, request.id, request),
        discard: (order) => discardOrder(id, order, deps.store),
        rollOver: (abort) => client.keyRollover(abort),
      };
    },
    probe:
      staging === null
        ? null
        : async (request, signal) => probeStaging(request, orderDeps(await openStaging(staging, signal)), signal),
  };
}

async function accountBinding({ eab }: IssuerConfig, { env }: IssuersDeps): Promise<AcmeIssuer['eab']> {
  if (eab === undefined) return null;
  return { kid: eab.kid, hmacKey: Buffer.from(await readSecret(eab.hmac_key, env, systemFiles), 'base64url') };
}

function challengeSolvers(config: Config, { dns }: AcmeConfig, deps: IssuersDeps): readonly ChallengeSolver[] {
  const { challenges, clock, random, env } = deps;
  const settings = {
    provider: providerSettings(dns, env),
    resolvers: dns?.resolvers ?? [],
    servers: config.dns.servers,
  };
  return [
    http01Solver(challenges),
    tlsAlpn01Solver(challenges, { clock, random }),
    ...dnsSolvers(settings, { clock, random, env }),
  ];
}

function providerSettings(dns: AcmeConfig['dns'], env: IssuersDeps['env']): DnsProviderSettings | null {
  if (dns?.exec !== undefined) return { kind: 'exec', path: dns.exec };
  if (dns?.webhook !== undefined) return { kind: 'webhook', url: dns.webhook };
  if (dns?.rfc2136 === undefined) return null;
  const { server, key_name, algorithm, secret, ttl } = dns.rfc2136;
  return {
    kind: 'rfc2136',
    server,
    keyName: key_name,
    algorithm,
    ttl,
    secret: () => readSecret(secret, env, systemFiles),
  };
}
