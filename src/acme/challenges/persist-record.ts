/**
 * The record of dns-persist-01, which names an authority and an account at it once and for all
 * (draft-ietf-acme-dns-persist): `letsencrypt.org; accounturi=https://…; policy=wildcard; persistUntil=1767225600`.
 */

/** What such a record says. */
export interface PersistRecord {
  /** The authority, by one of the domain names it goes by. */
  readonly issuer: string;
  readonly accountUri: string;
  /** Good for `*.name` and names below, too. */
  readonly wildcard: boolean;
  /** Seconds since the epoch after which it no longer counts; null: never. */
  readonly persistUntil: number | null;
}

/** What a record has to say to be of use. */
export interface PersistNeed {
  /** Any of these. */
  readonly issuers: readonly string[];
  readonly accountUri: string;
  readonly wildcard: boolean;
  /** Seconds since the epoch. */
  readonly now: number;
}

/** RFC 8659 §4.2: a parameter's name, and what its value may consist of. */
const TAG = /^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?$/;
const VALUE = /^[!-:<-~]*$/;
const ISSUER = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;

/** The name of the TXT record. @param name - without `*.` */
export function persistRecordName(name: string): string {
  return `_validation-persist.${name}`;
}

/** Writes a record; no semicolon at the end, which authorities take for a mistake. */
export function persistRecord({ issuer, accountUri, wildcard, persistUntil }: PersistRecord): string {
  return [
    issuer,
    `accounturi=${accountUri}`,
    ...(wildcard ? ['policy=wildcard'] : []),
    ...(persistUntil === null ? [] : [`persistUntil=${String(persistUntil)}`]),
  ].join('; ');
}

/**
 * Reads a record, at least as strictly as an authority does.
 * @returns null when it is not of this form; parameters that are not known are passed over
 */
export function parsePersistRecord(text: string): PersistRecord | null {
  const [head = '', ...parts] = text.split(';').map((part) => part.replace(/^[ \t]+|[ \t]+$/g, ''));
  const issuer = head.toLowerCase();
  if (!ISSUER.test(issuer)) return null;
  const parameters = new Map<string, string>();
  for (const part of parts) {
    const equals = part.indexOf('=');
    if (equals === -1) return null;
    const tag = part.slice(0, equals).trimEnd().toLowerCase();
    const value = part.slice(equals + 1).trimStart();
    if (!TAG.test(tag) || !VALUE.test(value) || parameters.has(tag)) return null;
    parameters.set(tag, value);
  }
  const accountUri = parameters.get('accounturi');
  if (accountUri === undefined || accountUri === '') return null;
  const until = parameters.get('persistuntil');
  if (until !== undefined && !/^\d{1,15}$/.test(until)) return null;
  return {
    issuer,
    accountUri,
    wildcard: parameters.get('policy')?.toLowerCase() === 'wildcard',
    persistUntil: until === undefined ? null : Number(until),
  };
}

/**
 * Looks for a record that does.
 * @param texts - all TXT values at the name; others than these records may be among them
 * @returns null when there is one; else what keeps those that are there from doing, in words
 */
export function missingInPersistRecords(texts: readonly string[], need: PersistNeed): string | null {
  const reasons: string[] = [];
  for (const text of texts) {
    const record = parsePersistRecord(text);
    if (record === null) reasons.push(`${JSON.stringify(text.slice(0, 100))} is not a record of this kind`);
    else if (need.issuers.includes(record.issuer)) {
      const reason = shortcoming(record, need);
      if (reason === null) return null;
      reasons.push(`that for ${record.issuer} ${reason}`);
    }
  }
  if (reasons.length > 0) return reasons.join('; ');
  return texts.length === 0 ? 'there is none' : `there is none for ${need.issuers.join(' or ')}`;
}

function shortcoming(record: PersistRecord, need: PersistNeed): string | null {
  if (record.accountUri !== need.accountUri) return 'names another account';
  if (record.persistUntil !== null && record.persistUntil <= need.now) {
    return `ended at ${new Date(record.persistUntil * 1000).toISOString()}`;
  }
  return need.wildcard && !record.wildcard ? 'lacks policy=wildcard' : null;
}
