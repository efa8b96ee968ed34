/**
 * Reads another program's store and nothing beside it: links may lead about within it and never out of it, files and folders
 * have a largest size, and there is an end to how many are looked at.
 */
import { opendir, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { codeOf, messageOf, PorticoError } from '../../base/errors.ts';
import { readRegularFile } from '../../store/read-file.ts';

/** Entries of one folder, and folders in all; a store with more than this is none that a person keeps. */
const MAX_ENTRIES = 20_000;
/** Chains, keys and the small files beside them. */
const MAX_TEXT_BYTES = 512 * 1024;

/** The files below one directory. Paths are relative to it and use `/`. */
export class ContainedFiles {
  readonly #root: string;
  #looked = 0;

  private constructor(root: string) {
    this.#root = root;
  }

  /**
   * @param path - the directory; may itself be a link
   * @throws PorticoError `IMPORT_UNREADABLE`
   */
  static async open(path: string): Promise<ContainedFiles> {
    try {
      const root = await realpath(path);
      if (!(await stat(root)).isDirectory()) throw new Error('it is not a directory');
      return new ContainedFiles(root);
    } catch (cause) {
      throw unreadable(path, cause);
    }
  }

  /** @throws Error with the reason in words */
  async text(path: string, maxBytes = MAX_TEXT_BYTES): Promise<string> {
    const real = await this.#resolve(path);
    return (await readRegularFile(real, maxBytes)).toString('utf8');
  }

  /** As {@link ContainedFiles.text}; null when there is no such file. */
  async textIfThere(path: string): Promise<string | null> {
    try {
      return await this.text(path);
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  /**
   * Names of the folders in a folder, sorted; none when it does not exist.
   * @throws Error with the reason in words
   */
  async folders(path: string): Promise<string[]> {
    return await this.#entries(path, true);
  }

  /** As {@link ContainedFiles.folders}, of everything that is no folder. */
  async files(path: string): Promise<string[]> {
    return await this.#entries(path, false);
  }

  async #entries(path: string, wantFolders: boolean): Promise<string[]> {
    const names: string[] = [];
    let real: string;
    try {
      real = await this.#resolve(path);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
    for await (const { name } of await opendir(real)) {
      if (++this.#looked > MAX_ENTRIES) throw new Error(`it holds more than ${String(MAX_ENTRIES)} entries`);
      if ((await this.#isFolder(`${path}/${name}`)) === wantFolders) names.push(name);
    }
    return names.sort();
  }

  async #isFolder(path: string): Promise<boolean> {
    try {
      return (await stat(await this.#resolve(path))).isDirectory();
    } catch {
      // Whatever it is, it is no folder that may be entered; who wants to read it as a file hears why not.
      return false;
    }
  }

  async #resolve(path: string): Promise<string> {
    const real = await realpath(join(this.#root, path));
    if (real !== this.#root && !real.startsWith(this.#root.endsWith(sep) ? this.#root : this.#root + sep)) {
      throw new Error('it leads out of the store');
    }
    return real;
  }
}

/** @returns the error for a store that cannot be read at all */
export function unreadable(path: string, cause: unknown): PorticoError {
  return new PorticoError('IMPORT_UNREADABLE', `${path} cannot be imported: ${messageOf(cause)}.`, {
    fix: 'Correct the path, and run the command as a user that may read it (usually root).',
    cause,
  });
}

function isMissing(error: unknown): boolean {
  return codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR';
}
