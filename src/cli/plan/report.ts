/** The plan of a config: all sections, as text or JSON. */
import type { Config } from '../../config/index.ts';
import type { Store } from '../../store/store.ts';
import { baseDomainsSection } from './base-domains.ts';
import { lookAtAll } from './look-all.ts';
import type { Outside } from './look-all.ts';
import { networkSection } from './network.ts';
import { planSites } from './plan-site.ts';
import { portsSection } from './ports.ts';
import { recordsSection } from './records.ts';
import type { PlanSection, PlanSectionMaker } from './section.ts';
import { certificatesSection, sitesSection } from './sites.ts';
import { warningsSection } from './warnings.ts';

/** In the order they are printed: what is wrong stands last, where it is seen. */
const SECTIONS: readonly PlanSectionMaker[] = [
  sitesSection,
  certificatesSection,
  networkSection,
  recordsSection,
  portsSection,
  baseDomainsSection,
  warningsSection,
];

/** @param outside - null: nobody is asked */
export async function makePlan(
  config: Config,
  store: Pick<Store, 'get' | 'list'>,
  outside: Outside | null,
): Promise<PlanSection[]> {
  const sites = await planSites(config, store);
  const looks = outside === null ? null : await lookAtAll(sites, outside.deps);
  const context = { config, sites, own: outside?.own ?? { v4: [], v6: [] }, looks };
  return SECTIONS.map((make) => make(context));
}
