/**
 * Writes a chain and its key for another program. Both are on the disk under other names before either is put in place, so
 * that a full disk or a missing permission is found while the old pair is whole. Then the key is put in place, and the chain
 * last: whoever waits for the chain to change finds the key that belongs to it, and whoever looks in between has a pair that
 * does not fit together, which TLS libraries refuse to load.
 */
import { randomBytes } from 'node:crypto';
import { lstat, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { CertificateData } from '../base/certificate.ts';
import type { FileOwner } from '../base/file-owner.ts';
import { codeOf, messageOf, PorticoError } from '../base/errors.ts';
import { readRegularFile } from '../store/read-file.ts';
import { resolveOwner, type OwnerIds } from './owner.ts';
import { syncDirectory } from '../store/sync-directory.ts';

/** Where a certificate goes. */
export interface PairPlace {
  readonly chainPath: string;
  readonly keyPath: string;
  /** Of both files; null leaves them to the user that Portico runs as. */
  readonly owner: FileOwner | null;
  /** Permission bits of the key file, such as 0o640. */
  readonly mode: number;
}

interface WantedFile {
  readonly path: string;
  readonly text: string;
  readonly mode: number;
  readonly owner: OwnerIds | null;
}

/** The chain is public. */
const CHAIN_MODE = 0o644;
const MAX_BYTES = 1024 * 1024;

/** True when both files are there with this content, mode and owner. */
export async function isPairInPlace(place: PairPlace, certificate: CertificateData): Promise<boolean> {
  const files = await wantedFiles(place, certificate);
  for (const file of files) if (!(await isInPlace(file))) return false;
  return true;
}

/**
 * Replaces both files.
 * @throws PorticoError `EXPORT_UNWRITABLE`, `EXPORT_OWNER_UNKNOWN`
 */
export async function writePair(place: PairPlace, certificate: CertificateData): Promise<void> {
  const files = await wantedFiles(place, certificate);
  const written: { readonly temporary: string; readonly path: string }[] = [];
  try {
    for (const file of files) {
      const temporary = join(dirname(file.path), `.portico-${randomBytes(9).toString('hex')}`);
      written.push({ temporary, path: file.path });
      await writeAside(temporary, file);
    }
    for (const { temporary, path } of written) await rename(temporary, path);
    for (const directory of new Set(files.map(({ path }) => dirname(path)))) await syncDirectory(directory);
  } catch (cause) {
    for (const { temporary } of written) await rm(temporary, { force: true }).catch(() => undefined);
    const path = written.at(-1)?.path ?? place.keyPath;
    throw new PorticoError('EXPORT_UNWRITABLE', `The export to ${path} failed: ${messageOf(cause)}.`, {
      fix:
        codeOf(cause) === 'EPERM'
          ? 'Only root can give files to another owner: run as root, or leave the owner out and share a group.'
          : 'Make the directory, and let the user that Portico runs as write to it; see that the disk has room.',
      cause,
    });
  }
}

/** In the order in which they are put in place. */
async function wantedFiles(place: PairPlace, certificate: CertificateData): Promise<readonly WantedFile[]> {
  const owner = place.owner === null ? null : await resolveOwner(place.owner);
  return [
    { path: place.keyPath, text: certificate.key, mode: place.mode, owner },
    { path: place.chainPath, text: certificate.chain, mode: CHAIN_MODE, owner },
  ];
}

async function isInPlace({ path, text, mode, owner }: WantedFile): Promise<boolean> {
  try {
    // A link is not followed: whoever may make one must not choose which file of ours is replaced.
    const found = await lstat(path);
    if (!found.isFile() || (found.mode & 0o7777) !== mode) return false;
    if (owner !== null && (found.uid !== owner.uid || found.gid !== owner.gid)) return false;
    return (await readRegularFile(path, MAX_BYTES)).equals(Buffer.from(text));
  } catch {
    // Whatever keeps it from being compared shows when it is written.
    return false;
  }
}

async function writeAside(temporary: string, { text, mode, owner }: WantedFile): Promise<void> {
  const file = await open(temporary, 'wx', 0o600);
  try {
    if (owner !== null) await file.chown(owner.uid, owner.gid);
    await file.chmod(mode);
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}
