/**
 * Where installed peers live, and how they get there: built in a directory of their own, stamped with their version, then
 * renamed into place. An installation that was interrupted leaves only such a directory, which the next run removes.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The checkout this file belongs to. */
export const REPOSITORY = join(import.meta.dirname, '..', '..', '..');
/** Everything installed or written by the peer tests' preparation; git-ignored. */
export const PEERS_DIRECTORY = process.env.PORTICO_PEERS_DIR ?? join(REPOSITORY, '.peers');

const STAMP = 'portico-stamp.txt';

/** Path of an installed thing, whether it is there or not. */
export function placeOf(name: string): string {
  return join(PEERS_DIRECTORY, name);
}

/** True when `name` is completely installed in exactly this version. */
export function isInPlace(name: string, version: string): boolean {
  const stamp = join(placeOf(name), STAMP);
  return existsSync(stamp) && readFileSync(stamp, 'utf8').trim() === version;
}

/**
 * Runs `build` in a fresh directory and makes the result `name`; whatever was there before is replaced. Two runs at once do
 * not disturb each other: the one that ends last wins.
 */
export async function putInPlace(
  name: string,
  version: string,
  build: (directory: string) => Promise<void>,
): Promise<void> {
  const fresh = join(PEERS_DIRECTORY, `tmp-${process.pid}-${name}`);
  const old = join(PEERS_DIRECTORY, `tmp-${process.pid}-${name}-old`);
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  try {
    await build(fresh);
    writeFileSync(join(fresh, STAMP), `${version}\n`);
    if (existsSync(placeOf(name))) renameSync(placeOf(name), old);
    renameSync(fresh, placeOf(name));
  } finally {
    rmSync(fresh, { recursive: true, force: true });
    rmSync(old, { recursive: true, force: true });
  }
}

/** Removes what interrupted runs left: temporary directories whose process is gone. */
export function removeLeftovers(): void {
  mkdirSync(PEERS_DIRECTORY, { recursive: true });
  for (const entry of readdirSync(PEERS_DIRECTORY)) {
    const pid = /^tmp-(\d+)-/.exec(entry)?.[1];
    if (pid !== undefined && !isAlive(Number(pid)))
      rmSync(join(PEERS_DIRECTORY, entry), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process of that number is alive as well.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
