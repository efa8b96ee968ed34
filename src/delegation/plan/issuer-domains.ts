/**
 * The domains by which authorities name themselves in DNS: in CAA records (RFC 8659), and in the records of dns-persist-01.
 * Each from the authority's own documentation.
 */

/** One authority. */
export interface IssuerDomains {
  /** Any of these in a CAA record allows it. */
  readonly caa: readonly string[];
  /** Its name in records of dns-persist-01; null: it is not known to offer the challenge. */
  readonly persist: string | null;
}

/** By the host of the directory. */
const DOMAINS = new Map<string, IssuerDomains>([
  ['acme-v02.api.letsencrypt.org', { caa: ['letsencrypt.org'], persist: 'letsencrypt.org' }],
  ['acme-staging-v02.api.letsencrypt.org', { caa: ['letsencrypt.org'], persist: 'letsencrypt.org' }],
  ['acme.zerossl.com', { caa: ['sectigo.com'], persist: null }],
  ['dv.acme-v02.api.pki.goog', { caa: ['pki.goog'], persist: null }],
]);

/** @returns null for an authority whose domains are not known */
export function issuerDomains(directoryUrl: string): IssuerDomains | null {
  return DOMAINS.get(URL.parse(directoryUrl)?.hostname ?? '') ?? null;
}
