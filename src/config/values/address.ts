/** Addresses to listen on, networks and DNS servers. */
import { isIPv4, isIPv6 } from 'node:net';
import { z } from 'zod';
import { parseListenAddress } from '../../base/address.ts';
import { parseCidr } from '../../base/cidr.ts';
import { quote, refuse } from '../refuse.ts';

/** `127.0.0.1:8448`, `[::]:443`, `:443`; parsed to host and port. Port 0 lets the system choose. */
export function listenAddress() {
  return z
    .string({ error: 'an address such as ":443" or 127.0.0.1:8448' })
    .meta({ 'x-type': 'listen address' })
    .transform((value, context) => {
      return (
        parseListenAddress(value) ??
        refuse(
          context,
          'CONFIG_ADDRESS',
          `expected an address such as ":443" or 127.0.0.1:8448, got ${quote(value)}`,
          'write an IP address and a port: 127.0.0.1:8448, [::1]:8448, or ":443" for all addresses; names other than localhost are not taken',
        )
      );
    });
}

/** An IP address or a network in CIDR notation, as text. */
export function cidr() {
  return z
    .string({ error: 'a network such as 10.0.0.0/8' })
    .meta({ 'x-type': 'CIDR' })
    .transform((value, context) => {
      if (parseCidr(value) !== null) return value;
      return refuse(
        context,
        'CONFIG_CIDR',
        `expected an IP address or a network such as 10.0.0.0/8, got ${quote(value)}`,
        'write 192.0.2.1, 10.0.0.0/8 or 2001:db8::/32',
      );
    });
}

/** True for `192.0.2.53`, `192.0.2.53:53`, `2001:db8::53`, `[2001:db8::53]:53`. */
function isDnsServer(value: string): boolean {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(value);
  if (!match) return isIPv6(value);
  const port = match[3] === undefined ? 53 : Number(match[3]);
  return (match[1] === undefined ? isIPv4(match[2] ?? '') : isIPv6(match[1])) && port >= 1 && port <= 65535;
}

/** The address of a DNS server with an optional port, in the form that `dns.Resolver.setServers` takes. */
export function dnsServer() {
  return z
    .string({ error: 'the address of a DNS server such as 192.0.2.53' })
    .meta({ 'x-type': 'address of a DNS server' })
    .transform((value, context) => {
      if (isDnsServer(value)) return value;
      return refuse(
        context,
        'CONFIG_ADDRESS',
        `expected the IP address of a DNS server, got ${quote(value)}`,
        'write 192.0.2.53, 192.0.2.53:53, 2001:db8::53 or "[2001:db8::53]:53"; a resolver cannot be found by its name',
      );
    });
}
