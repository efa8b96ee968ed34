/**
 * Matrix server names, and the `host[:port]` of `m.server`, which has the same grammar.
 * Source: Matrix specification v1.19, Appendices, "Server Name".
 */
import { isIPv4, isIPv6 } from 'node:net';

/** A parsed server name. */
export interface ServerName {
  /** As written. */
  readonly text: string;
  /** DNS name, IPv4 literal, or IPv6 literal without brackets; lower case. */
  readonly hostname: string;
  /** The explicit port, if there is one. */
  readonly port: number | undefined;
  /** True when the hostname is an IP literal: peers then send no SNI and want a certificate for the address. */
  readonly isIp: boolean;
}

const DNS_NAME =
  /^(?=.{1,255}$)(?:[0-9A-Za-z](?:[0-9A-Za-z-]{0,61}[0-9A-Za-z])?)(?:\.[0-9A-Za-z](?:[0-9A-Za-z-]{0,61}[0-9A-Za-z])?)*$/;

/** True for a DNS name of letters, digits and hyphens in labels of 1 to 63 characters, without a trailing dot. */
export function isDnsName(text: string): boolean {
  return DNS_NAME.test(text);
}

/**
 * Parses a server name strictly: the specification's grammar, and labels a certificate can hold.
 * @returns null when the text is not a server name
 */
export function parseServerName(text: string): ServerName | null {
  const match = /^(\[[^\]]*\]|[^:[\]]+)(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1];
  if (host === undefined || text.endsWith('\n')) return null;
  const port = match?.[2] === undefined ? undefined : Number(match[2]);
  if (port !== undefined && (port < 1 || port > 65535)) return null;
  if (host.startsWith('[')) {
    const hostname = host.slice(1, -1).toLowerCase();
    return isIPv6(hostname) && !hostname.includes('%') ? { text, hostname, port, isIp: true } : null;
  }
  if (isIPv4(host)) return { text, hostname: host, port, isIp: true };
  // A name of digits and dots only that is no IPv4 address is a mistyped address, not a DNS name.
  if (!isDnsName(host) || /^[\d.]+$/.test(host)) return null;
  return { text, hostname: host.toLowerCase(), port, isIp: false };
}
