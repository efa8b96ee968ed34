/** Writes a new config: for its owner alone, and over nothing that is there. */
import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { codeOf, PorticoError } from '../../base/errors.ts';

/**
 * @param force - replace a file that is there
 * @throws PorticoError `INIT_EXISTS`, `INIT_UNWRITABLE`
 */
export async function writeConfig(path: string, text: string, force: boolean): Promise<void> {
  // Beside it and then in its place: a file that is replaced has the old mode, and a reader may have it open.
  const target = force ? `${path}.${randomBytes(6).toString('hex')}` : path;
  try {
    const file = await open(target, 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    if (force) await rename(target, path);
  } catch (cause) {
    if (codeOf(cause) === 'EEXIST' && !force) throw configExists(path);
    if (force) await rm(target, { force: true });
    throw new PorticoError('INIT_UNWRITABLE', `${path} cannot be written: ${codeOf(cause)}.`, {
      fix: 'Make the directory, or name another file with --output.',
      cause,
    });
  }
}

/** Said before the questions, too: nobody likes to answer them in vain. */
export function configExists(path: string): PorticoError {
  return new PorticoError('INIT_EXISTS', `${path} exists and stays as it is.`, {
    fix: 'Name another file with --output, or replace it with --force.',
  });
}
