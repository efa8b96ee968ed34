/**
 * The TXT records that dns-persist-01 wants: set once, they prove a name for as long as they stand, without any key to the
 * DNS (draft-ietf-acme-dns-persist).
 */
import { acmeOutline } from '../../acme-plan.ts';
import { issuerIdOf } from '../../acme/issuer.ts';
import { accountKey, decodeAccount } from '../../acme/stored-account.ts';
import type { Config } from '../../config/index.ts';
import type { PlanContext, PlanLine, PlanSection } from './section.ts';

type Issuer = NonNullable<Config['acme']>['issuers'][number];

/** Domains by which authorities that are known to offer the challenge name themselves in such records. */
const ISSUER_DOMAINS: Readonly<Record<string, string>> = {
  'acme-v02.api.letsencrypt.org': 'letsencrypt.org',
  'acme-staging-v02.api.letsencrypt.org': 'letsencrypt.org',
};

interface PersistRecord {
  readonly name: string;
  readonly type: 'TXT';
  /** Null while something is missing that only the authority can say. */
  readonly value: string | null;
  readonly issuer: string;
  readonly missing: string | null;
}

/** The section `dns_records`. */
export async function persistRecordsSection(context: PlanContext): Promise<PlanSection> {
  const { config } = context;
  const title = 'DNS records to set once, for dns-persist-01';
  const names = namesToProve(config);
  if (config.acme === undefined || names.size === 0) return { key: 'dns_records', title, data: [], lines: [] };
  const records: PersistRecord[] = [];
  for (const issuer of config.acme.issuers) {
    const account = await accountUrl(issuer.directory.url, context.store);
    for (const [name, wildcard] of names) records.push(recordFor(name, wildcard, issuer, account));
  }
  const lines = records.flatMap(({ name, value, issuer, missing }): PlanLine[] =>
    value === null
      ? [{ depth: 0, text: `${name} (${issuer}): ${missing ?? ''}`, kind: 'warn' }]
      : [{ depth: 0, text: `${name}. IN TXT "${value}"`, kind: 'copy' }],
  );
  return { key: 'dns_records', title, data: records, lines };
}

/** Names without `*.`, each with whether a wildcard below it is wanted. */
function namesToProve(config: Config): Map<string, boolean> {
  const names = new Map<string, boolean>();
  for (const { name, possible } of acmeOutline(config).challenges.values()) {
    if (!possible.some(({ type }) => type === 'dns-persist-01')) continue;
    const wildcard = name.startsWith('*.');
    const base = wildcard ? name.slice(2) : name;
    names.set(base, wildcard || names.get(base) === true);
  }
  return names;
}

function recordFor(name: string, wildcard: boolean, issuer: Issuer, account: string | null): PersistRecord {
  const domain = ISSUER_DOMAINS[new URL(issuer.directory.url).hostname];
  const missing =
    domain === undefined
      ? 'its domain for such records is in the challenge that it sends; see its documentation'
      : account === null
        ? 'the account URL appears after the first start; run `portico plan` again then'
        : null;
  return {
    name: `_validation-persist.${name}`,
    type: 'TXT',
    value:
      domain === undefined || account === null
        ? null
        : `${domain}; accounturi=${account}${wildcard ? '; policy=wildcard' : ''}`,
    issuer: issuer.directory.name,
    missing,
  };
}

/** The account at a directory, when the store can be read and has one. */
async function accountUrl(directoryUrl: string, store: PlanContext['store']): Promise<string | null> {
  let stored: Buffer | null;
  try {
    stored = await store.get(accountKey(issuerIdOf(directoryUrl)));
  } catch {
    // This user may not read it, which is told as "after the first start".
    return null;
  }
  // One that is damaged is none that could be named; the start says so.
  const decoded = stored === null ? null : decodeAccount(stored);
  return decoded?.ok === true ? decoded.record.url : null;
}
