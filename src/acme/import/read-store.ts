/** The other programs whose stores can be read, by name. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../base/errors.ts';
import { readRegularFile } from '../../store/read-file.ts';
import { readAcmeSh } from './acme-sh.ts';
import { readCaddy } from './caddy.ts';
import { readCertbot } from './certbot.ts';
import { ContainedFiles, unreadable } from './contained-files.ts';
import type { Findings } from './findings.ts';
import { readTraefik } from './traefik.ts';

/** As `--from` takes them. */
export const IMPORT_SOURCES = ['certbot', 'caddy', 'acme.sh', 'traefik'] as const;

/** One of the programs. */
export type ImportSource = (typeof IMPORT_SOURCES)[number];

/** Thousands of certificates in one file. */
const MAX_ACME_JSON_BYTES = 64 * 1024 * 1024;

/**
 * Reads another program's store.
 * @param path - its directory; for Traefik the file, or the directory with `acme.json`
 * @param directories - directory URLs of known CAs, https
 * @param directory - the CA of everything whose CA the store does not tell; null when that was not said
 * @throws PorticoError `IMPORT_UNREADABLE`
 */
export async function readForeignStore(
  from: ImportSource,
  path: string,
  directories: readonly string[],
  directory: string | null,
): Promise<Findings> {
  const findings = await read(from, path, directory === null ? directories : [directory, ...directories]);
  if (directory === null) return findings;
  const withDirectory = <T extends { readonly directory: string | null }>(found: T): T => ({
    ...found,
    directory: found.directory ?? directory,
  });
  return {
    ...findings,
    certificates: findings.certificates.map(withDirectory),
    accounts: findings.accounts.map(withDirectory),
  };
}

async function read(from: ImportSource, path: string, directories: readonly string[]): Promise<Findings> {
  try {
    switch (from) {
      case 'certbot':
        return await readCertbot(await ContainedFiles.open(path));
      case 'caddy':
        return await readCaddy(await ContainedFiles.open(path), directories);
      case 'acme.sh':
        return await readAcmeSh(await ContainedFiles.open(path));
      case 'traefik':
        return await readTraefik(await acmeJson(path), directories);
    }
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'IMPORT_UNREADABLE') throw cause;
    throw unreadable(path, new Error(messageOf(cause)));
  }
}

async function acmeJson(path: string): Promise<string> {
  const file = (await stat(path)).isDirectory() ? join(path, 'acme.json') : path;
  return (await readRegularFile(file, MAX_ACME_JSON_BYTES)).toString('utf8');
}
