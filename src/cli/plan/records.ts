/** The DNS records of each site: what is wanted beside what is found. */
import { planRecords } from '../../delegation/plan/records.ts';
import type { PlanRecord, RecordState } from '../../delegation/plan/records.ts';
import { dnsAnswered } from './network.ts';
import type { PlanContext, PlanLine, PlanSection } from './section.ts';

/** The section `dns_records`. */
export function recordsSection({ sites, own, looks }: PlanContext): PlanSection {
  const bySite = sites.map((site) => {
    const look = looks?.get(site.name.text);
    // Where nobody answered at all, that is said once.
    const compared = look !== undefined && dnsAnswered(look) ? look : null;
    return { serverName: site.name.text, records: planRecords(site, own, compared) };
  });
  const data = bySite.flatMap(({ serverName, records }) =>
    records.map((record) => ({ server_name: serverName, ...record })),
  );
  const lines = bySite.flatMap(({ serverName, records }): PlanLine[] =>
    records.length === 0 ? [] : [{ depth: 0, text: serverName, kind: 'head' }, ...records.flatMap(recordLines)],
  );
  return { key: 'dns_records', title: 'DNS records', data, lines };
}

function recordLines(record: PlanRecord): PlanLine[] {
  const { type, name, wanted, state } = record;
  const value = wanted ?? placeholder(record);
  return [
    { depth: 1, text: `${name}. IN ${type} ${value}`, kind: 'copy' },
    { depth: 2, text: stateText(record), kind: KINDS[state] },
  ];
}

const KINDS: Record<RecordState, NonNullable<PlanLine['kind']>> = {
  set: 'good',
  missing: 'plain',
  differs: 'warn',
  'not-compared': 'plain',
  failed: 'warn',
  'not-looked-up': 'plain',
};

function placeholder({ type, found }: PlanRecord): string {
  if (type === 'TXT') return '…';
  const [first] = found ?? [];
  if (first !== undefined) return first;
  return type === 'A' ? '(the public IPv4 address of Portico)' : '(the public IPv6 address of Portico)';
}

function stateText({ state, optional, why, found, note }: PlanRecord): string {
  const there = (found ?? []).join(' and ');
  const more = note === null ? '' : `; ${note}`;
  const need = optional ? 'optional' : 'to set';
  if (state === 'set') return `✓ set${more}`;
  if (state === 'missing') return `+ ${need}: ${why}${more}`;
  if (state === 'differs') return `! found ${there}${more}`;
  if (state === 'not-compared') return `? found ${there}${more}`;
  if (state === 'failed') return `? not answered${more}`;
  return `${why}${more}`;
}
