/** Chromium from Debian, and the tool that puts a test CA among the certificates it trusts. */
import type { Debian } from './debian.ts';
import { findProgram } from './find-program.ts';
import type { PeerState } from './peer.ts';
import { InstallError, progress, runStep } from './step.ts';

/**
 * Finds or installs Chromium. `path` of the result is the program.
 *
 * @throws InstallError
 */
export async function installChromium(debian: Debian): Promise<PeerState> {
  const name = 'chromium';
  const wanted = [
    ...(findProgram('chromium') === null ? ['chromium'] : []),
    ...(findProgram('certutil') === null ? ['libnss3-tools'] : []),
  ];
  if (wanted.length > 0) await debian.install(name, wanted);
  const path = findProgram('chromium');
  if (path === null) throw new InstallError('Debian installed it, but there is no program `chromium` on PATH');
  const version = await runStep({ log: 'chromium-version', command: path, args: ['--version'], timeoutMs: 60_000 });
  progress(name, version.trim());
  return { state: 'ready', version: version.trim(), path };
}
