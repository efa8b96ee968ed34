/** nghttp2's client and load generator, from Debian. */
import type { Debian } from './debian.ts';
import { findProgram } from './find-program.ts';
import type { PeerState } from './peer.ts';
import { InstallError, runStep } from './step.ts';

/**
 * Finds or installs `nghttp` and `h2load`. `path` of the result is `nghttp`.
 *
 * @throws InstallError
 */
export async function installNghttp2(debian: Debian): Promise<PeerState> {
  if (findProgram('nghttp') === null || findProgram('h2load') === null) {
    await debian.install('nghttp2', ['nghttp2-client']);
  }
  const path = findProgram('nghttp');
  if (path === null) throw new InstallError('Debian installed it, but there is no program `nghttp` on PATH');
  const version = await runStep({ log: 'nghttp2-version', command: path, args: ['--version'], timeoutMs: 30_000 });
  return { state: 'ready', version: version.trim(), path };
}
