import { clientBaseUrl, type Site } from './config/index.ts';
import type { Expected } from './delegation/doctor/evidence.ts';
import { wellKnownOfSite } from './snapshot.ts';

/** What the config wants the outside to see of a site. */
export function expectedOf(site: Site): Expected {
  const documents = wellKnownOfSite(site);
  const parsed = (body: string | null): unknown => (body === null ? null : JSON.parse(body));
  return {
    delegation: site.delegation,
    mServer: documents.server === null ? null : (site.delegated_name?.text ?? null),
    client: parsed(documents.client),
    support: parsed(documents.support),
    clientBaseUrl: clientBaseUrl(site),
  };
}
