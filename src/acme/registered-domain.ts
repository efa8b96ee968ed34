/** The domain that a CA counts certificates by: one label below a public suffix, as Let's Encrypt reads the list. */
import { getDomain } from 'tldts';
import { canonicalIp } from '../base/certificate.ts';

/**
 * `a.b.example.co.uk` → `example.co.uk`. The list's private part counts (`me.github.io` is a domain of its own), as it does
 * at Let's Encrypt. An address, and a name that is itself a public suffix or has no known one, is counted by itself.
 * @param name - DNS name in lower case, with or without `*.` in front, or an IP literal
 */
export function registeredDomain(name: string): string {
  if (canonicalIp(name) !== null) return name;
  const host = name.startsWith('*.') ? name.slice(2) : name;
  return getDomain(host, { allowPrivateDomains: true, validateHostname: false }) ?? host;
}
