/**
 * The store as a directory: a key is a path below it. Files are 0600 and directories 0700 from the moment they exist.
 * Nothing outside the grammar of keys is read, listed or touched, so other files may lie beside (a README, a socket).
 */
import { randomBytes } from 'node:crypto';
import type { Dirent } from 'node:fs';
import { access, constants, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { codeOf, messageOf, PorticoError } from '../base/errors.ts';
import { takeFileLock } from './file-lock.ts';
import { isKeySegment, parseFolder, parseKey } from './store-key.ts';
import type { Store, StoreLock } from './store.ts';

/** Begins with a dot, so it is no key. */
const TEMPORARY = '.tmp-';
const LOCK = '.lock';
/** `acme/orders/NAME/x` is the deepest that is used; a link that leads into itself ends here. */
const MAX_DEPTH = 8;

/**
 * Reading needs no preparation, and a directory that does not exist reads as empty. Writing needs {@link FileStore.lock},
 * which creates the directory.
 */
export class FileStore implements Store {
  readonly #directory: string;
  #locked = false;

  /** @param directory - absolute, or relative to the working directory */
  constructor(directory: string) {
    this.#directory = directory;
  }

  async get(key: string): Promise<Buffer | null> {
    const path = this.#pathOf(key);
    try {
      return await readFile(path);
    } catch (cause) {
      const code = codeOf(cause);
      if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR') return null;
      throw this.#unreadable(path, cause);
    }
  }

  async put(key: string, value: Uint8Array | string): Promise<void> {
    const path = this.#pathOf(key);
    this.#mustHoldLock();
    const temporary = join(dirname(path), `${TEMPORARY}${randomBytes(9).toString('hex')}`);
    try {
      await this.#makeFolders(parseKey(key));
      await writeDurably(temporary, value);
      await rename(temporary, path);
      await syncDirectory(dirname(path));
    } catch (cause) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw this.#unwritable(path, cause);
    }
  }

  async delete(key: string): Promise<void> {
    const path = this.#pathOf(key);
    this.#mustHoldLock();
    try {
      await rm(path);
      await syncDirectory(dirname(path));
    } catch (cause) {
      const code = codeOf(cause);
      if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ERR_FS_EISDIR') return;
      throw this.#unwritable(path, cause);
    }
  }

  async list(folder: string): Promise<string[]> {
    const segments = parseFolder(folder);
    const keys: string[] = [];
    for await (const { folders, entry } of this.#walk(segments)) {
      // A file in the top directory has one segment only and is not the store's.
      if (entry.isFile() && folders.length > 0 && isKeySegment(entry.name))
        keys.push([...folders, entry.name].join('/'));
    }
    return keys.sort();
  }

  async lock(): Promise<StoreLock> {
    let release: () => Promise<void>;
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      await access(this.#directory, constants.R_OK | constants.W_OK | constants.X_OK);
      if (!(await stat(this.#directory)).isDirectory()) throw new Error('it is not a directory');
      release = await takeFileLock(join(this.#directory, LOCK));
    } catch (cause) {
      if (cause instanceof PorticoError) throw cause;
      throw this.#unreadable(this.#directory, cause);
    }
    try {
      await this.#removeLeftovers();
    } catch (error) {
      await release();
      throw error;
    }
    this.#locked = true;
    let held = true;
    return {
      release: async () => {
        if (!held) return;
        held = false;
        this.#locked = false;
        await release();
      },
    };
  }

  /** A process that died while writing leaves its temporary file, which may hold a private key. */
  async #removeLeftovers(): Promise<void> {
    for await (const { folders, entry } of this.#walk([])) {
      if (!entry.isFile() || !entry.name.startsWith(TEMPORARY)) continue;
      const path = join(this.#directory, ...folders, entry.name);
      await rm(path, { force: true }).catch((cause: unknown) => {
        throw this.#unwritable(path, cause);
      });
    }
  }

  /** Every entry of the folders that can hold keys, top directory included. */
  async *#walk(folders: readonly string[]): AsyncGenerator<{ folders: readonly string[]; entry: Dirent }> {
    const path = join(this.#directory, ...folders);
    let entries: Dirent[];
    try {
      entries = await readdir(path, { withFileTypes: true });
    } catch (cause) {
      const code = codeOf(cause);
      if (code === 'ENOENT' || code === 'ENOTDIR') return;
      throw this.#unreadable(path, cause);
    }
    for (const entry of entries) {
      yield { folders, entry };
      if (entry.isDirectory() && isKeySegment(entry.name) && folders.length < MAX_DEPTH) {
        yield* this.#walk([...folders, entry.name]);
      }
    }
  }

  /** A new folder is durable only when its parent has been synced. */
  async #makeFolders(key: readonly string[]): Promise<void> {
    let parent = this.#directory;
    for (const segment of key.slice(0, -1)) {
      const folder = join(parent, segment);
      try {
        await mkdir(folder, { mode: 0o700 });
        await syncDirectory(parent);
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error;
      }
      parent = folder;
    }
  }

  #pathOf(key: string): string {
    return join(this.#directory, ...parseKey(key));
  }

  #mustHoldLock(): void {
    if (!this.#locked) throw new PorticoError('STORE_NOT_LOCKED', 'The store was written to without its lock.');
  }

  #unreadable(path: string, cause: unknown): PorticoError {
    return new PorticoError('STORE_UNREADABLE', `The store cannot be used: ${path}: ${messageOf(cause)}.`, {
      fix: `Give the user that Portico runs as the ownership of ${this.#directory}, or set store.path to a directory it owns.`,
      cause,
    });
  }

  #unwritable(path: string, cause: unknown): PorticoError {
    return new PorticoError('STORE_UNWRITABLE', `The store cannot be written: ${path}: ${messageOf(cause)}.`, {
      fix: `Check the free space and the permissions of ${this.#directory}.`,
      cause,
    });
  }
}

async function writeDurably(path: string, value: Uint8Array | string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(value);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
