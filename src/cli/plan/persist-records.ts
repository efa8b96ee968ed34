/**
 * The TXT records that dns-persist-01 wants: set once, they prove a name for as long as they stand, without any key to the
 * DNS (draft-ietf-acme-dns-persist).
 */
import { acmeOutline } from '../../acme-plan.ts';
import { issuerIdOf } from '../../acme/issuer.ts';
import { accountKey, decodeAccount } from '../../acme/stored-account.ts';
import type { Config } from '../../config/index.ts';
import { issuerDomains } from '../../delegation/plan/issuer-domains.ts';
import type { Store } from '../../store/store.ts';

type Issuer = NonNullable<Config['acme']>['issuers'][number];

type ReadStore = Pick<Store, 'get' | 'list'>;

/** One TXT record. */
export interface PersistRecord {
  readonly name: string;
  /** The name that it proves. */
  readonly base: string;
  /** Null while something is missing that only the authority can say. */
  readonly value: string | null;
  readonly issuer: string;
  readonly missing: string | null;
}

/** One for each name and authority; empty without ACME or the challenge. */
export async function persistRecords(config: Config, store: ReadStore): Promise<PersistRecord[]> {
  const names = namesToProve(config);
  if (config.acme === undefined || names.size === 0) return [];
  const records: PersistRecord[] = [];
  for (const issuer of config.acme.issuers) {
    const account = await accountUrl(issuer.directory.url, store);
    for (const [name, wildcard] of names) records.push(recordFor(name, wildcard, issuer, account));
  }
  return records;
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
  const domain = issuerDomains(issuer.directory.url)?.persist ?? null;
  const missing =
    domain === null
      ? 'its domain for such records is in the challenge that it sends; see its documentation'
      : account === null
        ? 'the account URL appears after the first start; run `portico plan` again then'
        : null;
  return {
    name: `_validation-persist.${name}`,
    base: name,
    value:
      domain === null || account === null
        ? null
        : `${domain}; accounturi=${account}${wildcard ? '; policy=wildcard' : ''}`,
    issuer: issuer.directory.name,
    missing,
  };
}

/** The account at a directory, when the store can be read and has one. */
async function accountUrl(directoryUrl: string, store: ReadStore): Promise<string | null> {
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
