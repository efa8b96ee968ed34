/** Knot DNS, an authoritative server that takes signed updates, with its tools, from Debian. */
import type { Debian } from './debian.ts';
import { findProgram } from './find-program.ts';
import type { PeerState } from './peer.ts';
import { InstallError, runStep } from './step.ts';

/** The server and its control program stand in sbin, which is on the PATH of root only. */
const SBIN = '/usr/sbin';
const PROGRAMS = ['knotd', 'knotc', 'kdig', 'knsupdate'];

/**
 * Finds or installs them. `path` of the result is `knotd`.
 *
 * @throws InstallError
 */
export async function installKnot(debian: Debian): Promise<PeerState> {
  if (PROGRAMS.some((program) => locate(program) === null)) await debian.install('knot', ['knot', 'knot-dnsutils']);
  const path = locate('knotd');
  if (path === null) throw new InstallError('Debian installed it, but there is no program `knotd`');
  const version = await runStep({ log: 'knot-version', command: path, args: ['--version'], timeoutMs: 30_000 });
  return { state: 'ready', version: version.trim(), path };
}

function locate(program: string): string | null {
  return findProgram(program) ?? findProgram(program, SBIN);
}
