/** From the config follows what ACME is to obtain and how; pure, for the running program and for `portico plan` alike. */
import { chooseChallenges, type ChallengeChoice, type ChallengeWorld } from './acme/challenge-choice.ts';
import { plannedCertificates, type PlannedCertificate } from './acme/planned-certificates.ts';
import { certificateNamesOfSite, type Config } from './config/index.ts';

/** The part of the manager's plan that needs neither network nor secrets. */
export interface AcmeOutline {
  readonly certificates: readonly PlannedCertificate[];
  /** For each name of `certificates`. */
  readonly challenges: ReadonlyMap<string, ChallengeChoice>;
}

/** Nothing at all without the section `acme`. */
export function acmeOutline(config: Config): AcmeOutline {
  const { acme, certificates: entries, sites } = config;
  if (acme === undefined) return { certificates: [], challenges: new Map() };
  const certificates = plannedCertificates({
    names: sites.flatMap((site) => certificateNamesOfSite(site)),
    provided: entries.flatMap((entry) => (entry.source === 'acme' ? [] : entry.names)),
    groups: entries.flatMap((entry) => (entry.source === 'acme' ? [entry.names] : [])),
  });
  const world: ChallengeWorld = {
    configured: acme.challenges,
    chosen: acme.challenges_listed,
    dns: acme.dns !== undefined,
    listeners: config.listeners.map(({ role, address }) => ({ role, port: address.port })),
  };
  const elsewhere = namesElsewhere(config);
  const challenges = new Map<string, ChallengeChoice>();
  for (const name of certificates.flatMap(({ names }) => names)) {
    const facts = { name, elsewhere: elsewhere.has(name), ourHost: elsewhere.get(name) ?? null };
    challenges.set(name, chooseChallenges(facts, world));
  }
  return { certificates, challenges };
}

/** Base domains that another web server answers, each with a host of its site that we answer. */
function namesElsewhere(config: Config): Map<string, string | null> {
  const found = new Map<string, string | null>();
  for (const site of config.sites) {
    if (site.base_domain !== 'elsewhere') continue;
    const own = site.server_name.hostname;
    const ours = certificateNamesOfSite(site).find((name) => name !== own) ?? null;
    if (!found.has(own) || ours !== null) found.set(own, ours);
  }
  // The same name in a site that is here (another port) is answered here.
  for (const site of config.sites) if (site.base_domain === 'here') found.delete(site.server_name.hostname);
  return found;
}
