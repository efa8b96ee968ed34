/**
 * The names that follow from a site: what peers and clients put into Host, what they expect in the certificate, where
 * clients are sent. Source: Matrix specification v1.19, server-server API, "Resolving server names".
 */
import type { ServerName } from '../base/server-name.ts';
import type { Config } from './schema.ts';
import type { Site } from './sections/sites.ts';

/**
 * Every Host the site answers to, lower case, `host` or `host:port`, IPv6 in brackets, each once. The first is the server
 * name. Names as peers send them come with the port they were configured with; each is listed without it, too, since clients
 * leave out the port of https.
 */
export function hostsOfSite(site: Site): string[] {
  const names = [site.server_name, ...(announcedName(site) ?? [])];
  return unique([
    ...names.flatMap((name) => [name.text.toLowerCase(), bracketed(name.hostname)]),
    ...site.hosts.map(bracketed),
  ]);
}

/**
 * The names that need a certificate for this site, in lower case; IP literals without brackets. Peers check the server name
 * unless a well-known document gave them another one, also with SRV; the server name itself must answer https when the base
 * domain is here.
 */
export function certificateNamesOfSite(site: Site): string[] {
  const announced = announcedName(site)?.map((name) => name.hostname) ?? [];
  const own = announced.length === 0 || site.base_domain === 'here' ? [site.server_name.hostname] : [];
  return unique([...own, ...announced, ...site.hosts]);
}

/** Where clients are sent: `client.base_url`, else https and the first of hosts, else the delegated, else the server name. */
export function clientBaseUrl(site: Site): string {
  if (site.client.base_url !== undefined) return site.client.base_url;
  const [first] = site.hosts;
  if (first !== undefined) return `https://${bracketed(first)}`;
  const [announced] = announcedName(site) ?? [];
  if (announced === undefined) return `https://${bracketed(site.server_name.hostname)}`;
  // A delegated name's port is for peers; clients take it only when it is all there is to know.
  return `https://${bracketed(announced.hostname)}`;
}

/**
 * Whose certificate a client without SNI gets: `tls.default_name`, else the first name of the first site that needs a
 * certificate (its server name, or the delegated name when the server name is answered elsewhere).
 */
export function defaultTlsName(config: Pick<Config, 'tls' | 'sites'>): string {
  const [first] = config.sites;
  return config.tls.default_name ?? (first === undefined ? '' : (certificateNamesOfSite(first)[0] ?? ''));
}

function announcedName(site: Site): ServerName[] | undefined {
  return site.delegation === 'well-known' && site.delegated_name !== undefined ? [site.delegated_name] : undefined;
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}
