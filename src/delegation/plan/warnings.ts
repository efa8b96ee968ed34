/**
 * What stands in the way of a plan, the most harmful first, each with the exact change to make. Most judgements are the
 * doctor's; those that only a plan can make, because it knows the config and this machine, are here. Pure.
 */
import { clientDocument } from '../doctor/checks/client-document.ts';
import { resolutionWarnings } from '../doctor/checks/resolution-warnings.ts';
import { serverDocumentAsConfigured } from '../doctor/checks/server-document-as-configured.ts';
import { serverDocument } from '../doctor/checks/server-document.ts';
import { supportDocument } from '../doctor/checks/support-document.ts';
import type { FindingCode, Severity } from '../doctor/catalogue.ts';
import { finding } from '../doctor/finding.ts';
import type { Finding } from '../doctor/finding.ts';
import { printable } from '../printable.ts';
import { caaObstacle, caaText } from './caa.ts';
import { issuerDomains } from './issuer-domains.ts';
import { isOurs } from './own-addresses.ts';
import type { OwnAddresses } from './own-addresses.ts';
import { namesToUs, peersPlace } from './plan-site.ts';
import type { PlanSite } from './plan-site.ts';
import { srvLeadsHere } from './srv-leads-here.ts';
import { lookKey } from './site-look.ts';
import type { FrontSeen, SiteLook } from './site-look.ts';

/** What only a plan can find. */
const OWN = {
  'srv-record-not-as-configured': {
    severity: 'error',
    why: 'Peers follow the SRV record and never try what the config relies on.',
    spec: 'Matrix S-S API, Resolving server names, steps 4 and 5',
  },
  'address-not-ours': {
    severity: 'error',
    why: 'Peers, clients and the certificate authority try each published address; those that choose this one do not get here.',
    spec: 'Matrix S-S API, Resolving server names',
  },
  'caa-forbids-issuer': {
    severity: 'error',
    why: 'An authority must refuse a certificate that CAA records do not allow it to issue.',
    spec: 'RFC 8659, section 3; RFC 8657',
  },
  'caa-unanswered': {
    severity: 'warning',
    why: 'An authority that gets no answer to its CAA question must refuse, even where there is no such record.',
    spec: 'RFC 8659, section 3',
  },
  'cdn-blocks-8448': {
    severity: 'error',
    why: 'Such a network takes connections for a few ports only; peers come to 8448 and meet nobody.',
    spec: 'Matrix S-S API, Resolving server names, steps 3.5 and 6',
  },
} as const satisfies Record<string, { severity: Severity; why: string; spec: string }>;

type OwnCode = keyof typeof OWN;

/** The codes of warnings. */
export type PlanWarningCode = OwnCode | FindingCode;

/** One warning; shaped as the doctor's findings are. */
export interface PlanWarning extends Omit<Finding, 'code'> {
  readonly code: PlanWarningCode;
}

/** The order in which they are told. What is not listed comes last, in the doctor's order. */
export const PLAN_WARNING_ORDER: readonly PlanWarningCode[] = [
  'server-document-overrules-srv',
  'srv-record-not-as-configured',
  'srv-target-is-cname',
  'srv-target-dangling',
  'srv-record-invalid',
  'srv-service-deprecated',
  'address-not-ours',
  'private-address',
  'family-lookup-failed',
  'caa-forbids-issuer',
  'caa-unanswered',
  'server-document-not-as-configured',
  'server-document-invalid',
  'server-document-untrusted',
  'client-document-not-as-configured',
  'client-document-invalid',
  'client-document-cors',
  'support-document-not-as-configured',
  'support-document-invalid',
  'support-document-cors',
  'cdn-blocks-8448',
  'port-8448-closed',
  'cdn-in-front',
  'upper-case',
];

/** The doctor's judgements that fit a plan. */
const DOCTORS = [resolutionWarnings, serverDocumentAsConfigured, serverDocument, clientDocument, supportDocument];

/** What our own impatience looks like as well. */
const UNANSWERED: readonly PlanWarningCode[] = ['caa-unanswered', 'family-lookup-failed', 'srv-target-dangling'];

/** What one judgement is made of. */
interface Facts {
  readonly site: PlanSite;
  readonly own: OwnAddresses;
  readonly look: SiteLook;
}

const JUDGES: readonly ((facts: Facts) => readonly PlanWarning[])[] = [
  asTheDoctorSays,
  unexpectedSrv,
  foreignAddresses,
  caa,
  networkInFront,
  upperCaseDocument,
];

/** The warnings of one site. */
export function planWarnings(site: PlanSite, own: OwnAddresses, look: SiteLook): PlanWarning[] {
  const rank = ({ code }: PlanWarning): number =>
    PLAN_WARNING_ORDER.includes(code) ? PLAN_WARNING_ORDER.indexOf(code) : PLAN_WARNING_ORDER.length;
  const all = JUDGES.flatMap((judge) => judge({ site, own, look }));
  return all
    .filter(({ code }) => !look.cutShort || !UNANSWERED.includes(code))
    .filter((one, index) => all.findIndex(({ code, seen }) => code === one.code && seen === one.seen) === index)
    .sort((a, b) => rank(a) - rank(b));
}

function warning(code: OwnCode, seen: string, fix: string): PlanWarning {
  return { code, ...OWN[code], seen: printable(seen), fix: printable(fix) };
}

/** What is still to be set is in the plan already; what is there and wrong is warned of. */
function asTheDoctorSays({ site, look: { evidence } }: Facts): readonly PlanWarning[] {
  const { client, support, resolution } = evidence;
  const absent = {
    'server-document-missing': true,
    'client-document-missing': true,
    'client-document-not-as-configured': client?.status !== 200,
    'support-document-not-as-configured': support?.status !== 200,
    // Until the base domain answers here, that nobody does is what the plan is for.
    'server-document-slow': site.baseDomain === 'here' && resolution.wellKnown?.status === null,
    'server-document-untrusted': site.baseDomain === 'here',
  } as const satisfies Partial<Record<FindingCode, boolean>>;
  return DOCTORS.flatMap((check) => check.judge(evidence))
    .filter(({ code }) => !(code in absent && absent[code as keyof typeof absent]))
    .map((one) => ({ ...one, fix: exactFix(one, site) ?? one.fix }));
}

/** The change in the names of this site, where the doctor's words are general. */
function exactFix({ code, seen }: Finding, site: PlanSite): string | null {
  const { host, port } = peersPlace(site);
  const base = site.name.hostname;
  const record = (service: string): string => `${service}._tcp.${base}. IN SRV 10 0 ${String(port)} ${host}.`;
  if (code === 'server-document-overrules-srv') {
    return `Have the web server of ${base} answer https://${base}/.well-known/matrix/server with 404 (the lines for it are under base domain), or set delegation: well-known and delegated_name to what the document says.`;
  }
  if (code === 'srv-service-deprecated') return `Add ${record('_matrix-fed')} and keep the old record for old peers.`;
  if (code === 'srv-target-is-cname') {
    const end = /points to (\S+), which is a CNAME for (?:.* → )?(\S+?)\.?$/.exec(seen);
    if (end !== null) {
      return `Replace the CNAME record of ${end[1] ?? ''} by A and AAAA records, or point the SRV record to ${end[2] ?? ''}.`;
    }
  }
  return null;
}

/** The config says that peers come without SRV, and DNS says otherwise. */
function unexpectedSrv({ site, own, look }: Facts): readonly PlanWarning[] {
  const { host, port, srvName } = peersPlace(site);
  // Below a document, SRV records of the delegated name are one more way to say where it is (step 3.3).
  if (srvName === null || site.delegation === 'well-known') return [];
  for (const service of ['_matrix-fed', '_matrix']) {
    const owner = `${service}._tcp.${srvName}`;
    const asked = look.dns.get(lookKey('SRV', owner));
    if (asked?.kind !== 'records') continue;
    const records = asked.records.flatMap((record) => (record.type === 'SRV' ? [record] : []));
    const strays = records.filter((record) => !srvLeadsHere(record, site, own, look));
    const allAway = strays.length === records.length;
    if (site.delegation === 'srv' ? !allAway : strays.length === 0) return [];
    const said = strays.map((record) => `${String(record.port)} ${record.target}`).join(' and ');
    const seen = `${owner} sends peers to ${said}; by the config they come to ${String(port)} ${host}.`;
    const wanted = `${owner}. IN SRV 10 0 ${String(port)} ${host}.`;
    const fix =
      site.delegation === 'srv'
        ? `Set ${wanted} or add the target of the record to hosts, if it is this Portico.`
        : `Remove the SRV record ${owner}, or set delegation: srv and hosts: [${strays[0]?.target ?? ''}].`;
    return [warning('srv-record-not-as-configured', seen, fix)];
  }
  return [];
}

function foreignAddresses({ site, own, look }: Facts): readonly PlanWarning[] {
  return [...namesToUs(site).keys()].flatMap((name) =>
    (['A', 'AAAA'] as const).flatMap((type): PlanWarning[] => {
      const asked = look.dns.get(lookKey(type, name));
      if (asked?.kind !== 'records') return [];
      const found = asked.records.flatMap((record) => ('address' in record ? [record.address] : []));
      const foreign = found.filter((address) => isOurs(address, own) === 'no');
      if (foreign.length === 0) return [];
      const mine = type === 'A' ? own.v4 : own.v6;
      const has = mine.length === 0 ? 'no public IPv6 address' : mine.join(', ');
      const owner = asked.aliases.at(-1) ?? name;
      const seen = `${name} has the ${type} record ${foreign.join(', ')}; this machine has ${has}.`;
      const instead =
        mine.length === 0 ? `Remove the AAAA record of ${owner}` : `Set ${owner}. IN ${type} ${mine[0] ?? ''} instead`;
      const fix = `${instead}; leave it if what is at ${foreign.length === 1 ? 'this address' : 'these addresses'} passes connections on to Portico.`;
      return [warning('address-not-ours', seen, fix)];
    }),
  );
}

function caa({ site, look }: Facts): readonly PlanWarning[] {
  const unanswered: PlanWarning[] = [];
  /** Names by what is to be said of them: one record often stands for all names of a domain. */
  const refused = new Map<string, { names: string[]; tell: (names: string) => PlanWarning }>();
  for (const { name, wildcard, challenges } of site.certify) {
    const found = look.caa.get(name);
    if (found?.kind === 'failed') {
      const seen = `The CAA records of ${found.at} cannot be looked up: ${found.why}.`;
      unanswered.push(warning('caa-unanswered', seen, `Make the name servers of ${found.at} answer for type CAA.`));
    }
    if (found?.kind !== 'found') continue;
    for (const { name: issuer, directoryUrl } of site.issuers) {
      const domains = issuerDomains(directoryUrl)?.caa ?? [];
      const [domain = ''] = domains;
      const obstacle = domains.length === 0 ? null : caaObstacle(found.records, domains, wildcard, challenges);
      if (obstacle === null) continue;
      const what =
        obstacle === 'issuer'
          ? `do not name ${domain}, the domain of ${issuer}`
          : `allow ${domain} other challenges than ${challenges.join(', ') || 'those configured'}`;
      const fix = `Add ${found.at}. IN CAA ${caaText({ critical: false, tag: wildcard ? 'issuewild' : 'issue', value: domain })}`;
      const records = found.records.map(caaText).join(' and ');
      const tell = (names: string): PlanWarning =>
        warning('caa-forbids-issuer', `${found.at} has ${records}: for ${names} they ${what}.`, fix);
      const key = `${fix} ${what}`;
      const group = refused.get(key) ?? { names: [], tell };
      group.names.push(wildcard ? `*.${name}` : name);
      refused.set(key, group);
    }
  }
  return [...unanswered, ...[...refused.values()].map(({ names, tell }) => tell(names.join(', ')))];
}

/** Judged by what answers, never by lists of addresses, which nobody keeps up to date. */
function networkInFront({ site, own, look: { fronts } }: Facts): readonly PlanWarning[] {
  return fronts.flatMap((front): PlanWarning[] => {
    const { name, address, https, matrixPort } = front;
    if (!https.ok || isOurs(address, own) === 'yes') return [];
    const { network, server } = https.value;
    if (!isShut(matrixPort)) {
      if (network === null) return [];
      return [finding('cdn-in-front', `${name} (${address}) answers as ${network}.`)];
    }
    const seen = `${name} (${address}): port 443 answers${server === null ? '' : ` as "${server.slice(0, 40)}"`}, port 8448 does not`;
    if (network === null) return [finding('port-8448-closed', `${seen}.`, `Open port 8448, or ${peersTo443(site)}`)];
    const fix = `Take ${name} out of the network (a plain DNS record), or send peers to port 443: ${peersTo443(site)}`;
    return [warning('cdn-blocks-8448', `${seen} (${network}).`, fix)];
  });
}

function isShut(matrixPort: FrontSeen['matrixPort']): boolean {
  if (matrixPort === null || matrixPort.ok || !matrixPort.failure.code.startsWith('DIAL_')) return false;
  const { reason } = matrixPort.failure;
  return reason !== 'ENETUNREACH' && reason !== 'EADDRNOTAVAIL';
}

function peersTo443(site: PlanSite): string {
  const { host } = peersPlace(site);
  if (site.delegation === 'srv') {
    return `set _matrix-fed._tcp.${site.name.hostname}. IN SRV 10 0 443 ${host}.`;
  }
  return `set delegation: well-known and delegated_name: ${host}:443.`;
}

/** Names are compared byte by byte: peers would send this one as Host. */
function upperCaseDocument({ site, look: { evidence } }: Facts): readonly PlanWarning[] {
  const said = evidence.resolution.wellKnown?.mServer ?? null;
  // Where there should be no document at all, its spelling is no matter.
  if (site.expected.mServer === null || said === null || said === said.toLowerCase()) return [];
  const at = `https://${site.name.hostname}/.well-known/matrix/server`;
  const fix = `Serve ${JSON.stringify({ 'm.server': said.toLowerCase() })} at ${at}.`;
  return [finding('upper-case', `${at} says "${said}", which has upper-case letters.`, fix)];
}
