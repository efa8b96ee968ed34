/** Whether a name has an address at all: a name that was never issued and has none is not worth an order. */
import type { DnsAnswer, DnsClient } from '../dns/dns-client.ts';

/**
 * @returns false when DNS says that there is neither an A nor an AAAA record; null when it cannot be said, which must not keep
 * an order back: the authority may see more than this machine
 */
export async function hasAddress(dns: DnsClient, name: string, signal: AbortSignal): Promise<boolean | null> {
  const answers = await Promise.allSettled([dns.query(name, 'A', { signal }), dns.query(name, 'AAAA', { signal })]);
  const verdicts = answers.map((answer) => (answer.status === 'fulfilled' ? verdictOf(answer.value) : null));
  if (verdicts.includes(true)) return true;
  return verdicts.every((verdict) => verdict === false) ? false : null;
}

function verdictOf({ rcode, answers }: DnsAnswer): boolean | null {
  if (rcode === 'NXDOMAIN') return false;
  if (rcode !== 'NOERROR') return null;
  if (answers.some(({ type }) => type === 'A' || type === 'AAAA')) return true;
  // An alias without what it leads to: the server does not follow them, so this is no answer.
  return answers.length === 0 ? false : null;
}
