/** The certificates as `portico certs list` shows them: of a running process, and without one. */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { acmeOutline } from './acme-plan.ts';
import { adoptableFor } from './acme/adopt.ts';
import { readStoredCertificates } from './acme/stored-certificates.ts';
import type { CertificateProblem, CertificateRow } from './admin/api.ts';
import type { CertificateData } from './base/certificate.ts';
import { codeOf, messageOf, type PorticoError } from './base/errors.ts';
import type { Config } from './config/index.ts';
import type { Store } from './store/store.ts';
import { localCaRenewalAt, storedLocalCaLeaf } from './tls/local-ca.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** What a source knows of its certificate beyond what stands in it. */
export type SourceFacts = Pick<CertificateRow, 'profile' | 'next_renewal' | 'reason'>;

/** @param at - milliseconds since the epoch */
export function problemRow(problem: PorticoError, at: number): CertificateProblem {
  return { code: problem.code, message: problem.message, fix: problem.fix ?? null, at: iso(at) };
}

/**
 * One row.
 * @param now - milliseconds since the epoch
 * @param problem - the last one with this certificate; null when there was none
 */
export function certificateRow(
  certificate: Pick<CertificateData, 'names' | 'chain' | 'notBefore' | 'notAfter' | 'source'>,
  now: number,
  problem: CertificateProblem | null,
  facts: SourceFacts = factsOf(certificate),
): CertificateRow {
  return {
    names: certificate.names,
    source: certificate.source,
    issuer: issuerOf(certificate.chain),
    profile: facts.profile,
    not_after: iso(certificate.notAfter),
    days_left: Math.floor((certificate.notAfter - now) / DAY_MS),
    next_renewal: facts.next_renewal,
    reason: facts.reason,
    last_problem: problem,
  };
}

/** What follows from the source alone; ACME has more to say. */
function factsOf(certificate: Pick<CertificateData, 'source' | 'notBefore' | 'notAfter'>): SourceFacts {
  switch (certificate.source) {
    case 'files':
      return {
        profile: null,
        next_renewal: null,
        reason: 'whoever writes the files renews it; they are read on change',
      };
    case 'local_ca':
      return {
        profile: null,
        next_renewal: iso(localCaRenewalAt(certificate)),
        reason: 'a third of its life is left then',
      };
    case 'acme':
      return { profile: null, next_renewal: null, reason: null };
  }
}

/**
 * The certificates of a config as they lie in files and store. Makes and changes nothing; what cannot be read is a row with
 * its problem.
 * @param store - need not be locked
 * @param now - milliseconds since the epoch
 */
export async function certificatesAtRest(config: Config, store: Store, now: number): Promise<CertificateRow[]> {
  const rows: CertificateRow[] = [];
  for (const entry of config.certificates) {
    if (entry.source === 'files') {
      rows.push(await fileRow(entry.names, entry.files.chain, now));
    } else if (entry.source === 'local_ca') {
      for (const name of entry.names) rows.push(await localCaRow(store, name, now));
    }
  }
  return [...rows, ...(await acmeRows(config, store, now))];
}

/** When they are due is for the running process to say: it knows what the CA suggests, and what has failed. */
async function acmeRows(config: Config, store: Store, now: number): Promise<CertificateRow[]> {
  const unreadable: PorticoError[] = [];
  const { found } = await readStoredCertificates(store, (problem) => unreadable.push(problem));
  return acmeOutline(config).certificates.map((plan) => {
    const { names } = plan;
    const held = adoptableFor(plan, found, now);
    const [problem] = unreadable;
    if (held === null) {
      return emptyRow(
        names,
        'acme',
        'there is none yet; the running process orders it',
        problem === undefined ? null : problemRow(problem, now),
      );
    }
    const { certificate, issuerName, profile } = held;
    const facts = { profile, next_renewal: null, reason: 'only the running process knows when' };
    return { ...certificateRow(certificate, now, null, facts), issuer: issuerName };
  });
}

async function fileRow(names: readonly string[], path: string, now: number): Promise<CertificateRow> {
  try {
    const chain = await readFile(path, 'utf8');
    const leaf = new X509Certificate(chain);
    const dates = { notBefore: leaf.validFromDate.getTime(), notAfter: leaf.validToDate.getTime() };
    return certificateRow({ names, chain, source: 'files', ...dates }, now, null);
  } catch (error) {
    return emptyRow(names, 'files', null, {
      code: 'CERT_FILE_UNREADABLE',
      message: `${path}: ${codeOf(error) === 'ENOENT' ? 'there is no such file' : messageOf(error)}`,
      fix: 'Check the path, and that this user may read the file.',
      at: iso(now),
    });
  }
}

async function localCaRow(store: Store, name: string, now: number): Promise<CertificateRow> {
  const leaf = await storedLocalCaLeaf(store, name);
  if (leaf === null) return emptyRow([name], 'local_ca', 'made at the next start', null);
  return certificateRow(leaf, now, null);
}

/** A name without a certificate. */
function emptyRow(
  names: readonly string[],
  source: CertificateRow['source'],
  reason: string | null,
  problem: CertificateProblem | null,
): CertificateRow {
  return {
    names,
    source,
    issuer: null,
    profile: null,
    not_after: null,
    days_left: null,
    next_renewal: null,
    reason,
    last_problem: problem,
  };
}

/** Organisation and common name of whoever signed the leaf, as far as they are there. */
function issuerOf(chainPem: string): string | null {
  const lines = new X509Certificate(chainPem).issuer.split('\n');
  const part = (key: string): string | undefined =>
    lines.find((line) => line.startsWith(`${key}=`))?.slice(key.length + 1);
  const parts = [part('O'), part('CN')].filter((text) => text !== undefined && text !== '');
  return parts.length === 0 ? null : parts.join(' ');
}

function iso(at: number): string {
  return new Date(at).toISOString();
}
