/** The shape of an ACME account in the store, and where it lies: one for each issuer. */
import { createHash } from 'node:crypto';

/** An account as it is kept under {@link accountKey}. */
export interface StoredAccount {
  /** Private key, PEM (PKCS #8). Never logged. */
  readonly key: string;
  /** The account's URL at the CA (RFC 8555 §7.1.2). */
  readonly uri: string;
  /** Contact URLs, such as `mailto:admin@example.com`. */
  readonly contact: readonly string[];
}

/**
 * The id of an issuer, from its directory URL: host and path, `acme-v02.api.letsencrypt.org-directory`.
 * @returns of `[a-z0-9.-]`, at most 100 characters, not beginning with a dot or hyphen
 */
export function issuerIdOf(directoryUrl: string): string {
  const plain = directoryUrl
    .toLowerCase()
    .replace(/^[a-z]+:\/\//, '')
    .replaceAll(/[^a-z0-9.]+/g, '-')
    .replaceAll(/\.{2,}/g, '.')
    .replaceAll(/^[.-]+|[.-]+$/g, '');
  if (plain !== '' && plain.length <= 100) return plain;
  return `issuer-${createHash('sha256').update(directoryUrl).digest('hex').slice(0, 32)}`;
}

/** Key of an issuer's account in the store. */
export function accountKey(issuerId: string): string {
  return `acme/${issuerId}/account.json`;
}

/** As it is stored. */
export function encodeStoredAccount({ key, uri, contact }: StoredAccount): string {
  return `${JSON.stringify({ key, uri, contact }, null, 2)}\n`;
}

/** @returns null when the value is damaged or none of ours */
export function decodeStoredAccount(value: Uint8Array): StoredAccount | null {
  try {
    const { key, uri, contact } = JSON.parse(Buffer.from(value).toString('utf8')) as Record<string, unknown>;
    if (typeof key !== 'string' || typeof uri !== 'string' || !isTextList(contact)) return null;
    return { key, uri, contact };
  } catch {
    return null;
  }
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}
