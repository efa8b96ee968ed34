/**
 * The store as a directory: a key is a path below it. Files are 0600 and directories 0700 from the moment they exist.
 * Nothing outside the grammar of keys is read, listed or touched, so other files may lie beside (a README, a socket).
 */
import { randomBytes } from 'node:crypto';
import type { Dirent } from 'node:fs';
import { access, constants, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { codeOf, messageOf, PorticoError } from '../base/errors.ts';
import { takeFileLock } from './file-lock.ts';
import { readRegularFile } from './read-file.ts';
import { isKeySegment, parseFolder, parseKey } from './store-key.ts';
import { checkValueSize, MAX_VALUE_BYTES } from './store-value.ts';
import type { Store, StoreLock } from './store.ts';
import { syncDirectory } from './sync-directory.ts';

/** Begins with a dot, so it is no key. */
const TEMPORARY = '.tmp-';
const LOCK = '.lock';
/** What a lock is written to before it gets its name; see `file-lock.ts`. */
const LOCK_TEMPORARY = /^\.lock(?:-takeover)?-[0-9a-f]{18}$/;
/** Another process may be about to give its lock the name. */
const LOCK_TEMPORARY_STALE_MS = 60_000;
/** `acme/orders/NAME/x` is the deepest that is used; a link that leads into itself ends here. */
const MAX_DEPTH = 8;

/** Where a value should be there is something that is none: a folder, a pipe, a link that leads in a circle. */
const NOT_A_VALUE: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'EISDIR', 'EINVAL', 'ENXIO', 'ELOOP']);
/** Nothing can be written at all, by anybody: the disk is full, or mounted read-only. */
const NO_ROOM: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EROFS']);

/** The right to write, as far as it could be taken. */
interface Hold {
  /** Null while the lock could not be written. */
  release: (() => Promise<void>) | null;
  /** An attempt under way to take it after all. */
  taking: Promise<void> | null;
}

/**
 * Reading needs no preparation, and a directory that does not exist reads as empty. Writing needs {@link FileStore.lock},
 * which creates the directory.
 */
export class FileStore implements Store {
  readonly #directory: string;
  #hold: Hold | null = null;

  /** @param directory - absolute, or relative to the working directory */
  constructor(directory: string) {
    this.#directory = directory;
  }

  async get(key: string): Promise<Buffer | null> {
    const path = this.#pathOf(key);
    try {
      return await readRegularFile(path, MAX_VALUE_BYTES);
    } catch (cause) {
      if (NOT_A_VALUE.has(codeOf(cause))) return null;
      throw this.#unreadable(path, cause);
    }
  }

  async put(key: string, value: Uint8Array | string): Promise<void> {
    const path = this.#pathOf(key);
    checkValueSize(key, value);
    await this.#mustHoldLock();
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
    await this.#mustHoldLock();
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
    await this.#openDirectory();
    const problems: PorticoError[] = [];
    const hold: Hold = { release: null, taking: null };
    try {
      hold.release = await this.#takeLock();
    } catch (cause) {
      if (cause instanceof PorticoError) throw cause;
      if (!NO_ROOM.has(codeOf(cause))) throw this.#unreadable(this.#directory, cause);
      // Nobody can write here now, so nobody is hurt by a second reader; the first write takes the lock before anything else.
      problems.push(this.#unwritable(this.#directory, cause));
    }
    if (hold.release !== null) problems.push(...(await this.#removeLeftovers()));
    this.#hold = hold;
    return {
      problems,
      release: async () => {
        if (this.#hold !== hold) return;
        this.#hold = null;
        await hold.taking?.catch(() => undefined);
        await hold.release?.();
      },
    };
  }

  async #openDirectory(): Promise<void> {
    try {
      const made = await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      if (made !== undefined) await syncNewDirectories(made, resolve(this.#directory));
      if (!(await stat(this.#directory)).isDirectory()) throw new Error('it is not a directory');
      await access(this.#directory, constants.R_OK | constants.X_OK);
    } catch (cause) {
      throw this.#unreadable(this.#directory, cause);
    }
  }

  async #takeLock(): Promise<() => Promise<void>> {
    await access(this.#directory, constants.W_OK);
    return await takeFileLock(join(this.#directory, LOCK));
  }

  /**
   * A process that died while writing leaves its temporary file, which may hold a private key.
   * @returns what could not be removed or looked into: no reason not to start
   */
  async #removeLeftovers(): Promise<PorticoError[]> {
    const problems: PorticoError[] = [];
    const walk = this.#walk([], (problem) => problems.push(problem));
    for await (const { folders, entry } of walk) {
      if (!entry.isFile()) continue;
      const path = join(this.#directory, ...folders, entry.name);
      const isLeftover =
        entry.name.startsWith(TEMPORARY) || (folders.length === 0 && (await isStaleLockTemporary(path, entry.name)));
      if (!isLeftover) continue;
      await rm(path, { force: true }).catch((cause: unknown) => problems.push(this.#unwritable(path, cause)));
    }
    return problems;
  }

  /**
   * Every entry of the folders that can hold keys, top directory included.
   * @param onUnreadable - hears of folders that cannot be read, which are passed over; without it the first one is thrown
   */
  async *#walk(
    folders: readonly string[],
    onUnreadable?: (problem: PorticoError) => void,
  ): AsyncGenerator<{ folders: readonly string[]; entry: Dirent }> {
    const path = join(this.#directory, ...folders);
    let entries: Dirent[];
    try {
      entries = await readdir(path, { withFileTypes: true });
    } catch (cause) {
      const code = codeOf(cause);
      if (code === 'ENOENT' || code === 'ENOTDIR') return;
      const problem = this.#unreadable(path, cause);
      if (onUnreadable === undefined) throw problem;
      onUnreadable(problem);
      return;
    }
    for (const entry of entries) {
      yield { folders, entry };
      if (entry.isDirectory() && isKeySegment(entry.name) && folders.length < MAX_DEPTH) {
        yield* this.#walk([...folders, entry.name], onUnreadable);
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

  /** Also takes the lock that could not be written when it was asked for. */
  async #mustHoldLock(): Promise<void> {
    const hold = this.#hold;
    if (hold === null) throw new PorticoError('STORE_NOT_LOCKED', 'The store was written to without its lock.');
    if (hold.release !== null) return;
    hold.taking ??= this.#takeLate(hold);
    await hold.taking;
  }

  async #takeLate(hold: Hold): Promise<void> {
    try {
      hold.release = await this.#takeLock();
    } catch (cause) {
      throw cause instanceof PorticoError ? cause : this.#unwritable(this.#directory, cause);
    } finally {
      hold.taking = null;
    }
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

/** The directories that `mkdir -p` made, from the topmost: each is durable when the one above it has been synced. */
async function syncNewDirectories(topmost: string, deepest: string): Promise<void> {
  for (let path = deepest; ; path = dirname(path)) {
    await syncDirectory(dirname(path));
    if (path === topmost || path === dirname(path)) return;
  }
}

async function isStaleLockTemporary(path: string, name: string): Promise<boolean> {
  if (!LOCK_TEMPORARY.test(name)) return false;
  const found = await stat(path).catch(() => null);
  return found !== null && Date.now() - found.mtimeMs > LOCK_TEMPORARY_STALE_MS;
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
