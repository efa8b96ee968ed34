/**
 * Who the client is, and which request fields may say so.
 *
 * The threat: homeservers believe the leftmost X-Forwarded-For for rate limits and the addresses they show to users and admins;
 * Synapse and Dendrite both take an appended, forged one. So whatever a client sends of this kind is dropped, and one value is
 * set. Only a peer listed in `trusted_proxies` extends a chain, and only by what trusted proxies wrote: the address that the
 * outermost of them saw is the client; what stands to its left is the client's own writing.
 */
import { canonicalAddress, createCidrSet } from '../base/cidr.ts';

/** The rule for one set of trusted proxies. */
export interface Forwarding {
  /**
   * The rule as it applies to one connection.
   * @param peer - remote address of the socket
   */
  forConnection(peer: string): PeerForwarding;
}

/** Who the client of a request is, on a connection from a known peer. */
export interface PeerForwarding {
  /** The peer is a proxy whose X-Forwarded-For is believed. */
  readonly trusted: boolean;
  /** The client's address: the rightmost that is no trusted proxy, or the furthest one known. */
  clientAddress(xForwardedFor: readonly string[]): string;
  /** The value of X-Forwarded-For that goes upstream: the client, then the trusted proxies on the way. */
  forwardedFor(xForwardedFor: readonly string[]): string;
}

/** Longer chains are cut: nobody has so many proxies, and the work per request stays bounded. */
const MAX_PROXIES = 16;
/** Characters of X-Forwarded-For that are looked at, from the right. */
const MAX_CHARACTERS = 1024;

/**
 * Field names that say who the client is, what it asked for, or how it came, and that software behind a proxy is known to
 * believe: of RFC 7239 and its forerunners, of CDNs and balancers, of rewriting proxies, and of TLS-terminating ones.
 */
const NAMES: ReadonlySet<string> = new Set([
  'forwarded', 'forwarded-for', 'forwarded-proto', 'forwarded-host', 'x-forwarded', 'x-forwarded-for',
  'client-ip', 'true-client-ip', 'x-client-ip', 'x-real-ip', 'x-real-port', 'x-remote-ip', 'x-remote-addr', 'remote-addr', 'x-originating-ip', 'x-cluster-client-ip',
  'x-proxyuser-ip', 'x-appengine-user-ip', 'x-envoy-external-address', 'x-azure-clientip', 'x-azure-socketip', 'fastly-client-ip', 'fly-client-ip',
  'cf-connecting-ip', 'cf-connecting-ipv6', 'cf-pseudo-ipv4', 'cf-ipcountry', 'cf-visitor', 'x-sourceip', 'x-proxy-protocol',
  'x-host', 'x-http-host-override', 'x-rewrite-url', 'x-scheme', 'x-url-scheme', 'front-end-https', 'x-arr-ssl', 'x-ssl', 'x-https',
  'remote-user', 'x-remote-user', 'x-client-cert', 'x-client-dn', 'x-client-verify', 'client-cert', 'client-cert-chain',
  'x-request-id', 'proxy',
]); // prettier-ignore

/** Families of such names. */
const PREFIXES = ['x-forwarded-', 'x-original-', 'x-ssl-', 'ssl-client-', 'x-envoy-'] as const;

/**
 * True for a request field that no client may send.
 *
 * Every name with an underscore is one: software that maps fields to variables (CGI, WSGI and their kin) reads `X_Forwarded_For`
 * and `X-Forwarded-For` as the same, and so it does `Content_Length` and `Authorization`. No Matrix field has an underscore,
 * and nginx drops such names by default, so nothing that works behind nginx misses them. Via stays: nobody takes it for the
 * client's address, and it tells loops (RFC 9110 §7.6.3).
 * @param lowerName - field name in lower case
 */
export function isClientForwardingField(lowerName: string): boolean {
  if (lowerName.includes('_')) return true;
  return NAMES.has(lowerName) || PREFIXES.some((prefix) => lowerName.startsWith(prefix));
}

/**
 * Builds the rule.
 * @param trustedProxies - CIDRs, checked by the config
 */
export function createForwarding(trustedProxies: readonly string[]): Forwarding {
  const trusted = createCidrSet(trustedProxies);

  /** Client first, then the trusted proxies it came through, the peer last. */
  function chainOf(peer: string, xForwardedFor: readonly string[]): string[] {
    const chain = [peer];
    const text = xForwardedFor.join(',');
    const entries = text.slice(-MAX_CHARACTERS).split(',');
    // The cut may have gone through an address and left another.
    if (text.length > MAX_CHARACTERS) entries.shift();
    const last = Math.max(0, entries.length - MAX_PROXIES);
    for (let index = entries.length - 1; index >= last && trusted.has(chain[0] ?? ''); index -= 1) {
      const address = addressOf((entries[index] ?? '').trim());
      // What a trusted proxy wrote is an address; anything else is not its writing, and nothing left of it counts.
      if (address === null) break;
      chain.unshift(address);
    }
    return chain;
  }

  return {
    forConnection: (socketAddress) => {
      const peer = canonicalAddress(socketAddress) ?? socketAddress;
      if (!trusted.has(peer)) return { trusted: false, clientAddress: () => peer, forwardedFor: () => peer };
      return {
        trusted: true,
        clientAddress: (values) => (values.length === 0 ? peer : (chainOf(peer, values)[0] ?? peer)),
        forwardedFor: (values) => (values.length === 0 ? peer : chainOf(peer, values).join(', ')),
      };
    },
  };
}

/** `192.0.2.1`, `192.0.2.1:443`, `2001:db8::1`, `[2001:db8::1]:443`; null for anything else. */
function addressOf(entry: string): string | null {
  const bracketed = /^\[([^\]]+)\](?::\d{1,5})?$/.exec(entry);
  if (bracketed !== null) return canonicalAddress(bracketed[1] ?? '');
  const withPort = /^(\d+\.\d+\.\d+\.\d+):\d{1,5}$/.exec(entry);
  return canonicalAddress(withPort?.[1] ?? entry);
}
