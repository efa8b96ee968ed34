/** From the config and the certificates follows the snapshot; a pure function, so that a test can hold it against both. */
import type { CertificateData } from './base/certificate.ts';
import { REQUEST_CLASSES } from './base/request-class.ts';
import {
  certificateNamesOfSite,
  clientBaseUrl,
  defaultTlsName,
  hostsOfSite,
  type Config,
  type Fallback,
  type Site,
  type UpstreamUrl,
} from './config/index.ts';
import { wellKnownData } from './delegation/well-known.ts';
import type { WellKnownData } from './delegation/well-known-data.ts';
import type { ClassLimits, LimitsData } from './policy/class-limits.ts';
import type { FallbackData, ListenerData, SiteData, Snapshot, UpstreamData } from './proxy/snapshot.ts';
import type { TicketKeyData } from './tls/ticket-key-data.ts';

/** What a snapshot is made of. */
export interface SnapshotInput {
  readonly version: number;
  readonly config: Config;
  readonly certificates: readonly CertificateData[];
  readonly ticketKey: TicketKeyData;
  /** Trust anchors by the path in the config (PEM). */
  readonly caFiles: ReadonlyMap<string, string>;
}

/** @throws Error when `caFiles` lacks a file that the config names */
export function buildSnapshot(input: SnapshotInput): Snapshot {
  const { config } = input;
  return {
    version: input.version,
    listeners: config.listeners.map((listener): ListenerData => ({
      host: listener.address.host,
      port: listener.address.port,
      role: listener.role,
      only: listener.only.length > 0 ? 'federation' : null,
      http2: listener.role === 'https' ? config.http2.https : listener.role === 'federation' && config.http2.federation,
    })),
    sites: config.sites.map((site) => siteData(site, input.caFiles)),
    certificates: input.certificates,
    defaultName: defaultTlsName(config),
    minTlsVersion: config.tls.min_version === '1.3' ? 'TLSv1.3' : 'TLSv1.2',
    ticketKey: input.ticketKey,
    trustedProxies: config.trusted_proxies,
    limits: limitsData(config.limits),
  };
}

/** Every name that needs a certificate, without repeats. */
export function certificateNames(config: Config): string[] {
  return [...new Set(config.sites.flatMap((site) => certificateNamesOfSite(site)))];
}

/** The CA files that upstreams of the config name. */
export function caFilePaths(config: Config): string[] {
  const paths = config.sites.flatMap((site) => [
    site.homeserver.ca_file,
    site.fallback.kind === 'proxy' ? site.fallback.ca_file : undefined,
  ]);
  return [...new Set(paths.filter((path) => path !== undefined))];
}

function siteData(site: Site, caFiles: ReadonlyMap<string, string>): SiteData {
  const { homeserver } = site;
  return {
    serverName: site.server_name.text,
    hosts: hostsOfSite(site),
    homeserver: upstreamData(homeserver.url, homeserver.ca_file, caFiles),
    federation:
      homeserver.federation_url === undefined
        ? null
        : upstreamData(homeserver.federation_url, homeserver.ca_file, caFiles),
    wellKnown: wellKnownOfSite(site),
    expose: site.expose,
    fallback: fallbackData(site.fallback, caFiles),
  };
}

/** The discovery documents of a site, as they are served and as the base domain must serve them when it is elsewhere. */
export function wellKnownOfSite(site: Site): WellKnownData {
  return wellKnownData({
    delegation: site.delegation,
    delegatedName: site.delegated_name?.text ?? null,
    clientBaseUrl: clientBaseUrl(site),
    clientExtra: site.well_known.client,
    support: site.well_known.support ?? null,
    policyServer: site.well_known.policy_server ?? null,
    maxAgeSeconds: Math.floor(site.well_known.max_age / 1000),
  });
}

function fallbackData(fallback: Fallback, caFiles: ReadonlyMap<string, string>): FallbackData {
  if (fallback.kind !== 'proxy') return fallback;
  return { kind: 'proxy', upstream: upstreamData(fallback.upstream, fallback.ca_file, caFiles) };
}

function upstreamData(
  url: UpstreamUrl,
  caFile: string | undefined,
  caFiles: ReadonlyMap<string, string>,
): UpstreamData {
  let ca: string | null = null;
  if (caFile !== undefined) {
    const pem = caFiles.get(caFile);
    if (pem === undefined) throw new Error(`the CA file ${caFile} was not read`);
    ca = pem;
  }
  return { id: url.text, transport: url.transport, host: url.host, port: url.port, socketPath: url.socketPath, ca };
}

function limitsData(limits: Config['limits']): LimitsData {
  const classes = Object.fromEntries(
    REQUEST_CLASSES.map((name): [string, ClassLimits] => {
      const section = limits.classes[name];
      return [
        name,
        {
          responseHeadMs: section.response_head,
          responseIdleMs: section.response_idle,
          requestIdleMs: section.request_idle,
          minRequestRate: section.min_request_rate,
          minResponseRate: section.min_response_rate,
          maxBodyBytes: section.max_body,
          maxConcurrent: section.max_concurrent,
        },
      ];
    }),
  ) as LimitsData['classes'];
  return {
    classes,
    connectionsPerAddress: limits.connections_per_address,
    requestsPerAddress: limits.requests_per_address,
    maxConnections: limits.max_connections,
    maxHandshakes: limits.max_handshakes,
    handshakeMs: limits.handshake,
    requestHeadMs: limits.request_head,
    keepAliveMs: limits.keep_alive,
    maxHeadBytes: limits.max_head,
    maxTargetBytes: limits.max_target,
    maxFields: limits.max_fields,
    connectMs: limits.connect,
    upstreamIdleConnections: limits.upstream_idle_connections,
    upstreamIdleMs: limits.upstream_idle,
    upstreamMaxConnections: limits.upstream_max_connections,
    queueMs: limits.queue,
  };
}
