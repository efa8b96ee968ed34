/** The shape of a certificate with its key in the store, in one value, so that the two are never of different renewals. */
import { createHash } from 'node:crypto';

/** A certificate as it is kept below {@link CERTIFICATES_FOLDER}. */
export interface StoredCertificate {
  /** Leaf first, then the intermediates; PEM. */
  readonly chain: string;
  /** Private key, PEM (PKCS #8). Never logged. */
  readonly key: string;
  /** Names of the leaf, as in `CertificateData.names`. */
  readonly names: readonly string[];
  /** Issuer id as `issuerIdOf` makes it; null when it is not known. */
  readonly issuer: string | null;
  /** The profile it was ordered with, to be kept on renewal; null: the CA's default. */
  readonly profile: string | null;
  /** The program whose store it was taken from; null when Portico obtained it. */
  readonly importedFrom: string | null;
}

/** All certificates, each in a folder named after its id. */
export const CERTIFICATES_FOLDER = 'acme/certificates';

/** Key of an imported certificate in the store. */
export function importedCertificateKey(id: string): string {
  return `${CERTIFICATES_FOLDER}/${id}/imported.json`;
}

/**
 * An id that follows from the names alone: their renewal has the same one.
 * @returns of `[a-z0-9._-]`, at most 100 characters
 */
export function certificateIdOf(names: readonly string[]): string {
  const [first = ''] = names;
  const readable = first
    .replace('*', '_')
    .replaceAll(/[^a-z0-9._-]+/g, '_')
    .replace(/^[.-]+/, '')
    .slice(0, 80);
  const digest = createHash('sha256')
    .update([...new Set(names)].sort().join('\n'))
    .digest('hex');
  return `${readable === '' ? 'certificate' : readable}-${digest.slice(0, 12)}`;
}

/** As it is stored. */
export function encodeStoredCertificate(certificate: StoredCertificate): string {
  const { chain, key, names, issuer, profile, importedFrom } = certificate;
  return `${JSON.stringify({ chain, key, names, issuer, profile, importedFrom }, null, 2)}\n`;
}

/** @returns null when the value is damaged or none of ours; whether chain and key fit is for `parseCertificate` to say */
export function decodeStoredCertificate(value: Uint8Array): StoredCertificate | null {
  try {
    const found = JSON.parse(Buffer.from(value).toString('utf8')) as Record<keyof StoredCertificate, unknown>;
    const { chain, key, names, issuer = null, profile = null, importedFrom = null } = found;
    if (typeof chain !== 'string' || typeof key !== 'string') return null;
    if (!Array.isArray(names) || !names.every((name) => typeof name === 'string')) return null;
    if (!isTextOrNull(issuer) || !isTextOrNull(profile) || !isTextOrNull(importedFrom)) return null;
    return { chain, key, names, issuer, profile, importedFrom };
  } catch {
    return null;
  }
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === 'string';
}
