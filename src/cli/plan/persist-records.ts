/**
 * The TXT records that dns-persist-01 wants: set once, they prove a name for as long as they stand, without any key to the
 * DNS (draft-ietf-acme-dns-persist).
 */
import { acmeOutline } from '../../acme-plan.ts';
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

/** The account at a directory, when the store can be read and has one: `acme/<issuer>/account.json`. */
async function accountUrl(directoryUrl: string, store: ReadStore): Promise<string | null> {
  let keys: string[];
  try {
    keys = await store.list('acme');
  } catch {
    // Nobody has started yet, or this user may not read it; both are told as "after the first start".
    return null;
  }
  for (const key of keys) {
    if (!/^acme\/[^/]+\/account\.json$/.test(key)) continue;
    const url = await urlInAccount(key, directoryUrl, store);
    if (url !== null) return url;
  }
  return null;
}

async function urlInAccount(key: string, directoryUrl: string, store: ReadStore): Promise<string | null> {
  try {
    const text = await store.get(key);
    const account = JSON.parse(text?.toString('utf8') ?? 'null') as { directoryUrl?: unknown; url?: unknown } | null;
    return account?.directoryUrl === directoryUrl && typeof account.url === 'string' ? account.url : null;
  } catch {
    // As above: an account that cannot be read is none that could be named.
    return null;
  }
}
