/**
 * Network addresses as Portico writes them: IPv4-mapped IPv6 is IPv4, IPv6 has no zone and no brackets.
 */
import { isIP, isIPv4, isIPv6 } from 'node:net';

/** A listen address: `host` undefined means all addresses of both families. */
export interface ListenAddress {
  host: string | undefined;
  port: number;
}

/**
 * Parses `127.0.0.1:8448`, `[::]:443`, `:443`.
 * @returns null when the text is none of these
 */
export function parseListenAddress(text: string): ListenAddress | null {
  const match = /^(?:(\[[0-9A-Fa-f:.]+\]|[^:[\]]*)):(\d{1,5})$/.exec(text);
  if (!match) return null;
  const port = Number(match[2]);
  if (port > 65535) return null;
  const rawHost = match[1] ?? '';
  if (rawHost === '') return { host: undefined, port };
  if (rawHost.startsWith('[')) {
    const host = rawHost.slice(1, -1);
    return isIPv6(host) ? { host, port } : null;
  }
  return isIPv4(rawHost) || rawHost === 'localhost' ? { host: rawHost, port } : null;
}

/** Writes a listen address the way it is read. */
export function formatListenAddress(address: ListenAddress): string {
  if (address.host === undefined) return `:${String(address.port)}`;
  return isIPv6(address.host) ? `[${address.host}]:${String(address.port)}` : `${address.host}:${String(address.port)}`;
}

/** `::ffff:192.0.2.1` → `192.0.2.1`, `fe80::1%eth0` → `fe80::1`; anything else unchanged. */
export function plainAddress(address: string): string {
  if (address.startsWith('::ffff:') && isIPv4(address.slice(7))) return address.slice(7);
  const zone = address.indexOf('%');
  return zone === -1 ? address : address.slice(0, zone);
}

/** True for an IPv4 literal or an IPv6 literal, with or without brackets. */
export function isIpLiteral(host: string): boolean {
  return isIP(host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host) !== 0;
}
