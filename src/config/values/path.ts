/** Paths of files and directories; `resolve-paths.ts` makes them absolute after parsing. */
import { z } from 'zod';
import { refuse } from '../refuse.ts';

/** A path; a relative one starts at the directory of the config file. */
export function filePath() {
  return z
    .string({ error: 'a path' })
    .meta({ 'x-type': 'path' })
    .transform((value, context) => {
      if (value !== '' && !value.includes('\0')) return value;
      return refuse(
        context,
        'CONFIG_WRONG_TYPE',
        'expected a path, got an empty text or one with NUL',
        'write a path, or remove the key',
      );
    });
}
