/**
 * The peers in current versions: a minimal Debian sid in a directory of its own, whatever this machine runs. Built once under
 * .peers/ (or PORTICO_PEERS_DIR); programs in it are started with chroot, so this needs root.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Debian } from '../../test/peers/install/debian.ts';
import { findProgram } from '../../test/peers/install/find-program.ts';
import { isInPlace, placeOf, putInPlace } from '../../test/peers/install/place.ts';
import { InstallError, progress, runStep } from '../../test/peers/install/step.ts';

const PACKAGES = ['nginx-light', 'haproxy', 'caddy'];
/** Changes with what is installed, so that an older directory is built anew. */
const STAMP = `sid: ${PACKAGES.join(' ')}`;
const LIMIT_MS = 10 * 60_000;
const FALLBACK_MIRROR = 'http://deb.debian.org/debian';

/**
 * Directory of the chroot, built when it is not there yet.
 *
 * @throws InstallError when this is no Debian, we are not root, or debootstrap fails
 */
export async function prepareChroot(debian: Debian): Promise<string> {
  const obstacle = Debian.obstacle();
  if (obstacle !== null) throw new InstallError(obstacle);
  if (!isInPlace('bench-root', STAMP)) {
    if (findProgram('debootstrap') === null) await debian.install('bench', ['debootstrap']);
    await putInPlace('bench-root', STAMP, async (directory) => {
      progress('bench', `debootstrap sid with ${PACKAGES.join(', ')}`);
      await runStep({
        log: 'bench-debootstrap',
        command: findProgram('debootstrap') ?? 'debootstrap',
        args: ['--variant=minbase', `--include=${PACKAGES.join(',')}`, 'sid', directory, debianMirror()],
        timeoutMs: LIMIT_MS,
        env: { LC_ALL: 'C.UTF-8' },
      });
    });
  }
  return placeOf('bench-root');
}

/** The mirror that this machine's apt uses, in either form of its sources. */
export function debianMirror(etc = '/etc/apt'): string {
  const directory = join(etc, 'sources.list.d');
  const files = [join(etc, 'sources.list')];
  if (existsSync(directory)) files.push(...readdirSync(directory).map((name) => join(directory, name)));
  for (const file of files.filter((name) => /\.(list|sources)$/.test(name) && existsSync(name))) {
    const found = mirrorIn(readFileSync(file, 'utf8'));
    if (found !== null) return found;
  }
  return FALLBACK_MIRROR;
}

/** The first archive of Debian itself (`…/debian`) named in a sources file; security and foreign archives are none. */
export function mirrorIn(text: string): string | null {
  const line = /^(?:URIs:|deb(?:\s+\[[^\]]*\])?)\s+(\S+?\/debian)\/?(?:\s|$)/m.exec(text);
  return line?.[1] ?? null;
}
