/** Programs on PATH, found without starting them. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * Full path of an executable of that name, or null.
 * @param directories - where to look, in the form of PATH
 */
export function findProgram(
  name: string,
  directories: string = process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin',
): string | null {
  for (const directory of directories.split(delimiter)) {
    const path = join(directory, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not here; the next directory.
    }
  }
  return null;
}
