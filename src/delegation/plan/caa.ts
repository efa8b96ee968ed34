/** What CAA records say of an authority (RFC 8659; `validationmethods` of RFC 8657). Pure. */
import type { DnsRecord } from '../../dns/dns-client.ts';

/** One CAA record. */
export type CaaRecord = Extract<DnsRecord, { type: 'CAA' }>;

/** The records that count for a name: those at the name itself or the nearest one above that has any. */
export type CaaFound =
  | { readonly kind: 'found'; readonly at: string; readonly records: readonly CaaRecord[] }
  | { readonly kind: 'absent' }
  | { readonly kind: 'failed'; readonly at: string; readonly why: string };

/** Why an authority may not issue. */
export type CaaObstacle = 'issuer' | 'challenge';

/**
 * Judges the records.
 * @param domains - how the authority names itself
 * @param challenges - those that could prove the name
 * @returns null when the authority may issue
 */
export function caaObstacle(
  records: readonly CaaRecord[],
  domains: readonly string[],
  wildcard: boolean,
  challenges: readonly string[],
): CaaObstacle | null {
  const tagged = (tag: string): CaaRecord[] => records.filter((record) => record.tag.toLowerCase() === tag);
  const wild = tagged('issuewild');
  const relevant = wildcard && wild.length > 0 ? wild : tagged('issue');
  // Records of other kinds (iodef) restrict nobody.
  if (relevant.length === 0) return null;
  const ours = relevant.map(({ value }) => parse(value)).filter(({ domain }) => domains.includes(domain));
  if (ours.length === 0) return 'issuer';
  const fits = ours.some(({ methods }) => methods === null || challenges.some((type) => methods.includes(type)));
  return fits ? null : 'challenge';
}

/** As in a zone file. */
export function caaText({ critical, tag, value }: Pick<CaaRecord, 'critical' | 'tag' | 'value'>): string {
  return `${critical ? '128' : '0'} ${tag} "${value}"`;
}

function parse(value: string): { domain: string; methods: readonly string[] | null } {
  const [domain = '', ...parameters] = value.split(';').map((part) => part.trim());
  const found = parameters.map((text) => /^validationmethods\s*=\s*(.*)$/i.exec(text)?.[1]).find((text) => text);
  return { domain: domain.toLowerCase(), methods: found?.split(',').map((method) => method.trim()) ?? null };
}
