/**
 * Addresses that no peer on the Internet can be reached at. A name somebody else controls must not make Portico talk to the
 * machine it runs on or to the network behind it; the list holds what Synapse refuses by default, and what leads to it by
 * translation. Source: the IANA special-purpose address registries (RFC 6890, RFC 8190).
 */
import { createCidrSet } from '../../base/cidr.ts';
import { PorticoError } from '../../base/errors.ts';

const RANGES = createCidrSet([
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
  '::/96',
  // NAT64 and 6to4 carry an IPv4 address, which may be any of the above.
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '2001:db8::/32',
  '2002::/16',
  '3fff::/20',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
]);

/** True for loopback, private, link-local, documentation, multicast and reserved addresses. */
export function isPrivateAddress(address: string): boolean {
  return RANGES.has(address);
}

/**
 * Refuses a target in a private range.
 * @param address - the IP literal that is about to be connected to; a name would be looked up again and could change
 * @throws PorticoError `TARGET_PRIVATE`
 */
export function refusePrivate(address: string, allowPrivate: boolean): void {
  if (allowPrivate || !isPrivateAddress(address)) return;
  throw new PorticoError('TARGET_PRIVATE', `${address} is in a private or reserved range and was not connected to.`, {
    fix: 'Peers on the Internet cannot reach it: publish a public address. In a closed network, say --allow-private.',
  });
}
