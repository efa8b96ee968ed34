/**
 * Sets of network addresses, and the key under which one client is counted. Pure; an address that cannot be read belongs to
 * no set. IPv4-mapped IPv6 counts as IPv4 in every form it can be written in.
 */
import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { plainAddress } from './address.ts';

/** A block of addresses. */
export interface Cidr {
  /** Without zone or brackets; IPv4-mapped IPv6 is written as IPv4. */
  readonly address: string;
  /** Leading bits that count: 0 to 32, or 0 to 128. */
  readonly prefix: number;
  readonly family: 'ipv4' | 'ipv6';
}

/** A set of address blocks. */
export interface CidrSet {
  /** True when a block of the set holds the address; false for anything that is no address. */
  has(address: string): boolean;
}

/**
 * Parses `10.0.0.0/8`, `2001:db8::/32`, or a single address. Bits beyond the prefix may be set; they do not count.
 * @returns null when the text is none of these
 */
export function parseCidr(text: string): Cidr | null {
  const match = /^([0-9A-Fa-f:.]+)(?:\/(\d{1,3}))?$/.exec(text);
  const written = match?.[1];
  if (match === null || written === undefined) return null;
  const prefixText = match[2];
  if (isIPv4(written)) {
    const prefix = prefixText === undefined ? 32 : Number(prefixText);
    return prefix <= 32 ? { address: written, prefix, family: 'ipv4' } : null;
  }
  if (!isIPv6(written)) return null;
  const prefix = prefixText === undefined ? 128 : Number(prefixText);
  if (prefix > 128) return null;
  const mapped = prefix >= 96 ? mappedIpv4(groupsOf(written)) : null;
  if (mapped !== null) return { address: mapped, prefix: prefix - 96, family: 'ipv4' };
  return { address: written, prefix, family: 'ipv6' };
}

/**
 * A set of blocks, for many look-ups.
 * @param cidrs - texts that {@link parseCidr} accepts; the config checked them, so that one it cannot read is a mistake of ours
 * @throws TypeError for a text that is no block
 */
export function createCidrSet(cidrs: readonly string[]): CidrSet {
  const blocks = new BlockList();
  for (const text of cidrs) {
    const cidr = parseCidr(text);
    if (cidr === null) throw new TypeError(`not an address block: ${text}`);
    blocks.addSubnet(cidr.address, cidr.prefix, cidr.family);
  }
  const empty = cidrs.length === 0;
  return {
    has: (address) => {
      if (empty) return false;
      const plain = canonicalAddress(address);
      return plain !== null && blocks.check(plain, isIPv4(plain) ? 'ipv4' : 'ipv6');
    },
  };
}

/**
 * The address without zone, IPv4-mapped IPv6 as IPv4, other IPv6 as written.
 * @returns null when the text is no address
 */
export function canonicalAddress(text: string): string | null {
  const plain = plainAddress(text);
  if (isIPv4(plain)) return plain;
  if (!isIPv6(plain)) return null;
  return mappedIpv4(groupsOf(plain)) ?? plain;
}

/**
 * The key under which a client is counted: an IPv4 address as it is, an IPv6 address as its /64 (`2001:db8:0:1::/64`), since
 * one client commonly holds a whole /64. Text that is no address is its own key.
 */
export function addressKey(address: string): string {
  if (isIPv4(address)) return address;
  const plain = canonicalAddress(address);
  if (plain === null) return address;
  if (isIPv4(plain)) return plain;
  const [a = 0, b = 0, c = 0, d = 0] = groupsOf(plain);
  return `${a.toString(16)}:${b.toString(16)}:${c.toString(16)}:${d.toString(16)}::/64`;
}

/** The eight 16-bit groups of a valid IPv6 address without a zone. */
export function groupsOf(ipv6: string): number[] {
  const [head = '', tail] = ipv6.split('::');
  const front = parseGroups(head);
  if (tail === undefined) return front;
  const back = parseGroups(tail);
  return [...front, ...new Array<number>(8 - front.length - back.length).fill(0), ...back];
}

function parseGroups(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}

function mappedIpv4(groups: readonly number[]): string | null {
  if (groups[5] !== 0xffff || groups.slice(0, 5).some((group) => group !== 0)) return null;
  const high = groups[6] ?? 0;
  const low = groups[7] ?? 0;
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}
