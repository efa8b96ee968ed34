/**
 * h2spec, which plays every breach of RFC 9113 and RFC 7541 that a server must answer, and a client on Go's net/http; both
 * built from modules of fixed versions, verified by Go's checksum database.
 */
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Debian } from './debian.ts';
import { findGo } from './go.ts';
import type { PeerState } from './peer.ts';
import { isInPlace, placeOf, putInPlace, REPOSITORY } from './place.ts';
import { progress, runStep } from './step.ts';

const VERSION = 'v2.2.1';
/** h2spec of that version is older than Go modules and names no versions of what it needs. */
const GO_MOD = `module portico.test/h2spec

go 1.26.0

require (
	github.com/fatih/color v1.19.0
	github.com/spf13/cobra v1.10.2
	github.com/summerwind/h2spec ${VERSION}+incompatible
	golang.org/x/net v0.62.0
)
`;
const NEEDED_GO = [1, 26] as const;
const BUILD_LIMIT_MS = 300_000;

/**
 * Builds both unless they are in place. `path` of the result is the directory with the programs `h2spec` and `go-client`.
 *
 * @throws InstallError
 */
export async function installH2spec(debian: Debian): Promise<PeerState> {
  const name = 'h2spec';
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
    writeFileSync(join(directory, 'go.mod'), GO_MOD);
    copyFileSync(join(REPOSITORY, 'test', 'peers', 'harness', 'go-client.go'), join(directory, 'go-client.go'));
    const build = (log: string, ...args: string[]): Promise<string> =>
      runStep({
        log,
        command: go,
        args: ['build', '-mod=mod', '-buildvcs=false', '-trimpath', ...args],
        cwd: directory,
        timeoutMs: BUILD_LIMIT_MS,
        env,
      });
    await build('h2spec-build', '-o', join(directory, 'h2spec'), 'github.com/summerwind/h2spec/cmd/h2spec');
    await build('go-client-build', '-o', join(directory, 'go-client'), 'go-client.go');
  });
  return ready;
}
