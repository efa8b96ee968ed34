/** Asks the certificate sources of a config for every name it needs; the loop that `CertificateSource` is written for. */
import { randomBytes } from 'node:crypto';
import type { CertificateData } from './base/certificate.ts';
import type { Clock } from './base/clock.ts';
import { PorticoError } from './base/errors.ts';
import type { Config } from './config/index.ts';
import type { Store } from './store/store.ts';
import type { CertificateSource } from './tls/certificate-source.ts';
import { FilesSource } from './tls/files-source.ts';
import { LocalCaSource } from './tls/local-ca-source.ts';
import { LocalCa } from './tls/local-ca.ts';

/** What sources are made with. */
export interface SourcesOptions {
  readonly config: Config;
  readonly store: Store;
  readonly clock: Clock;
  /** Hears of certificates that could not be renewed or re-read; the ones in use stay. */
  readonly onProblem: (problem: PorticoError, names: readonly string[]) => void;
  /** Asked after files and the local CA; null without ACME. */
  readonly acme?: CertificateSource | null;
}

/** The sources of a config, in the order they are asked. */
export interface CertificateSources {
  readonly sources: readonly CertificateSource[];
  /** The local CA's certificate when one is in use. */
  readonly localCaPem: string | null;
  close(): void;
}

/** @throws PorticoError what opening the local CA throws */
export async function openSources(options: SourcesOptions): Promise<CertificateSources> {
  const { config, store, clock, onProblem } = options;
  const sources: CertificateSource[] = [];
  const entries = config.certificates.flatMap((entry) =>
    entry.source === 'files' ? [{ names: entry.names, chainPath: entry.files.chain, keyPath: entry.files.key }] : [],
  );
  if (entries.length > 0) sources.push(new FilesSource({ entries, clock, onProblem }));
  const localNames = config.certificates.flatMap((entry) => (entry.source === 'local_ca' ? entry.names : []));
  let localCaPem: string | null = null;
  if (localNames.length > 0) {
    const ca = await LocalCa.open({ store, clock, random: randomBytes });
    localCaPem = ca.caPem;
    sources.push(new LocalCaSource({ ca, names: localNames, onProblem }));
  }
  if (options.acme !== undefined && options.acme !== null) sources.push(options.acme);
  return {
    sources,
    localCaPem,
    close: () => {
      for (const source of sources) source.close();
    },
  };
}

/**
 * One certificate for each name, without repeats. Names whose certificate is still to come are left out: the rest must not wait.
 * @throws PorticoError `CERT_NO_SOURCE`, and what a source throws
 */
export async function collectCertificates(
  names: readonly string[],
  sources: readonly CertificateSource[],
): Promise<CertificateData[]> {
  const found = new Map<string, CertificateData>();
  for (const name of names) {
    const certificate = await firstAnswer(name, sources);
    if (certificate !== 'pending') found.set(certificate.id, certificate);
  }
  return [...found.values()];
}

async function firstAnswer(name: string, sources: readonly CertificateSource[]): Promise<CertificateData | 'pending'> {
  for (const source of sources) {
    const certificate = await source.certificateFor(name);
    if (certificate !== null) return certificate;
  }
  throw new PorticoError('CERT_NO_SOURCE', `No certificate source answers for ${name}.`, {
    fix: 'Add the section "acme", or list the name under "certificates" with files or local_ca: true.',
  });
}

/**
 * Asks the source of a name for a new certificate now.
 * @returns the kind of the source that did it
 * @throws PorticoError `RENEW_NAME_UNKNOWN`, `RENEW_NOT_OURS`, and what the source throws
 */
export async function renewCertificate(
  name: string,
  sources: readonly CertificateSource[],
): Promise<CertificateSource['kind']> {
  for (const source of sources) {
    if (source.renew !== undefined) {
      if (await source.renew(name)) return source.kind;
    } else if ((await source.certificateFor(name)) !== null) {
      throw new PorticoError('RENEW_NOT_OURS', `The certificate for ${name} comes from files that others renew.`, {
        fix: 'Renew it with the program that writes the files; Portico reads them when they change.',
      });
    }
  }
  throw unknownName(name);
}

/** A name that no certificate is kept for. */
export function unknownName(name: string): PorticoError {
  return new PorticoError('RENEW_NAME_UNKNOWN', `Portico keeps no certificate for ${name.slice(0, 255)}.`, {
    fix: 'Take a name from `portico certs list`.',
  });
}
