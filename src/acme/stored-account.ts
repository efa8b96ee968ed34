/** The shape of the account at one authority in the store, and where it lies. */

/** As it is in the store, under {@link accountKey}. */
export interface AccountRecord {
  readonly version: 1;
  readonly directoryUrl: string;
  /** PKCS #8, PEM. Never logged. */
  readonly key: string;
  /** The account's URL (RFC 8555 §7.1.2); null until the authority has answered. */
  readonly url: string | null;
  /** E-mail address that the authority was given. */
  readonly contact: string | null;
  /** A key that is about to replace `key`; whether the authority has taken it is not known yet. */
  readonly pendingKey: string | null;
}

/** What was read. */
export type DecodedAccount =
  | { readonly ok: true; readonly record: AccountRecord }
  /** `why`: in words, after "it is damaged:"; never quotes what was read, which may be a key. */
  | { readonly ok: false; readonly why: string };

/** @param issuerId - see `issuerIdOf` */
export function accountKey(issuerId: string): string {
  return `acme/${issuerId}/account.json`;
}

/** As it is stored. */
export function encodeAccount(record: AccountRecord): string {
  const { version, directoryUrl, key, url, contact, pendingKey } = record;
  return `${JSON.stringify({ version, directoryUrl, key, url, contact, pendingKey }, null, 2)}\n`;
}

/** Never throws. */
export function decodeAccount(stored: Uint8Array): DecodedAccount {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(stored).toString('utf8'));
  } catch {
    return { ok: false, why: 'it is not JSON' };
  }
  if (!isRecord(value) || value.version !== 1) {
    return { ok: false, why: 'it is not of a version that this Portico knows' };
  }
  const { directoryUrl, key, url = null, contact = null, pendingKey = null } = value;
  if (typeof directoryUrl !== 'string' || typeof key !== 'string' || !key.includes('PRIVATE KEY')) {
    return { ok: false, why: 'it holds no key' };
  }
  if (!isTextOrNull(url) || !isTextOrNull(contact) || !isTextOrNull(pendingKey)) {
    return { ok: false, why: 'a part of it is of the wrong type' };
  }
  return { ok: true, record: { version: 1, directoryUrl, key, url, contact, pendingKey } };
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === 'string';
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
