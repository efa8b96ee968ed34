/** Per site: the names that peers and clients ask for, which certificate answers on which port, and where it comes from. */
import type { ChallengeChoice } from '../../acme/challenge-choice.ts';
import type { PlannedCertificate } from '../../acme/planned-certificates.ts';
import { acmeOutline } from '../../acme-plan.ts';
import type { AcmeOutline } from '../../acme-plan.ts';
import { formatListenAddress } from '../../base/address.ts';
import { canonicalIp, coversName } from '../../base/certificate.ts';
import { certificateNamesOfSite } from '../../config/index.ts';
import type { Config, Site } from '../../config/index.ts';
import type { PlanContext, PlanLine, PlanSection } from './section.ts';

interface CertificatePlan {
  readonly source: 'files' | 'local_ca' | 'acme';
  /** All names of the certificate. */
  readonly names: readonly string[];
  readonly files?: { readonly chain: string; readonly key: string };
  readonly profile?: string | null;
}

interface NamePlan {
  readonly name: string;
  readonly why: string;
  /** Null: nothing is configured. A config like that is refused before it comes here. */
  readonly certificate: CertificatePlan | null;
  readonly answered_on: readonly string[];
  /** Null for certificates that ACME has no part in. */
  readonly challenges: Pick<ChallengeChoice, 'possible' | 'impossible'> | null;
}

/** The section `sites`. */
export function sitesSection({ config }: PlanContext): PlanSection {
  const outline = acmeOutline(config);
  const ports = config.listeners
    .filter(({ role }) => role !== 'http')
    .map(({ address }) => formatListenAddress(address));
  const sites = config.sites.map((site) => ({
    server_name: site.server_name.text,
    delegation: site.delegation,
    base_domain: site.base_domain,
    names: certificateNamesOfSite(site).map((name): NamePlan => ({
      name,
      why: reasonFor(name, site),
      certificate: certificateOf(name, config, outline),
      answered_on: ports,
      challenges: challengesOf(name, outline),
    })),
  }));
  const lines = sites.flatMap(({ server_name, delegation, base_domain, names }): PlanLine[] => [
    { depth: 0, text: `${server_name} (delegation: ${delegation}, base domain ${base_domain})` },
    ...names.flatMap(nameLines),
  ]);
  return { key: 'sites', title: 'Names and their certificates', data: sites, lines };
}

/** The section `certificates`: what ACME obtains. */
export function certificatesSection({ config }: PlanContext): PlanSection {
  const { certificates } = acmeOutline(config);
  const issuers = (config.acme?.issuers ?? []).map(({ directory }) => directory.name);
  const data = certificates.map(({ id, names, profile }) => ({
    id,
    names,
    issuers,
    profile: config.acme?.issuers[0]?.profile ?? profile,
  }));
  const lines = data.map(({ names, profile }): PlanLine => ({
    depth: 0,
    text: `${names.join(', ')}${profile === null ? '' : ` (profile ${profile})`}`,
  }));
  return { key: 'certificates', title: `Certificates to obtain from ${issuers.join(', then ')}`, data, lines };
}

function reasonFor(name: string, site: Site): string {
  if (name === site.server_name.hostname) {
    if (site.delegation === 'srv') return 'peers come by SRV and want a certificate for the server name all the same';
    if (site.delegation === 'well-known') return 'the server name: the base domain is answered here';
    return 'the server name: peers and clients ask for it';
  }
  if (site.delegation === 'well-known' && name === site.delegated_name?.hostname)
    return 'the delegated name: peers ask for it';
  return site.hosts[0] === name ? 'a further host: clients are sent there' : 'a further host';
}

function certificateOf(name: string, config: Config, outline: AcmeOutline): CertificatePlan | null {
  for (const entry of config.certificates) {
    if (entry.source === 'acme' || !coversName(entry.names, name)) continue;
    return { source: entry.source, names: entry.names, ...(entry.source === 'files' ? { files: entry.files } : {}) };
  }
  const planned = plannedFor(name, outline);
  return planned === null ? null : { source: 'acme', names: planned.names, profile: planned.profile };
}

function plannedFor(name: string, { certificates }: AcmeOutline): PlannedCertificate | null {
  const exact = certificates.find(({ names }) => names.includes(canonicalIp(name) ?? name));
  return exact ?? certificates.find(({ names }) => coversName(names, name)) ?? null;
}

/** Those of the name itself, or of the wildcard that covers it. */
export function challengeOf(name: string, outline: AcmeOutline): ChallengeChoice | null {
  const planned = plannedFor(name, outline);
  const own = planned?.names.find((one) => coversName([one], name));
  return own === undefined ? null : (outline.challenges.get(own) ?? null);
}

function challengesOf(name: string, outline: AcmeOutline): NamePlan['challenges'] {
  const choice = challengeOf(name, outline);
  return choice === null ? null : { possible: choice.possible, impossible: choice.impossible };
}

function nameLines({ name, why, certificate, answered_on: ports, challenges }: NamePlan): PlanLine[] {
  return [
    { depth: 1, text: `${name}: ${why}` },
    { depth: 2, text: `${sourceText(certificate)}; answered on ${ports.join(', ')}` },
    ...(challenges?.possible ?? []).map(({ type, provided }): PlanLine => ({
      depth: 2,
      text: provided === null ? `proven by ${type}` : `proven by ${type}, provided that: ${provided}`,
    })),
    ...(challenges?.impossible ?? []).map(({ type, why: reason, help }): PlanLine => ({
      depth: 2,
      text: `not by ${type}: ${reason} ${help}`,
      kind: 'warn',
    })),
  ];
}

function sourceText(certificate: CertificatePlan | null): string {
  if (certificate === null) return 'no certificate';
  if (certificate.source === 'files') return `certificate from ${certificate.files?.chain ?? 'files'}`;
  if (certificate.source === 'local_ca') return 'certificate of the local CA';
  const shared = certificate.names.length > 1 ? ` (shared: ${certificate.names.join(', ')})` : '';
  return `certificate by ACME${shared}`;
}
