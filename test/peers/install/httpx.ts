/** Python's httpx with its HTTP/2 engine `h2`, an implementation that has nothing in common with nghttp2 or Go. */
import { join } from 'node:path';
import type { Debian } from './debian.ts';
import type { PeerState } from './peer.ts';
import { isInPlace, placeOf, putInPlace } from './place.ts';
import { createVenv } from './python.ts';
import { progress, runStep } from './step.ts';

const VERSION = '0.28.1';

/**
 * Installs it unless this version is in place. `path` of the result is the virtual environment.
 *
 * @throws InstallError
 */
export async function installHttpx(debian: Debian): Promise<PeerState> {
  const name = 'httpx';
  const ready: PeerState = { state: 'ready', version: VERSION, path: placeOf(name) };
  if (isInPlace(name, VERSION)) return ready;
  progress(name, `installing ${VERSION}`);
  await putInPlace(name, VERSION, async (directory) => {
    await createVenv(name, directory, [`httpx[http2]==${VERSION}`], debian);
    await runStep({
      log: 'httpx-import',
      command: join(directory, 'bin', 'python'),
      args: ['-c', 'import httpx, h2'],
      timeoutMs: 60_000,
    });
  });
  return ready;
}
