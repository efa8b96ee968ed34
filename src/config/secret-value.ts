/** Reads a secret from where the config says it is. */
import { PorticoError } from '../base/errors.ts';
import { fileTrouble, type FileReader } from './file-reader.ts';
import type { SecretSource } from './values/secret.ts';

/**
 * The secret itself, without the line end of a file. Read it when it is needed and keep it out of logs.
 * @throws PorticoError `CONFIG_SECRET` when the file or variable is not there, or is empty
 */
export async function readSecret(
  source: SecretSource,
  env: Readonly<Record<string, string | undefined>>,
  files: FileReader,
): Promise<string> {
  switch (source.kind) {
    case 'value':
      return source.value;
    case 'env': {
      const value = env[source.env];
      if (value !== undefined && value !== '') return value;
      throw new PorticoError(
        'CONFIG_SECRET',
        `the environment variable ${source.env} is ${value === undefined ? 'not set' : 'empty'}`,
        { fix: `set ${source.env} before Portico starts` },
      );
    }
    case 'file': {
      const value = await readSecretFile(source.file, files);
      if (value !== '') return value;
      throw new PorticoError('CONFIG_SECRET', `the file ${source.file} is empty`, { fix: 'write the secret into it' });
    }
  }
}

async function readSecretFile(file: string, files: FileReader): Promise<string> {
  try {
    return Buffer.from(await files.read(file))
      .toString('utf8')
      .trimEnd();
  } catch (cause) {
    const fix =
      'correct the path (relative paths start at the config file), or let the user that Portico runs as read the file';
    throw new PorticoError('CONFIG_SECRET', `the file ${file} ${fileTrouble(cause)}`, { fix, cause });
  }
}
