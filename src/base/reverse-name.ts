/** The name of an address in the reverse tree, by which RFC 8738 §6 asks for it in SNI. */
import { isIPv4 } from 'node:net';
import { groupsOf } from './cidr.ts';

/**
 * `192.0.2.1` → `1.2.0.192.in-addr.arpa` (RFC 1035 §3.5); IPv6 → 32 nibbles under `ip6.arpa` (RFC 3596 §2.5).
 * @param address - an IPv4 or IPv6 literal without brackets or zone
 */
export function reverseName(address: string): string {
  if (isIPv4(address)) return `${address.split('.').reverse().join('.')}.in-addr.arpa`;
  const nibbles = groupsOf(address)
    .map((group) => group.toString(16).padStart(4, '0'))
    .join('');
  return `${Array.from(nibbles).reverse().join('.')}.ip6.arpa`;
}
