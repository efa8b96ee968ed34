/**
 * Takes certificates and accounts from another program's store into ours: each is judged by itself, nothing is overwritten
 * unless that is asked for, and for everything that is not taken the reason is given.
 */
import type { KeyObject } from 'node:crypto';
import { parseCertificate, validityProblem, type CertificateData } from '../../base/certificate.ts';
import { messageOf, type PorticoError } from '../../base/errors.ts';
import type { Store } from '../../store/store.ts';
import { issuerIdOf, issuerNameOf } from '../issuer.ts';
import { planCertificate } from '../planned-certificates.ts';
import { accountKey, decodeAccount, encodeAccount } from '../stored-account.ts';
import type { AccountRecord } from '../stored-account.ts';
import { readStoredCertificates, writeStoredCertificate } from '../stored-certificates.ts';
import type { StoredCertificates } from '../stored-certificates.ts';
import type { Findings, FoundAccount, FoundCertificate } from './findings.ts';

/** What became of one thing: `taken`; `there` when our store has the very same; `refused` with the reason. */
export interface ImportLine {
  readonly kind: 'certificate' | 'account' | 'unreadable';
  readonly where: string;
  readonly outcome: 'taken' | 'there' | 'refused';
  /** Names of a certificate, the URL of an account; empty where it could not be read. */
  readonly what: readonly string[];
  /** The CA's id, see `issuerIdOf`; null when it is not known. */
  readonly issuer: string | null;
  /** Milliseconds since the epoch; of certificates only. */
  readonly notAfter: number | null;
  readonly why: string | null;
}

/** How to import. */
export interface ImportOptions {
  /** Locked for writing, unless it is a dry run. */
  readonly store: Store;
  /** The other program. */
  readonly from: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly dryRun: boolean;
  /** Replaces what our store has under the same name. */
  readonly force: boolean;
}

/**
 * Judges all findings and writes what is good.
 * @throws PorticoError `ACME_STATE_UNREADABLE`, and what the store throws
 */
export async function importFindings(findings: Findings, options: ImportOptions): Promise<ImportLine[]> {
  const lines: ImportLine[] = findings.unreadable.map(({ where, why }) => ({
    kind: 'unreadable',
    where,
    outcome: 'refused',
    what: [],
    issuer: null,
    notAfter: null,
    why,
  }));
  lines.push(...(await importCertificates(findings.certificates, options)));
  const taken = new Set<string>();
  for (const account of findings.accounts) lines.push(await importAccount(account, taken, options));
  return lines;
}

interface Judged {
  readonly found: FoundCertificate;
  readonly certificate: CertificateData;
}

async function importCertificates(all: readonly FoundCertificate[], options: ImportOptions): Promise<ImportLine[]> {
  const lines: ImportLine[] = [];
  const best = new Map<string, Judged>();
  for (const found of all) {
    const judged = judge(found, options.now);
    if (typeof judged === 'string') {
      lines.push(certificateLine({ found, certificate: null }, 'refused', judged));
      continue;
    }
    const id = planCertificate(judged.certificate.names).id;
    const rival = best.get(id);
    const wins = rival === undefined || rival.certificate.notAfter < judged.certificate.notAfter;
    if (wins) best.set(id, judged);
    const loser = wins ? rival : judged;
    if (loser !== undefined)
      lines.push(certificateLine(loser, 'refused', 'another for the same names is valid longer'));
  }
  if (best.size === 0) return lines;
  const present = await readPresent(options.store);
  for (const [id, judged] of best) lines.push(await writeCertificate(id, judged, present, options));
  return lines;
}

/** @returns why it is not taken, or the certificate */
function judge(found: FoundCertificate, now: number): Judged | string {
  if (isStaging(found.directory)) return 'it is of a staging CA, which nobody trusts';
  try {
    const certificate = parseCertificate(found.chain, found.key, 'acme');
    if (certificate.names.length === 0) return 'it is for no name';
    const outside = validityProblem(certificate, now);
    if (outside === null) return { found, certificate };
    const [word, at] = outside === 'expired' ? ['expired on', certificate.notAfter] : ['is valid only from', certificate.notBefore]; // prettier-ignore
    return `it ${word} ${new Date(at).toISOString()}`;
  } catch (error) {
    return messageOf(error);
  }
}

async function readPresent(store: Store): Promise<StoredCertificates> {
  const problems: PorticoError[] = [];
  const present = await readStoredCertificates(store, (problem) => problems.push(problem));
  const [problem] = problems;
  if (present.unreadable === null && problem !== undefined) throw problem;
  return present;
}

async function writeCertificate(
  id: string,
  judged: Judged,
  present: StoredCertificates,
  options: ImportOptions,
): Promise<ImportLine> {
  const { certificate, found } = judged;
  const existing = present.found.get(id)?.certificate;
  if (existing?.chain === certificate.chain && existing.key === certificate.key) {
    return certificateLine(judged, 'there', null);
  }
  // One that is damaged is no certificate any more, and another may take its place.
  if (!options.force && (existing !== undefined || present.unreadable?.has(id) === true)) {
    return certificateLine(judged, 'refused', 'the store has another for these names; --force replaces it');
  }
  if (!options.dryRun) {
    await writeStoredCertificate(options.store, {
      id,
      certificate,
      issuer: issuerOf(found),
      issuerName: found.directory === null ? null : issuerNameOf(found.directory),
      profile: null,
      askedProfile: null,
      configuredProfile: null,
      obtainedAt: certificate.notBefore,
      certificateUrl: null,
      importedFrom: options.from,
    });
  }
  return certificateLine(judged, 'taken', null);
}

async function importAccount(found: FoundAccount, taken: Set<string>, options: ImportOptions): Promise<ImportLine> {
  const line = (outcome: ImportLine['outcome'], why: string | null = null): ImportLine => ({
    kind: 'account',
    where: found.where,
    outcome,
    what: [found.uri],
    issuer: issuerOf(found),
    notAfter: null,
    why,
  });
  const record = accountOf(found);
  if (typeof record === 'string') return line('refused', record);
  const issuer = issuerIdOf(record.directoryUrl);
  if (taken.has(issuer)) return line('refused', 'another account at the same CA was taken');
  const existing = await options.store.get(accountKey(issuer));
  if (existing !== null) {
    const decoded = decodeAccount(existing);
    if (decoded.ok && decoded.record.url === record.url && decoded.record.key === record.key) {
      taken.add(issuer);
      return line('there');
    }
    if (!options.force) return line('refused', 'the store has another account at this CA; --force replaces it');
  }
  if (!options.dryRun) await options.store.put(accountKey(issuer), encodeAccount(record));
  taken.add(issuer);
  return line('taken');
}

/** @returns why it is not taken, or the account as we keep it */
function accountOf({ directory, uri, key, contact }: FoundAccount): AccountRecord | string {
  if (directory === null) return 'its CA is not known; say which with --directory URL';
  if (!URL.canParse(uri) || new URL(uri).protocol !== 'https:') return 'its account URL is no https URL';
  const { host } = new URL(uri);
  if (host !== new URL(directory).host) return `its account URL is of another CA (${host})`;
  const kind = key.asymmetricKeyType;
  if (kind !== 'rsa' && kind !== 'ec') return 'its key is neither RSA nor ECDSA';
  const address = contact.find((each) => /^mailto:./i.test(each))?.slice('mailto:'.length) ?? null;
  return { version: 1, directoryUrl: directory, key: pemOf(key), url: uri, contact: address, pendingKey: null };
}

function issuerOf({ directory }: { readonly directory: string | null }): string | null {
  return directory === null ? null : issuerIdOf(directory);
}

function isStaging(directory: string | null): boolean {
  return directory?.includes('staging') === true;
}

function pemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function certificateLine(
  { found, certificate }: { readonly found: FoundCertificate; readonly certificate: CertificateData | null },
  outcome: ImportLine['outcome'],
  why: string | null,
): ImportLine {
  return {
    kind: 'certificate',
    where: found.where,
    outcome,
    what: certificate?.names ?? [],
    issuer: issuerOf(found),
    notAfter: certificate?.notAfter ?? null,
    why,
  };
}
