/**
 * Dendrite, pinned, built from its own module, so that every dependency is the one named and hashed in Dendrite's go.mod and
 * go.sum; the module itself is verified by Go's checksum database.
 */
import { join } from 'node:path';
import type { Debian } from './debian.ts';
import { findProgram } from './find-program.ts';
import { findGo } from './go.ts';
import type { PeerState } from './peer.ts';
import { isInPlace, placeOf, putInPlace } from './place.ts';
import { progress, runStep } from './step.ts';

const VERSION = 'v0.15.2';
const MODULE = 'github.com/element-hq/dendrite';
/** From the `go` line of its go.mod. */
const NEEDED_GO = [1, 23] as const;
const DOWNLOAD_LIMIT_MS = 180_000;
const BUILD_LIMIT_MS = 600_000;

/**
 * Builds Dendrite unless this version is in place. `path` of the result is the directory with the programs `dendrite`,
 * `generate-keys` and `create-account`.
 *
 * @throws InstallError
 */
export async function installDendrite(debian: Debian): Promise<PeerState> {
  const name = 'dendrite';
  const ready: PeerState = { state: 'ready', version: VERSION, path: placeOf(name) };
  if (isInPlace(name, VERSION)) return ready;
  progress(name, `building ${VERSION} (one to three minutes)`);
  // SQLite comes in through cgo.
  if (findProgram('gcc') === null) await debian.install(name, ['gcc', 'libc6-dev']);
  const go = await findGo(NEEDED_GO, debian);
  const env = {
    GOTOOLCHAIN: 'local',
    GOWORK: 'off',
    GOFLAGS: '',
    CGO_ENABLED: '1',
    ...(process.env.HOME === undefined && {
      GOPATH: placeOf('gopath'),
      GOCACHE: placeOf('gocache'),
    }),
  };
  await putInPlace(name, VERSION, async (directory) => {
    const answer = await runStep({
      log: 'dendrite-download',
      command: go,
      args: ['mod', 'download', '-json', `${MODULE}@${VERSION}`],
      cwd: directory,
      timeoutMs: DOWNLOAD_LIMIT_MS,
      env,
    });
    const { Dir: source } = JSON.parse(answer) as { Dir: string };
    await runStep({
      log: 'dendrite-build',
      command: go,
      args: [
        'build',
        '-mod=readonly',
        '-buildvcs=false',
        '-trimpath',
        '-o',
        directory,
        ...['dendrite', 'generate-keys', 'create-account'].map((program) => `./${join('cmd', program)}`),
      ],
      cwd: source,
      timeoutMs: BUILD_LIMIT_MS,
      env,
    });
  });
  return ready;
}
