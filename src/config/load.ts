/**
 * Reads a config file: one immutable, fully parsed {@link Config}, or every problem with its line, column and fix. Nothing
 * here throws for what stands in a file.
 */
import { dirname, resolve } from 'node:path';
import type { ProblemCode } from './codes.ts';
import { fileTrouble, systemFiles, type FileReader } from './file-reader.ts';
import type { Problem } from './problem.ts';
import { readConfig } from './read-config.ts';
import type { Config } from './schema.ts';
import { readYaml } from './yaml-document.ts';

/** Largest config file read; a hundred thousand sites fit. */
const MAX_BYTES = 16 * 1024 * 1024;

/** Most problems reported at once: nobody reads more, and finding their places takes time. */
const MAX_PROBLEMS = 500;

/** A config, or why there is none. Problems stand in the order of the file. */
export type LoadResult =
  | { readonly ok: true; readonly config: Config; readonly path: string; readonly warnings: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** What loading may ask of the outside. */
export interface LoadOptions {
  /** Environment variables, for secrets of the form `{env: NAME}`. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since the epoch, for the validity of certificates; default: the machine's clock. */
  readonly now?: number;
  /** Default: the file system of the machine. */
  readonly files?: FileReader;
}

/** Reads the file at `path`. */
export async function loadConfig(options: LoadOptions & { readonly path: string }): Promise<LoadResult> {
  const { path, files = systemFiles } = options;
  let bytes: Uint8Array;
  try {
    const facts = await files.facts(path);
    if (facts.size > MAX_BYTES) return tooLarge(path);
    bytes = await files.read(path);
  } catch (error) {
    const fix = 'correct the path, or let the user that Portico runs as read the file';
    return refused(path, 'CONFIG_UNREADABLE', `the config file ${fileTrouble(error)}`, fix);
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return refused(
      path,
      'CONFIG_ENCODING',
      'the file is not UTF-8 text',
      'save it as UTF-8 (without a byte order mark if possible)',
    );
  }
  return await loadConfigText(text, { ...options, file: path });
}

/**
 * Reads a config from text. `file` names it in problems; relative paths in the config start at the directory of `file`, or
 * at `baseDir` where that is given.
 * @internal
 */
export async function loadConfigText(
  text: string,
  options: LoadOptions & { readonly file: string; readonly baseDir?: string },
): Promise<LoadResult> {
  const { file, env, files = systemFiles, now = Date.now() } = options;
  if (Buffer.byteLength(text) > MAX_BYTES) return tooLarge(file);
  const nul = text.indexOf('\0');
  if (nul !== -1) {
    const before = text.slice(0, nul).split('\n');
    const place = { line: before.length, column: (before.at(-1) ?? '').length + 1 };
    return refused(
      file,
      'CONFIG_ENCODING',
      'the file contains a NUL character',
      'remove it; the file may be damaged or not be text',
      place,
    );
  }
  const document = readYaml(text.replace(/^\uFEFF/, ''));
  const problems: Problem[] = document.problems.map((problem) => printable({ severity: 'error', file, ...problem }));
  if (document.broken) return { ok: false, problems };
  if (document.value === null) {
    return refused(
      file,
      'CONFIG_EMPTY',
      'the file is empty',
      'start with "sites:" and one site with server_name and homeserver',
    );
  }
  if (typeof document.value !== 'object' || Array.isArray(document.value)) {
    const what = Array.isArray(document.value) ? 'a list' : 'a single value';
    const fix = 'write "key: value" lines at the top level, beginning with "sites:"';
    return refused(
      file,
      'CONFIG_NOT_A_MAP',
      `expected a map at the top level, got ${what}`,
      fix,
      document.place([], 'value'),
    );
  }
  const baseDir = options.baseDir ?? dirname(resolve(file));
  const { config, findings } = await readConfig(document.value, baseDir, { env, files, now });
  for (const { path, at, ...rest } of findings.slice(0, MAX_PROBLEMS)) {
    problems.push(printable({ file, ...document.place(path, at), ...rest }));
  }
  problems.sort((a, b) => a.line - b.line || a.column - b.column);
  const isError = problems.some((problem) => problem.severity === 'error');
  if (config === undefined || isError) return { ok: false, problems };
  return { ok: true, config, path: file, warnings: problems };
}

/** What a file says must not steer the terminal or the log it is printed to. */
function printable(problem: Problem): Problem {
  // eslint-disable-next-line no-control-regex -- control characters are what this replaces
  const plain = (text: string): string => text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '\uFFFD');
  return { ...problem, message: plain(problem.message), fix: plain(problem.fix) };
}

function tooLarge(file: string): LoadResult {
  return refused(
    file,
    'CONFIG_TOO_LARGE',
    'the file is larger than 16 MiB',
    'check that the path is that of a config file',
  );
}

function refused(
  file: string,
  code: ProblemCode,
  message: string,
  fix: string,
  place = { line: 1, column: 1 },
): LoadResult {
  return { ok: false, problems: [{ severity: 'error', file, ...place, code, message, fix }] };
}
