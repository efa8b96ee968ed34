/** Every name belongs to one site. */
import { errorAt, type Finding } from '../problem.ts';
import type { Site } from '../sections/sites.ts';
import { sectionCheck } from './check.ts';

/**
 * Two sites may share a hostname only with different ports written out (`example.com:8448` and `example.com:8449`): then
 * peers always say which one they mean.
 */
export const namesClaimedOnce = sectionCheck(['sites'], ({ sites }) => {
  const owners = new Map<string, number>();
  const findings: Finding[] = [];
  for (const [index, site] of sites.entries()) {
    const seen = new Set<string>();
    for (const { name, path } of claims(site, index)) {
      const owner = owners.get(name);
      if (owner === undefined) owners.set(name, index);
      else if (owner !== index && !seen.has(name)) {
        const message = `${name} is already claimed by the site ${sites[owner]?.server_name.text ?? ''}`;
        findings.push(errorAt(path, 'CONFIG_NAME_CLAIMED_TWICE', message, 'give the name to one of the two sites'));
      }
      seen.add(name);
    }
  }
  return findings;
});

function claims(site: Site, index: number): { name: string; path: (string | number)[] }[] {
  const at = (...rest: (string | number)[]): (string | number)[] => ['sites', index, ...rest];
  const found = [{ name: site.server_name.text, path: at('server_name') }];
  if (site.delegation === 'well-known' && site.delegated_name !== undefined) {
    found.push({ name: site.delegated_name.text, path: at('delegated_name') });
  }
  for (const [position, host] of site.hosts.entries()) {
    found.push({ name: host.includes(':') ? `[${host}]` : host, path: at('hosts', position) });
  }
  return found;
}
