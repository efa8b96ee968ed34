/**
 * Takes certificates and accounts from another program's store into ours: each is judged by itself, nothing is overwritten
 * unless that is asked for, and for everything that is not taken the reason is given.
 */
import type { KeyObject } from 'node:crypto';
import { parseCertificate, validityProblem, type CertificateData } from '../../base/certificate.ts';
import { messageOf } from '../../base/errors.ts';
import type { Store } from '../../store/store.ts';
import { accountKey, decodeStoredAccount, encodeStoredAccount } from '../stored-account.ts';
import {
  certificateIdOf,
  decodeStoredCertificate,
  encodeStoredCertificate,
  importedCertificateKey,
} from '../stored-certificate.ts';
import type { Findings, FoundAccount, FoundCertificate } from './findings.ts';

/** What became of one thing: `taken`; `there` when our store has the very same; `refused` with the reason. */
export interface ImportLine {
  readonly kind: 'certificate' | 'account' | 'unreadable';
  readonly where: string;
  readonly outcome: 'taken' | 'there' | 'refused';
  /** Names of a certificate, the URL of an account; empty where it could not be read. */
  readonly what: readonly string[];
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
 * @throws PorticoError what the store throws
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
    const id = certificateIdOf(judged.certificate.names);
    const rival = best.get(id);
    const wins = rival === undefined || rival.certificate.notAfter < judged.certificate.notAfter;
    if (wins) best.set(id, judged);
    const loser = wins ? rival : judged;
    if (loser !== undefined)
      lines.push(certificateLine(loser, 'refused', 'another for the same names is valid longer'));
  }
  for (const [id, judged] of best) lines.push(await writeCertificate(id, judged, options));
  return lines;
}

/** @returns why it is not taken, or the certificate */
function judge(found: FoundCertificate, now: number): Judged | string {
  if (isStaging(found.issuer)) return 'it is of a staging CA, which nobody trusts';
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

async function writeCertificate(id: string, judged: Judged, options: ImportOptions): Promise<ImportLine> {
  const { certificate, found } = judged;
  const key = importedCertificateKey(id);
  const existing = await options.store.get(key);
  if (existing !== null) {
    const stored = decodeStoredCertificate(existing);
    if (stored?.chain === certificate.chain && stored.key === certificate.key) {
      return certificateLine(judged, 'there', null);
    }
    if (!options.force)
      return certificateLine(judged, 'refused', 'the store has another for these names; --force replaces it');
  }
  if (!options.dryRun) {
    const value = encodeStoredCertificate({
      chain: certificate.chain,
      key: certificate.key,
      names: certificate.names,
      issuer: found.issuer,
      profile: null,
      importedFrom: options.from,
    });
    await options.store.put(key, value);
  }
  return certificateLine(judged, 'taken', null);
}

async function importAccount(found: FoundAccount, taken: Set<string>, options: ImportOptions): Promise<ImportLine> {
  const line = (outcome: ImportLine['outcome'], why: string | null = null): ImportLine => ({
    kind: 'account',
    where: found.where,
    outcome,
    what: [found.uri],
    issuer: found.issuer,
    notAfter: null,
    why,
  });
  const problem = accountProblem(found);
  if (problem !== null) return line('refused', problem);
  const issuer = found.issuer ?? '';
  if (taken.has(issuer)) return line('refused', 'another account at the same CA was taken');
  const account = { key: pemOf(found.key), uri: found.uri, contact: found.contact };
  const existing = await options.store.get(accountKey(issuer));
  if (existing !== null) {
    const stored = decodeStoredAccount(existing);
    if (stored?.uri === account.uri && stored.key === account.key) {
      taken.add(issuer);
      return line('there');
    }
    if (!options.force) return line('refused', 'the store has another account at this CA; --force replaces it');
  }
  if (!options.dryRun) await options.store.put(accountKey(issuer), encodeStoredAccount(account));
  taken.add(issuer);
  return line('taken');
}

function accountProblem({ issuer, uri, key }: FoundAccount): string | null {
  if (issuer === null) return 'its CA is not known; say which with --directory URL';
  if (!URL.canParse(uri) || new URL(uri).protocol !== 'https:') return 'its account URL is no https URL';
  const host = new URL(uri).host.replaceAll(':', '-');
  if (!issuer.startsWith(host)) return `its account URL is of another CA (${host})`;
  const kind = key.asymmetricKeyType;
  if (kind !== 'rsa' && kind !== 'ec') return 'its key is neither RSA nor ECDSA';
  return null;
}

function isStaging(issuer: string | null): boolean {
  return issuer?.includes('staging') === true;
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
    issuer: found.issuer,
    notAfter: certificate?.notAfter ?? null,
    why,
  };
}
