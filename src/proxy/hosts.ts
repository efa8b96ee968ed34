/**
 * From the Host field to the site. Host is parsed strictly, compared without case or a trailing dot, and never changed: it goes
 * upstream as the client sent it.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { REFUSALS } from '../policy/refusals.ts';
import type { Refusal } from '../policy/decision.ts';

/** `host[:port]`, as the Host field and `:authority` carry it. */
export interface Authority {
  /** Lower case, without a trailing dot; IPv6 in brackets. */
  readonly host: string;
  /** As sent; undefined when there is none. */
  readonly port: string | undefined;
  readonly isIp: boolean;
}

/** What a host table needs of a site. */
export interface Hosted {
  /** Lower case, `host` or `host:port`; IPv6 in brackets. */
  readonly hosts: readonly string[];
}

/** Finds the site of a Host. */
export interface HostTable<S extends Hosted> {
  /**
   * The site that answers to an authority, or why none does: `HOST_INVALID`, `HOST_UNKNOWN`.
   * @param ipMeansDefault - an IP literal that is no site's own leads to the default site (federation listeners: testers and
   *   old servers connect like that)
   */
  find(authority: string, ipMeansDefault: boolean): S | Refusal;
  /** Sites that answer to a host name on any port; empty when there are none. */
  sitesOf(hostname: string): readonly S[];
}

const AUTHORITY = /^(?:(\[[0-9A-Fa-f:.]+\])|([0-9A-Za-z_-]+(?:\.[0-9A-Za-z_-]+)*)\.?)(?::(\d{1,5}))?$/;

/**
 * Parses `host[:port]` as Portico accepts it: a DNS name (underscores pass), an IPv4 literal, or an IPv6 literal in brackets.
 * Stricter than RFC 3986: no user, no percent signs, no empty port, no empty labels.
 * @returns null when the text is anything else
 */
export function parseAuthority(text: string): Authority | null {
  const match = AUTHORITY.exec(text);
  if (match === null || text.length > 300) return null;
  const port = match[3];
  if (port !== undefined && Number(port) > 65535) return null;
  const bracketed = match[1];
  if (bracketed !== undefined) {
    return isIPv6(bracketed.slice(1, -1)) ? { host: bracketed.toLowerCase(), port, isIp: true } : null;
  }
  const host = (match[2] ?? '').toLowerCase();
  return { host, port, isIp: isIPv4(host) };
}

/**
 * Builds the table.
 * @param defaultName - the host whose site answers for IP literals; the first site does when nobody has it
 */
export function createHostTable<S extends Hosted>(sites: readonly S[], defaultName: string): HostTable<S> {
  const byHost = new Map<string, S>();
  const byHostname = new Map<string, Set<S>>();
  for (const site of sites) {
    for (const written of site.hosts) {
      const authority = parseAuthority(written);
      // Two sites with one name is a config error that `check` reports; the first one written keeps it here.
      if (!byHost.has(written)) byHost.set(written, site);
      const hostname = authority?.host ?? written;
      byHostname.set(hostname, (byHostname.get(hostname) ?? new Set()).add(site));
    }
  }
  const arrays = new Map([...byHostname].map(([hostname, found]) => [hostname, Object.freeze([...found])]));
  const defaultHost = parseAuthority(defaultName)?.host ?? defaultName;
  const defaultSite = byHost.get(defaultName) ?? arrays.get(defaultHost)?.[0] ?? sites[0];
  const nobody: readonly S[] = Object.freeze([]);

  /** `host:port` with a host as it is written in the table: frequent, and needs no parsing. */
  function knownWithPort(text: string): S | undefined {
    const colon = text.lastIndexOf(':');
    return colon > 0 && isPort(text, colon + 1) ? byHost.get(text.slice(0, colon)) : undefined;
  }

  return {
    find: (text, ipMeansDefault) => {
      const known = byHost.get(text) ?? knownWithPort(text);
      if (known !== undefined) return known;
      const authority = parseAuthority(text);
      if (authority === null) return REFUSALS.HOST_INVALID;
      const { host, port } = authority;
      const site = (port === undefined ? undefined : byHost.get(`${host}:${port}`)) ?? byHost.get(host);
      if (site !== undefined) return site;
      return authority.isIp && ipMeansDefault && defaultSite !== undefined ? defaultSite : REFUSALS.HOST_UNKNOWN;
    },
    sitesOf: (hostname) => arrays.get(hostname) ?? nobody,
  };
}

function isPort(text: string, start: number): boolean {
  if (start === text.length || text.length - start > 5) return false;
  let port = 0;
  for (let index = start; index < text.length; index += 1) {
    const digit = text.charCodeAt(index) - 0x30;
    if (digit < 0 || digit > 9) return false;
    port = port * 10 + digit;
  }
  return port <= 65535;
}
