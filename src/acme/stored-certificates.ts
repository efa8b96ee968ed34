/**
 * Certificates in the store, `acme/certificates/<id>/certificate.json`: chain and key in one value, so that no crash leaves
 * one without the other, and beside them what a renewal must know.
 */
import { z } from 'zod';
import { parseCertificate } from '../base/certificate.ts';
import type { CertificateData } from '../base/certificate.ts';
import { messageOf, PorticoError } from '../base/errors.ts';
import type { Store } from '../store/store.ts';

/** A certificate that was obtained, or imported from another program. */
export interface StoredCertificate {
  /** Of the planned certificate; see `planCertificate`. */
  readonly id: string;
  readonly certificate: CertificateData;
  /** Id and name of the authority; null of an imported one whose authority is not known. */
  readonly issuer: string | null;
  readonly issuerName: string | null;
  /** As the authority named it. */
  readonly profile: string | null;
  /** What was asked for; a renewal asks for the same as long as the config does. */
  readonly askedProfile: string | null;
  /** What the config had for the issuer then. */
  readonly configuredProfile: string | null;
  /** Milliseconds since the epoch. */
  readonly obtainedAt: number;
  readonly certificateUrl: string | null;
  /** The program whose store it was taken from; null when Portico obtained it. */
  readonly importedFrom: string | null;
}

/** What was found, and what could not be read although it may be there. */
export interface StoredCertificates {
  readonly found: ReadonlyMap<string, StoredCertificate>;
  /** Ids; null when not even the list could be read. */
  readonly unreadable: ReadonlySet<string> | null;
}

const FOLDER = 'acme/certificates';
const FILE = 'certificate.json';

const stored = z.object({
  version: z.literal(1),
  issuer: z.string().nullable(),
  issuer_name: z.string().nullable(),
  profile: z.string().nullable(),
  asked_profile: z.string().nullable(),
  configured_profile: z.string().nullable(),
  obtained_at: z.number(),
  certificate_url: z.string().nullable(),
  imported_from: z.string().nullable(),
  chain: z.string(),
  key: z.string(),
});

/**
 * Reads all of them. Never rejects.
 * @param onProblem - hears of each that is damaged or unreadable; must not throw
 */
export async function readStoredCertificates(
  store: Store,
  onProblem: (problem: PorticoError) => void,
): Promise<StoredCertificates> {
  const found = new Map<string, StoredCertificate>();
  const unreadable = new Set<string>();
  let keys: string[];
  try {
    keys = await store.list(FOLDER);
  } catch (cause) {
    onProblem(cannotRead('The certificates in the store', cause));
    return { found, unreadable: null };
  }
  for (const key of keys) {
    const id = idOf(key);
    if (id === null) continue;
    let text: Buffer | null;
    try {
      text = await store.get(key);
    } catch (cause) {
      unreadable.add(id);
      onProblem(cannotRead(`The certificate in ${key}`, cause));
      continue;
    }
    if (text === null) continue;
    try {
      found.set(id, decode(id, text.toString('utf8')));
    } catch (cause) {
      onProblem(damaged(key, cause));
    }
  }
  return { found, unreadable };
}

/** @throws PorticoError `STORE_…`; what was there before is then still there */
export async function writeStoredCertificate(store: Store, one: StoredCertificate): Promise<void> {
  const value: z.input<typeof stored> = {
    version: 1,
    issuer: one.issuer,
    issuer_name: one.issuerName,
    profile: one.profile,
    asked_profile: one.askedProfile,
    configured_profile: one.configuredProfile,
    obtained_at: one.obtainedAt,
    certificate_url: one.certificateUrl,
    imported_from: one.importedFrom,
    chain: one.certificate.chain,
    key: one.certificate.key,
  };
  await store.put(keyOf(one.id), `${JSON.stringify(value, null, 2)}\n`);
}

/** @throws PorticoError `STORE_…` */
export async function deleteStoredCertificate(store: Store, id: string): Promise<void> {
  await store.delete(keyOf(id));
}

function keyOf(id: string): string {
  return `${FOLDER}/${id}/${FILE}`;
}

function idOf(key: string): string | null {
  const [id, file, ...rest] = key.slice(FOLDER.length + 1).split('/');
  return id !== undefined && file === FILE && rest.length === 0 ? id : null;
}

function decode(id: string, text: string): StoredCertificate {
  const value = stored.parse(JSON.parse(text));
  return {
    id,
    certificate: parseCertificate(value.chain, value.key, 'acme'),
    issuer: value.issuer,
    issuerName: value.issuer_name,
    profile: value.profile,
    askedProfile: value.asked_profile,
    configuredProfile: value.configured_profile,
    obtainedAt: value.obtained_at,
    certificateUrl: value.certificate_url,
    importedFrom: value.imported_from,
  };
}

function cannotRead(what: string, cause: unknown): PorticoError {
  return new PorticoError('ACME_STATE_UNREADABLE', `${what} cannot be read: ${messageOf(cause)}`, {
    fix: 'Let the user that Portico runs as read store.path, and check the disk. Nothing is ordered until then.',
    cause,
  });
}

function damaged(key: string, cause: unknown): PorticoError {
  // A parser's message may quote what it read, and this file holds a key.
  const why = cause instanceof PorticoError ? cause.message : 'it is not what Portico wrote';
  return new PorticoError('ACME_CERTIFICATE_DAMAGED', `The certificate in ${key} cannot be used: ${why}`, {
    fix: 'Nothing needs to be done: another one is ordered. If it happens again, check the disk of store.path.',
  });
}
