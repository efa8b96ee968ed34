/** The DNS records that a site wants, beside those that are there. Pure. */
import type { DnsRecord } from '../../dns/dns-client.ts';
import { printable } from '../printable.ts';
import type { Asked } from '../resolve/ask.ts';
import { caaObstacle, caaText } from './caa.ts';
import { issuerDomains } from './issuer-domains.ts';
import { isOurs } from './own-addresses.ts';
import type { OwnAddresses } from './own-addresses.ts';
import { namesToUs, peersPlace } from './plan-site.ts';
import type { PlanSite } from './plan-site.ts';
import { srvLeadsHere } from './srv-leads-here.ts';
import { lookKey } from './site-look.ts';
import type { SiteLook } from './site-look.ts';

/** How a record stands. */
export type RecordState =
  /** As wanted. */
  | 'set'
  /** There is none of this type. */
  | 'missing'
  /** There is another one. */
  | 'differs'
  /** There is one, and whether it is right cannot be known from here. */
  | 'not-compared'
  /** DNS could not be asked. */
  | 'failed'
  /** DNS was not asked. */
  | 'not-looked-up';

/** One record. */
export interface PlanRecord {
  readonly type: 'A' | 'AAAA' | 'SRV' | 'TXT' | 'CAA';
  readonly name: string;
  /** As in a zone file; null: the value cannot be known from here. */
  readonly wanted: string | null;
  /** Good to have, nothing fails without it. */
  readonly optional: boolean;
  readonly why: string;
  readonly state: RecordState;
  /** As in a zone file; null: not looked up, or not answered. */
  readonly found: readonly string[] | null;
  /** More about the state, in a few words; null: nothing. */
  readonly note: string | null;
}

/** @param look - null without the network */
export function planRecords(site: PlanSite, own: OwnAddresses, look: SiteLook | null): PlanRecord[] {
  return [
    ...[...namesToUs(site)].flatMap(([name, why]) => addressRecords(name, why, own, look)),
    ...srvRecords(site, own, look),
    ...caaRecords(site, look),
    ...site.persist.map((record) => txtRecord(record, look)),
  ];
}

function addressRecords(name: string, why: string, own: OwnAddresses, look: SiteLook | null): PlanRecord[] {
  return (['A', 'AAAA'] as const).flatMap((type): PlanRecord[] => {
    const mine = type === 'A' ? own.v4 : own.v6;
    const asked = look?.dns.get(lookKey(type, name)) ?? null;
    // An AAAA record is wanted of those who have IPv6, and looked at wherever there is one.
    const optional = type === 'AAAA';
    if (optional && mine.length === 0 && asked?.kind !== 'records') return [];
    const common = { type, name, optional, why, wanted: mine[0] ?? null } as const;
    if (asked?.kind !== 'records') return [{ ...common, ...unfound(asked) }];
    const found = valuesOf(asked.records);
    const ours = found.map((address) => isOurs(address, own));
    const via = asked.aliases.length === 0 ? '' : `by way of CNAME ${asked.aliases.join(' → ')}`;
    if (ours.includes('no')) {
      const others = found.filter((_, index) => ours[index] === 'no').join(', ');
      return [{ ...common, found, state: 'differs', note: `${others} is no address of this machine` }];
    }
    if (ours.includes('unknown')) {
      const note = `this machine has no public ${type === 'A' ? 'IPv4' : 'IPv6'} address of its own to compare with`;
      return [{ ...common, found, state: 'not-compared', note }];
    }
    return [{ ...common, found, state: 'set', note: via === '' ? null : via }];
  });
}

function srvRecords(site: PlanSite, own: OwnAddresses, look: SiteLook | null): PlanRecord[] {
  if (site.delegation !== 'srv') return [];
  const { host, port } = peersPlace(site);
  const wanted = `10 0 ${String(port)} ${host}.`;
  return (['_matrix-fed', '_matrix'] as const).map((service): PlanRecord => {
    const name = `${service}._tcp.${site.name.hostname}`;
    const optional = service === '_matrix';
    const why = optional ? 'for peers older than Matrix 1.8' : 'peers learn from it where to connect';
    const asked = look?.dns.get(lookKey('SRV', name)) ?? null;
    const common = { type: 'SRV', name, wanted, optional, why } as const;
    if (asked?.kind !== 'records') return { ...common, ...unfound(asked) };
    const leads =
      look !== null && asked.records.some((record) => record.type === 'SRV' && srvLeadsHere(record, site, own, look));
    return { ...common, found: valuesOf(asked.records), state: leads ? 'set' : 'differs', note: null };
  });
}

/** Where nobody is kept out, no record is wanted: a CAA record is a choice, not a need. */
function caaRecords(site: PlanSite, look: SiteLook | null): PlanRecord[] {
  const found = new Map<string, PlanRecord>();
  for (const { name, wildcard, challenges } of site.certify) {
    const caa = look?.caa.get(name);
    for (const { directoryUrl } of site.issuers) {
      const domains = issuerDomains(directoryUrl)?.caa ?? [];
      const [domain] = domains;
      if (domain === undefined) continue;
      const at = caa?.kind === 'found' ? caa.at : name;
      const wanted = caaText({ critical: false, tag: wildcard ? 'issuewild' : 'issue', value: domain });
      const why = 'the authority may issue';
      const common = { type: 'CAA', name: at, wanted, optional: true, why } as const;
      const key = `${at} ${wanted}`;
      if (caa?.kind === 'failed') {
        found.set(key, { ...common, name: caa.at, optional: false, state: 'failed', found: null, note: caa.why });
      }
      if (caa?.kind !== 'found') continue;
      const texts = caa.records.map((record) => printable(caaText(record)));
      const obstacle = caaObstacle(caa.records, domains, wildcard, challenges);
      const state = obstacle === null ? 'set' : 'differs';
      if (found.get(key)?.state !== 'differs') {
        found.set(key, { ...common, optional: obstacle === null, found: texts, state, note: null });
      }
    }
  }
  return [...found.values()];
}

function txtRecord({ name, value, note }: PlanSite['persist'][number], look: SiteLook | null): PlanRecord {
  const asked = look?.dns.get(lookKey('TXT', name)) ?? null;
  const why = 'proves the name for as long as it stands (dns-persist-01)';
  const common = { type: 'TXT', name, wanted: value === null ? null : quoted(value), optional: false, why } as const;
  if (asked?.kind !== 'records') return { ...common, ...unfound(asked), ...(note === null ? {} : { note }) };
  const found = valuesOf(asked.records);
  if (value === null) return { ...common, found, state: 'not-compared', note };
  const normal = (text: string): string =>
    text
      .split(';')
      .map((part) => part.trim())
      .join(';');
  const same = asked.records.some((record) => record.type === 'TXT' && normal(record.text) === normal(value));
  return { ...common, found, state: same ? 'set' : 'differs', note: null };
}

function unfound(asked: Asked | null): Pick<PlanRecord, 'state' | 'found' | 'note'> {
  if (asked === null) return { state: 'not-looked-up', found: null, note: null };
  if (asked.kind === 'failed') return { state: 'failed', found: null, note: printable(asked.why) };
  return { state: 'missing', found: [], note: null };
}

function valuesOf(records: readonly DnsRecord[]): string[] {
  return records.flatMap((record): string[] => {
    if (record.type === 'A' || record.type === 'AAAA') return [record.address];
    if (record.type === 'TXT') return [printable(quoted(record.text))];
    if (record.type !== 'SRV') return [];
    const { priority, weight, port, target } = record;
    return [printable(`${String(priority)} ${String(weight)} ${String(port)} ${target}.`)];
  });
}

/** A character string of a zone file holds at most 255 octets (RFC 1035 §3.3). */
function quoted(text: string): string {
  const parts = text.match(/[\s\S]{1,255}/g) ?? [''];
  return parts.map((part) => `"${part.replaceAll(/["\\]/g, '\\$&')}"`).join(' ');
}
