/** The little that reading and checking a config needs of the file system; tests bring their own. */
import { readFile, stat } from 'node:fs/promises';

/** What is known of a file without reading it. */
export interface FileFacts {
  readonly isFile: boolean;
  readonly isDirectory: boolean;
  /** Permission bits, such as 0o600. */
  readonly mode: number;
  /** Bytes. */
  readonly size: number;
}

/** Both methods throw Node's errors (`ENOENT`, `EACCES`, …). */
export interface FileReader {
  read(path: string): Promise<Uint8Array>;
  facts(path: string): Promise<FileFacts>;
}

/** The file system of the machine. */
export const systemFiles: FileReader = {
  read: (path) => readFile(path),
  async facts(path) {
    const found = await stat(path);
    return { isFile: found.isFile(), isDirectory: found.isDirectory(), mode: found.mode & 0o777, size: found.size };
  },
};

/** Why a file cannot be used, in words, from Node's error: `does not exist`, `may not be read`, … */
export function fileTrouble(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'does not exist';
    case 'EACCES':
    case 'EPERM':
      return 'may not be read by this user';
    case 'EISDIR':
      return 'is a directory';
    case 'ELOOP':
      return 'is a link that leads in a circle';
    case 'ENAMETOOLONG':
      return 'has a name longer than the system allows';
    default:
      return `cannot be read${code === '' ? '' : ` (${code})`}`;
  }
}
