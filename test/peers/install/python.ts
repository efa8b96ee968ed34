/** Python virtual environments; on a bare Debian, Python itself first. */
import { join } from 'node:path';
import type { Debian } from './debian.ts';
import { findProgram } from './find-program.ts';
import { InstallError, runStep } from './step.ts';

const VENV_LIMIT_MS = 120_000;
const PIP_LIMIT_MS = 480_000;

/**
 * Makes a virtual environment in `directory` with these packages in it.
 *
 * The directory may be renamed later as long as programs are run as `bin/python -m …`: only the scripts in `bin` carry its name.
 *
 * @throws InstallError when there is no usable Python or pip fails
 */
export async function createVenv(
  peer: string,
  directory: string,
  packages: readonly string[],
  debian: Debian,
): Promise<void> {
  if (!(await hasVenv(peer))) await debian.install(peer, ['python3', 'python3-venv']);
  if (!(await hasVenv(peer))) throw new InstallError('python3 cannot make a virtual environment (no ensurepip)');
  const log = `${peer}-venv`;
  await runStep({ log, command: 'python3', args: ['-m', 'venv', directory], timeoutMs: VENV_LIMIT_MS });
  await runStep({
    log: `${peer}-pip`,
    command: join(directory, 'bin', 'python'),
    args: ['-m', 'pip', 'install', '--no-input', '--disable-pip-version-check', '--prefer-binary', ...packages],
    timeoutMs: PIP_LIMIT_MS,
  });
}

/** Debian splits ensurepip off into python3-venv, so that `-m venv` alone says nothing. */
async function hasVenv(peer: string): Promise<boolean> {
  if (findProgram('python3') === null) return false;
  try {
    await runStep({
      log: `${peer}-python`,
      command: 'python3',
      args: ['-c', 'import ensurepip, venv'],
      timeoutMs: 30_000,
    });
    return true;
  } catch {
    return false;
  }
}
