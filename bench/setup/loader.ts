/** Builds bench/loader, once for each state of its sources. */
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Debian } from '../../test/peers/install/debian.ts';
import { findGo } from '../../test/peers/install/go.ts';
import { isInPlace, placeOf, putInPlace } from '../../test/peers/install/place.ts';
import { progress, runStep } from '../../test/peers/install/step.ts';

const SOURCES = join(import.meta.dirname, '..', 'loader');
const LIMIT_MS = 5 * 60_000;

/**
 * Path of the program.
 *
 * @throws InstallError when there is no Go to be had, or it does not build
 */
export async function prepareLoader(debian: Debian): Promise<string> {
  const hash = createHash('sha256');
  for (const name of readdirSync(SOURCES).sort()) hash.update(name).update(readFileSync(join(SOURCES, name)));
  const version = hash.digest('hex');
  if (!isInPlace('bench-loader', version)) {
    const go = await findGo([1, 25], debian);
    progress('bench', 'building the loader');
    await putInPlace('bench-loader', version, async (directory) => {
      await runStep({
        log: 'bench-loader',
        command: go,
        args: ['build', '-o', join(directory, 'loader'), '.'],
        timeoutMs: LIMIT_MS,
        cwd: SOURCES,
        env: { GOTOOLCHAIN: 'local', GOFLAGS: '', CGO_ENABLED: '0' },
      });
    });
  }
  return join(placeOf('bench-loader'), 'loader');
}
