/** What planning needs to know of a site, as plain data, and what follows from it for its peers. Pure. */
import type { ServerName } from '../../base/server-name.ts';
import type { Expected } from '../doctor/evidence.ts';
import type { WellKnownData } from '../well-known-data.ts';

/** One name that an authority is to certify. */
export interface NameToCertify {
  /** Without `*.`. */
  readonly name: string;
  readonly wildcard: boolean;
  /** ACME's names of the challenges that can work. */
  readonly challenges: readonly string[];
}

/** A site. */
export interface PlanSite {
  readonly name: ServerName;
  readonly delegation: 'none' | 'well-known' | 'srv';
  readonly baseDomain: 'here' | 'elsewhere';
  readonly delegatedName: ServerName | null;
  /** Further hosts, DNS names and IP literals without brackets. */
  readonly hosts: readonly string[];
  readonly documents: WellKnownData;
  readonly expected: Expected;
  readonly listeners: readonly { readonly role: 'https' | 'federation' | 'http'; readonly port: number }[];
  /** Authorities in order of preference; empty without ACME. */
  readonly issuers: readonly { readonly name: string; readonly directoryUrl: string }[];
  readonly certify: readonly NameToCertify[];
  /** TXT records that dns-persist-01 wants; without a value, `note` says what is missing for it. */
  readonly persist: readonly { readonly name: string; readonly value: string | null; readonly note: string | null }[];
}

/** Where peers come to once everything is set. */
export interface PeersPlace {
  /** DNS name or IP literal whose addresses they connect to. */
  readonly host: string;
  readonly port: number;
  /** The name below which they look for SRV records on the way; null: they do not look. */
  readonly srvName: string | null;
}

/** The port of step 6, and of everything without another one. */
export const MATRIX_PORT = 8448;

/** Source: Matrix specification v1.19, server-server API, "Resolving server names". */
export function peersPlace(site: PlanSite): PeersPlace {
  const { name, delegation, delegatedName, hosts, listeners } = site;
  const asName = (one: ServerName): PeersPlace => ({
    host: one.hostname,
    port: one.port ?? MATRIX_PORT,
    srvName: one.isIp || one.port !== undefined ? null : one.hostname,
  });
  if (delegation === 'well-known' && delegatedName !== null) return asName(delegatedName);
  if (delegation === 'none') return asName(name);
  const tls = listeners.filter(({ role }) => role !== 'http');
  const federation = tls.find(({ role }) => role === 'federation') ?? tls[0];
  const target = hosts.find(isDns) ?? name.hostname;
  return { host: target, port: federation?.port ?? MATRIX_PORT, srvName: name.hostname };
}

/** The DNS names that must lead to this Portico, each once, with the reason. */
export function namesToUs(site: PlanSite): Map<string, string> {
  const found = new Map<string, string>();
  const add = (name: string, why: string): void => {
    if (isDns(name) && !found.has(name)) found.set(name, why);
  };
  add(peersPlace(site).host, 'peers connect to it');
  if (site.baseDomain === 'here') add(site.name.hostname, 'clients and peers ask it for the discovery documents');
  for (const host of site.hosts) add(host, 'clients connect to it');
  return found;
}

/** True for a DNS name, false for an IP literal without brackets. */
function isDns(host: string): boolean {
  return !host.includes(':') && !/^[\d.]+$/.test(host);
}
