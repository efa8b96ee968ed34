/**
 * Whether an address is this machine's. Behind address translation, in a container or behind a load balancer that cannot be
 * known from here, and is said so. Pure.
 */
import { isIPv6 } from 'node:net';
import { isPrivateAddress } from '../outbound/private-addresses.ts';

/** The public addresses of this machine, by family. */
export interface OwnAddresses {
  readonly v4: readonly string[];
  readonly v6: readonly string[];
}

/** @param interfaces - what `os.networkInterfaces()` gives */
export function ownAddresses(
  interfaces: Readonly<Record<string, readonly { readonly address: string }[] | undefined>>,
): OwnAddresses {
  const all = Object.values(interfaces).flatMap((list) => (list ?? []).map(({ address }) => address));
  const usable = [...new Set(all)].filter((address) => !isPrivateAddress(address));
  return { v4: usable.filter((address) => !isIPv6(address)), v6: usable.filter((address) => isIPv6(address)) };
}

/**
 * @returns `unknown` when this machine has no public address of its own: whether one is forwarded to it, only the outside
 * can tell. A machine with a public IPv4 address and no IPv6 address is not behind anything: an AAAA record is not its own.
 */
export function isOurs(address: string, own: OwnAddresses): 'yes' | 'no' | 'unknown' {
  const v6 = isIPv6(address);
  const same = v6 ? own.v6 : own.v4;
  if (same.some((mine) => canonical(mine) === canonical(address))) return 'yes';
  if (same.length > 0) return 'no';
  // IPv4 is translated in many places where IPv6 is not.
  return v6 && own.v4.length > 0 ? 'no' : 'unknown';
}

function canonical(address: string): string {
  return isIPv6(address) ? new URL(`http://[${address}]`).hostname : address;
}
