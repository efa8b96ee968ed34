/** nginx from Debian: the web server that the base domain of many a homeserver already has. */
import type { Debian } from './debian.ts';
import { findProgram } from './find-program.ts';
import type { PeerState } from './peer.ts';
import { InstallError, runStep } from './step.ts';

/** Where Debian puts it, which is on the PATH of root only. */
const SBIN = '/usr/sbin';

/**
 * Finds or installs it. `path` of the result is the program; the service that Debian makes of it is not used.
 *
 * @throws InstallError
 */
export async function installNginx(debian: Debian): Promise<PeerState> {
  if (locate() === null) await debian.install('nginx', ['nginx']);
  const path = locate();
  if (path === null) throw new InstallError('Debian installed it, but there is no program `nginx`');
  // It says its version on stderr, which goes to the log only.
  await runStep({ log: 'nginx-version', command: path, args: ['-v'], timeoutMs: 30_000 });
  return { state: 'ready', version: 'of Debian', path };
}

function locate(): string | null {
  return findProgram('nginx') ?? findProgram('nginx', SBIN);
}
