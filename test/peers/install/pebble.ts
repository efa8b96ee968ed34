/**
 * Pebble, Let's Encrypt's small ACME authority for tests, and its DNS and challenge server pebble-challtestsrv; both built
 * from Pebble's own module of a fixed version, verified by Go's checksum database.
 */
import { join } from 'node:path';
import type { Debian } from './debian.ts';
import { findGo } from './go.ts';
import type { PeerState } from './peer.ts';
import { isInPlace, placeOf, putInPlace } from './place.ts';
import { progress, runStep } from './step.ts';

const VERSION = 'v2.10.3';
const MODULE = 'github.com/letsencrypt/pebble/v2';
/** From the `go` line of its go.mod. */
const NEEDED_GO = [1, 25] as const;
const DOWNLOAD_LIMIT_MS = 180_000;
const BUILD_LIMIT_MS = 300_000;

/**
 * Builds both unless this version is in place. `path` of the result is the directory with the programs `pebble` and
 * `pebble-challtestsrv`.
 *
 * @throws InstallError
 */
export async function installPebble(debian: Debian): Promise<PeerState> {
  const name = 'pebble';
  const ready: PeerState = { state: 'ready', version: VERSION, path: placeOf(name) };
  if (isInPlace(name, VERSION)) return ready;
  progress(name, `building ${VERSION} (half a minute)`);
  const go = await findGo(NEEDED_GO, debian);
  const env = {
    GOTOOLCHAIN: 'local',
    GOWORK: 'off',
    GOFLAGS: '',
    CGO_ENABLED: '0',
    ...(process.env.HOME === undefined && { GOPATH: placeOf('gopath'), GOCACHE: placeOf('gocache') }),
  };
  await putInPlace(name, VERSION, async (directory) => {
    const answer = await runStep({
      log: 'pebble-download',
      command: go,
      args: ['mod', 'download', '-json', `${MODULE}@${VERSION}`],
      cwd: directory,
      timeoutMs: DOWNLOAD_LIMIT_MS,
      env,
    });
    const { Dir: source } = JSON.parse(answer) as { Dir: string };
    const programs = ['pebble', 'pebble-challtestsrv'].map((program) => `./${join('cmd', program)}`);
    await runStep({
      log: 'pebble-build',
      command: go,
      args: ['build', '-mod=readonly', '-buildvcs=false', '-trimpath', '-o', directory, ...programs],
      cwd: source,
      timeoutMs: BUILD_LIMIT_MS,
      env,
    });
  });
  return ready;
}
