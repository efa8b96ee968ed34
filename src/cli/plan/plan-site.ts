/** From the config to what planning needs to know of each site. */
import { acmeOutline } from '../../acme-plan.ts';
import { certificateNamesOfSite } from '../../config/index.ts';
import type { Config, Site } from '../../config/index.ts';
import type { NameToCertify, PlanSite } from '../../delegation/plan/plan-site.ts';
import type { Store } from '../../store/store.ts';
import { wellKnownOfSite } from '../../snapshot.ts';
import { expectedOf } from '../../expected.ts';
import { persistRecords } from './persist-records.ts';
import { challengeOf } from './sites.ts';

/** @param store - read only: a running Portico may hold it */
export async function planSites(config: Config, store: Pick<Store, 'get' | 'list'>): Promise<PlanSite[]> {
  const records = await persistRecords(config, store);
  const owners = new Map(records.map((record) => [record, ownerOf(record.base, config)]));
  const outline = acmeOutline(config);
  return config.sites.map((site): PlanSite => ({
    name: site.server_name,
    delegation: site.delegation,
    baseDomain: site.base_domain,
    delegatedName: site.delegated_name ?? null,
    hosts: site.hosts,
    documents: wellKnownOfSite(site),
    expected: expectedOf(site),
    listeners: config.listeners.map(({ role, address }) => ({ role, port: address.port })),
    issuers: (config.acme?.issuers ?? []).map(({ directory: { name, url } }) => ({ name, directoryUrl: url })),
    certify: certificateNamesOfSite(site).flatMap((name): NameToCertify[] => {
      const choice = challengeOf(name, outline);
      if (choice === null) return [];
      const wildcard = choice.name.startsWith('*.');
      const challenges = choice.possible.map(({ type }) => type);
      return [{ name: wildcard ? choice.name.slice(2) : choice.name, wildcard, challenges }];
    }),
    persist: records.flatMap((record) =>
      owners.get(record) === site
        ? [
            {
              name: record.name,
              value: record.value,
              note: record.missing === null ? null : `${record.issuer}: ${record.missing}`,
            },
          ]
        : [],
    ),
  }));
}

/** The site that a name is certified for. */
function ownerOf(name: string, { sites }: Config): Site | undefined {
  return (
    sites.find((site) => certificateNamesOfSite(site).includes(name)) ??
    sites.find((site) => certificateNamesOfSite(site).some((one) => one.endsWith(`.${name}`))) ??
    sites[0]
  );
}
