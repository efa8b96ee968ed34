/** Where the config file is looked for. */
import { resolve } from 'node:path';
import { systemFiles, type FileReader } from './file-reader.ts';
import type { Problem } from './problem.ts';

/** Places that are looked at, in this order, when neither --config nor $PORTICO_CONFIG names a file. */
export const CONFIG_PLACES = ['portico.yaml', 'config/portico.yaml', '/etc/portico/portico.yaml'] as const;

/** The path, or why there is none. */
export type FindResult =
  { readonly ok: true; readonly path: string } | { readonly ok: false; readonly problems: readonly Problem[] };

/**
 * Finds the config file: the flag, then `$PORTICO_CONFIG`, then {@link CONFIG_PLACES}. A file that was named is taken
 * without a look at the disk: reading it says best what is wrong with it.
 */
export async function findConfigPath(options: {
  readonly flag: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly files?: FileReader;
}): Promise<FindResult> {
  const { flag, env, cwd, files = systemFiles } = options;
  const named = flag ?? env.PORTICO_CONFIG;
  if (named !== undefined && named !== '') return { ok: true, path: resolve(cwd, named) };
  for (const place of CONFIG_PLACES) {
    const path = resolve(cwd, place);
    if (await exists(files, path)) return { ok: true, path };
  }
  return {
    ok: false,
    problems: [
      {
        severity: 'error',
        file: CONFIG_PLACES[0],
        line: 1,
        column: 1,
        code: 'CONFIG_NOT_FOUND',
        message: `no config file; looked for ${CONFIG_PLACES.map((place) => resolve(cwd, place)).join(', ')}`,
        fix: 'name the file with --config PATH or $PORTICO_CONFIG, or make one with `portico init`',
      },
    ],
  };
}

async function exists(files: FileReader, path: string): Promise<boolean> {
  try {
    return !(await files.facts(path)).isDirectory;
  } catch {
    // Whatever keeps us from looking at a default place, the next one may still be there.
    return false;
  }
}
