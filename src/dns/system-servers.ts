/** Which DNS servers to ask when the config names none. */
import { Resolver } from 'node:dns';
import { parseDnsServer, type DnsServer } from './server-address.ts';

/** More are not worth waiting for. */
const MAX_SERVERS = 8;

/**
 * The servers of the config, or else those that the system has now (on Unix those of resolv.conf, read anew each time).
 * @param configured - `dns.servers` or `acme.dns.resolvers`, which the config has checked
 */
export function resolverServers(configured: readonly string[]): readonly DnsServer[] {
  // A new Resolver looks at the system's settings again; those of the process are from its start.
  const texts = configured.length > 0 ? configured : new Resolver().getServers();
  return texts.flatMap((text) => parseDnsServer(text) ?? []).slice(0, MAX_SERVERS);
}
