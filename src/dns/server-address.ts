/** Where a DNS server listens, and how that is written. */
import { isIPv4, isIPv6 } from 'node:net';

/** The port of DNS, over UDP and TCP. */
export const DNS_PORT = 53;

/** An IP address (IPv6 without brackets, with its zone if it has one) and a port. */
export interface DnsServer {
  readonly address: string;
  readonly port: number;
}

/**
 * Parses `192.0.2.53`, `192.0.2.53:5353`, `2001:db8::53`, `[2001:db8::53]:5353`, `fe80::1%eth0`.
 * @returns null when the text is none of these
 */
export function parseDnsServer(text: string): DnsServer | null {
  if (isIPv6(text)) return { address: text, port: DNS_PORT };
  const match = /^(?:\[([^[\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text);
  if (!match) return null;
  const port = match[3] === undefined ? DNS_PORT : Number(match[3]);
  if (port < 1 || port > 65535) return null;
  const [, v6, v4 = ''] = match;
  if (v6 !== undefined) return isIPv6(v6) ? { address: v6, port } : null;
  return isIPv4(v4) ? { address: v4, port } : null;
}

/** `192.0.2.53:53` or `[2001:db8::53]:53`; always with the port. */
export function formatDnsServer({ address, port }: DnsServer): string {
  return isIPv6(address) ? `[${address}]:${String(port)}` : `${address}:${String(port)}`;
}
