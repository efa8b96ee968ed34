/**
 * The snapshot: everything the data plane needs, as plain immutable data (no functions, sockets or contexts), so that it
 * can cross a process boundary. The data plane builds its own objects from it and swaps them whole; a connection keeps the
 * one it started with.
 */
import type { CertificateData } from '../base/certificate.ts';
import type { WellKnownData } from '../delegation/well-known-data.ts';
import type { LimitsData } from '../policy/class-limits.ts';
import type { TicketKeyData } from '../tls/ticket-key-data.ts';

export type ListenerRole = 'https' | 'federation' | 'http';

/** An address and port Portico accepts on. */
export interface ListenerData {
  /** Undefined: all addresses of both families. */
  readonly host: string | undefined;
  /** 0 lets the system choose (tests, demo). */
  readonly port: number;
  readonly role: ListenerRole;
  /** `federation`: relays just federation, key and federation-media paths. Null: everything of the site. */
  readonly only: 'federation' | null;
  /** Offers `h2` in ALPN. */
  readonly http2: boolean;
}

/** A homeserver process that requests are relayed to. */
export interface UpstreamData {
  /** Stable name for log, metrics and pool: the URL as configured. */
  readonly id: string;
  readonly transport: 'tcp' | 'tls' | 'unix';
  /** DNS name or IP literal without brackets; empty for unix sockets. */
  readonly host: string;
  /** 0 for unix sockets. */
  readonly port: number;
  /** Path of the unix socket; empty otherwise. */
  readonly socketPath: string;
  /** Trust anchors (PEM) for `tls`; null: the system's. */
  readonly ca: string | null;
}

/** A path prefix opened beyond the safe default. */
export interface ExposeData {
  /** Starts with `/`; matches itself and everything below it. */
  readonly path: string;
  /** CIDRs of the clients it is open to; empty: everybody. */
  readonly from: readonly string[];
}

/** What answers outside `/_matrix` and the discovery documents. */
export type FallbackData =
  | { readonly kind: 'status'; readonly status: number }
  | { readonly kind: 'redirect'; readonly location: string }
  | { readonly kind: 'files'; readonly directory: string }
  | { readonly kind: 'proxy'; readonly upstream: UpstreamData };

/** One server name with its homeserver, documents and names. */
export interface SiteData {
  /** The Matrix identity, as configured. */
  readonly serverName: string;
  /** Every Host this site answers to, lower case, `host` or `host:port`; IPv6 in brackets. The first is the server name. */
  readonly hosts: readonly string[];
  readonly homeserver: UpstreamData;
  /** Where federation paths go when it is another listener of the homeserver; null: `homeserver`. */
  readonly federation: UpstreamData | null;
  readonly wellKnown: WellKnownData;
  readonly expose: readonly ExposeData[];
  readonly fallback: FallbackData;
}

export interface Snapshot {
  /** Grows by one with every swap; in logs and metrics. */
  readonly version: number;
  readonly listeners: readonly ListenerData[];
  readonly sites: readonly SiteData[];
  readonly certificates: readonly CertificateData[];
  /** Whose certificate a client without SNI gets; also the site for an IP-literal Host on federation listeners. */
  readonly defaultName: string;
  readonly minTlsVersion: 'TLSv1.2' | 'TLSv1.3';
  readonly ticketKey: TicketKeyData;
  /** CIDRs whose `X-Forwarded-*` are believed. */
  readonly trustedProxies: readonly string[];
  readonly limits: LimitsData;
}
