/**
 * Which certificates ACME is to obtain: pure, from the names that need one. One certificate for each name, because a name
 * that fails must not hold up the others; those that the config puts together share one.
 */
import { createHash } from 'node:crypto';
import { canonicalIp, wildcardOf } from '../base/certificate.ts';

/** A certificate that has to exist. */
export interface PlannedCertificate {
  /**
   * Names it in the store, in logs and in orders: `[a-z0-9._-]{1,100}`. Depends on the set of names alone, so that a
   * certificate and its history are found again whatever else changes in the config.
   */
  readonly id: string;
  /** DNS names in lower case (`*.` in front for a wildcard) and canonical IP literals; the first is the one to call it by. */
  readonly names: readonly string[];
  /** What the names need when the issuer's config sets nothing: Let's Encrypt has addresses in this profile only. */
  readonly profile: 'shortlived' | null;
}

/** What the config says about names, as plain data. */
export interface CertificateDemand {
  /** Every name that peers and clients will ask for; IP literals without brackets. */
  readonly names: readonly string[];
  /** Names and wildcards whose certificates come from files or the local CA. */
  readonly provided: readonly string[];
  /** Sets of names that share a certificate from ACME. */
  readonly groups: readonly (readonly string[])[];
}

/** In the order of the demand, groups first; each id once. */
export function plannedCertificates(demand: CertificateDemand): readonly PlannedCertificate[] {
  const planned = new Map<string, PlannedCertificate>();
  const add = (names: readonly string[]): void => {
    const certificate = planCertificate(names);
    if (!planned.has(certificate.id)) planned.set(certificate.id, certificate);
  };
  for (const group of demand.groups) if (group.length > 0) add(group);
  const elsewhere = [...demand.provided.map(canonicalName), ...demand.groups.flat().map(canonicalName)];
  const exact = new Set(elsewhere);
  for (const name of demand.names.map(canonicalName)) {
    if (exact.has(name)) continue;
    if (canonicalIp(name) === null && exact.has(wildcardOf(name))) continue;
    add([name]);
  }
  return [...planned.values()];
}

/** The plan of one certificate, for a set of names that is not empty. */
export function planCertificate(names: readonly string[]): PlannedCertificate {
  const own = [...new Set(names.map(canonicalName))];
  return {
    id: certificateId(own),
    names: own,
    profile: own.some((name) => canonicalIp(name) !== null) ? 'shortlived' : null,
  };
}

/** Longest readable part of an id that also carries a digest. */
const MAX_LABEL = 60;
/** A store segment may be longer, but orders and logs carry the id, too. */
const MAX_PLAIN = 90;
/** 96 bits: nobody chooses names to make two sets collide in their own config. */
const DIGEST_CHARACTERS = 24;

/**
 * A plain name is its own id. Underscores, which no name here can have, keep the others apart: `_wildcard.example.com`,
 * `_ip-2001-db8--1`, and a digest for sets of names and for names that are too long.
 */
function certificateId(names: readonly string[]): string {
  const [first = ''] = names;
  const label = first.startsWith('*.')
    ? `_wildcard.${first.slice(2)}`
    : first.includes(':')
      ? `_ip-${first.replaceAll(':', '-')}`
      : first;
  if (names.length === 1 && label.length <= MAX_PLAIN) return label;
  const sorted = [...names].sort();
  const digest = createHash('sha256').update(sorted.join('\n')).digest('hex').slice(0, DIGEST_CHARACTERS);
  const [named = ''] = sorted.filter((name) => !name.startsWith('*.') && !name.includes(':'));
  return `_${names.length === 1 ? 'name' : 'set'}-${digest}${named === '' ? '' : `_${named.slice(0, MAX_LABEL)}`}`;
}

function canonicalName(name: string): string {
  const bare = name.startsWith('[') && name.endsWith(']') ? name.slice(1, -1) : name;
  return canonicalIp(bare) ?? bare.toLowerCase();
}
