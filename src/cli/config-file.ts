import { findConfigPath, loadConfig } from '../config/index.ts';
import type { LoadResult } from '../config/index.ts';
import { EXIT } from './command.ts';
import type { FlagValues } from './command.ts';

/** Finds and reads the config that a command was told of by `--config`, or that stands at one of the usual places. */
export async function readConfigFile(flags: FlagValues): Promise<LoadResult> {
  const flag = typeof flags.config === 'string' ? flags.config : undefined;
  const found = await findConfigPath({ flag, env: process.env, cwd: process.cwd() });
  return found.ok ? loadConfig({ path: found.path, env: process.env }) : found;
}

/** The exit code for a config that `check` refuses: 2 when there is no file to check, 1 when the file has errors. */
export function exitCodeOf(result: LoadResult): number {
  if (result.ok) return EXIT.fine;
  const noFile = result.problems.some(({ code }) => code === 'CONFIG_NOT_FOUND' || code === 'CONFIG_UNREADABLE');
  return noFile ? EXIT.usage : EXIT.notFine;
}
