/** Trust anchors that the config names by a file. */
import { readFile } from 'node:fs/promises';
import { PorticoError } from './base/errors.ts';

/**
 * The text of a CA file, PEM.
 * @throws PorticoError `CA_FILE_UNREADABLE`
 */
export async function readCaFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new PorticoError('CA_FILE_UNREADABLE', `The CA file ${path} cannot be read.`, {
      cause,
      fix: 'Correct the path under ca_file, or let the user that Portico runs as read it.',
    });
  }
}
