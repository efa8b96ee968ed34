/** Loading a config from text in a test, against the files of the golden configs or none. */
import type { FileReader } from '../../../src/config/file-reader.ts';
import { loadConfigText, type LoadResult } from '../../../src/config/load.ts';
import type { Config } from '../../../src/config/schema.ts';
import { fakeFiles, NOW } from './fake-files.ts';

/** The outcome for `text` as /etc/portico/portico.yaml. */
export async function load(text: string, files: FileReader = fakeFiles({})): Promise<LoadResult> {
  return await loadConfigText(text, { file: '/etc/portico/portico.yaml', env: {}, now: NOW, files });
}

/** The config of a text that must be free of errors. */
export async function configOf(text: string, files?: FileReader): Promise<Config> {
  const result = await load(text, files);
  if (!result.ok) throw new Error(`not free of errors: ${JSON.stringify(result.problems, null, 2)}`);
  return result.config;
}

/** Codes of the problems or warnings of a text. */
export async function codesOf(text: string, files?: FileReader): Promise<string[]> {
  const result = await load(text, files);
  return (result.ok ? result.warnings : result.problems).map((problem) => problem.code);
}
