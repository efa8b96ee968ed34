/** The solvers for DNS, put together from settings: what `acme.dns` and `dns.servers` say, as plain data. */
import type { Clock } from '../../base/clock.ts';
import { PorticoError } from '../../base/errors.ts';
import { parseDnsServer } from '../../dns/server-address.ts';
import { createStubClient } from '../../dns/stub-client.ts';
import { resolverServers } from '../../dns/system-servers.ts';
import type { TsigAlgorithm } from '../../dns/tsig.ts';
import type { ChallengeSolver } from '../challenge.ts';
import { dns01Solver } from './dns-01.ts';
import { dnsPersist01Solver } from './dns-persist-01.ts';
import type { DnsProvider } from './dns-provider.ts';
import { execProvider } from './providers/exec.ts';
import { rfc2136Provider } from './providers/rfc2136.ts';
import { webhookProvider } from './providers/webhook.ts';

/** How records are made; one of the three ways. */
export type DnsProviderSettings =
  | {
      readonly kind: 'rfc2136';
      /** As in the config: an address with an optional port. */
      readonly server: string;
      readonly keyName: string;
      readonly algorithm: TsigAlgorithm;
      /** Reads the secret, base64. */
      readonly secret: () => Promise<string>;
      readonly ttl: number;
    }
  | { readonly kind: 'exec'; readonly path: string }
  | { readonly kind: 'webhook'; readonly url: string };

/** Everything the DNS challenges are told. */
export interface DnsSolverSettings {
  /** Null: dns-01 is not possible, and dns-persist-01 only with records that are there. */
  readonly provider: DnsProviderSettings | null;
  /** `acme.dns.resolvers`. */
  readonly resolvers: readonly string[];
  /** `dns.servers`. */
  readonly servers: readonly string[];
}

/** What they work with. */
export interface DnsSolverDeps {
  readonly clock: Clock;
  /** Cryptographically strong. */
  readonly random: (size: number) => Buffer;
  /** Of the process; a program gets a few of them. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Makes the solvers that are possible with these settings.
 * @throws PorticoError `DNS_UPDATE_UNREACHABLE` when the address of the server for updates is none
 */
export function dnsSolvers(settings: DnsSolverSettings, deps: DnsSolverDeps): readonly ChallengeSolver[] {
  const { clock, random } = deps;
  const resolver = createStubClient({ servers: resolverServers(settings.servers), random });
  // Without any named, the servers of the zone are asked: not those of the system.
  const checkers = settings.resolvers.length > 0 ? resolverServers(settings.resolvers) : [];
  const provider = settings.provider === null ? null : providerOf(settings.provider, { ...deps, resolver });
  const persist = dnsPersist01Solver({ provider, resolver, checkers, clock, random });
  if (provider === null) return [persist];
  const ttl = settings.provider?.kind === 'rfc2136' ? { ttl: settings.provider.ttl } : {};
  return [dns01Solver({ provider, resolver, checkers, random, ...ttl }), persist];
}

function providerOf(
  settings: DnsProviderSettings,
  deps: DnsSolverDeps & { readonly resolver: ReturnType<typeof createStubClient> },
): DnsProvider {
  switch (settings.kind) {
    case 'exec':
      return execProvider({ path: settings.path, env: deps.env });
    case 'webhook':
      return webhookProvider({ url: settings.url });
    case 'rfc2136': {
      const server = parseDnsServer(settings.server);
      if (server !== null) return rfc2136Provider({ ...settings, server }, deps);
      throw new PorticoError('DNS_UPDATE_UNREACHABLE', `${settings.server} is not the address of a DNS server.`, {
        fix: 'Write an IP address with an optional port in acme.dns.rfc2136.server.',
      });
    }
  }
}
