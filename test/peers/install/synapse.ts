/** Synapse, pinned, in a virtual environment of its own, together with Python's HPACK, which is held against ours. */
import { join } from 'node:path';
import type { Debian } from './debian.ts';
import type { PeerState } from './peer.ts';
import { isInPlace, placeOf, putInPlace } from './place.ts';
import { createVenv } from './python.ts';
import { progress, runStep } from './step.ts';

const VERSION = '1.163.2';
const HPACK = 'hpack==4.2.0';
/** What the place is stamped with: another package in it is another installation. */
const STAMP = `${VERSION} ${HPACK}`;

/**
 * Installs Synapse unless this version is in place. `path` of the result is the virtual environment: its `bin/python` with
 * `-m synapse.app.homeserver` starts it.
 *
 * @throws InstallError
 */
export async function installSynapse(debian: Debian): Promise<PeerState> {
  const name = 'synapse';
  const ready: PeerState = { state: 'ready', version: VERSION, path: placeOf(name) };
  if (isInPlace(name, STAMP)) return ready;
  progress(name, `installing ${VERSION} (about half a minute)`);
  await putInPlace(name, STAMP, async (directory) => {
    await createVenv(name, directory, [`matrix-synapse==${VERSION}`, HPACK], debian);
    // A wheel that does not fit this Python shows here, not in the first test.
    await runStep({
      log: 'synapse-import',
      command: join(directory, 'bin', 'python'),
      args: ['-c', 'import hpack, synapse.app.homeserver'],
      timeoutMs: 60_000,
    });
  });
  return ready;
}
