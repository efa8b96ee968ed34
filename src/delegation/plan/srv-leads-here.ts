/** Whether an SRV record leads to this Portico, as far as the config and this machine's addresses tell. Pure. */
import { isOurs } from './own-addresses.ts';
import type { OwnAddresses } from './own-addresses.ts';
import { namesToUs, peersPlace } from './plan-site.ts';
import type { PlanSite } from './plan-site.ts';
import { lookKey } from './site-look.ts';
import type { SiteLook } from './site-look.ts';

/** The port must be one that peers can be served on; the target a name of the site, or one with an address of this machine. */
export function srvLeadsHere(
  { target, port }: { readonly target: string; readonly port: number },
  site: PlanSite,
  own: OwnAddresses,
  look: SiteLook,
): boolean {
  const ports = site.listeners.flatMap((listener) => (listener.role === 'http' ? [] : [listener.port]));
  if (port !== peersPlace(site).port && !ports.includes(port)) return false;
  if (namesToUs(site).has(target)) return true;
  const asked = [look.dns.get(lookKey('A', target)), look.dns.get(lookKey('AAAA', target))];
  const records = asked.flatMap((one) => (one?.kind === 'records' ? one.records : []));
  return records.some((record) => 'address' in record && isOurs(record.address, own) === 'yes');
}
