/**
 * Hears of changes in directories: one watch for each directory, however many files in it are of interest. A hint only, because
 * a watch sees neither network file systems nor what is behind a link, and the system has a limited number of them; whoever
 * uses it looks regularly besides.
 */
import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { stat } from 'node:fs/promises';

/** Directories beyond this are left to the regular look: other programs of the user share the system's limit. */
const MAX_WATCHED = 1000;

interface Watched {
  readonly path: string;
  watcher: FSWatcher | null;
  /** Device and inode of what is watched. */
  identity: string | null;
}

/** Watches from the first {@link DirectoryWatch.renew} until it is closed. */
export class DirectoryWatch {
  readonly #watched: readonly Watched[];
  readonly #onEvent: () => void;
  #closed = false;

  /** @param onEvent - called for every event, so often several times for one change */
  constructor(directories: Iterable<string>, onEvent: () => void) {
    const paths = [...new Set(directories)].slice(0, MAX_WATCHED);
    this.#watched = paths.map((path) => ({ path, watcher: null, identity: null }));
    this.#onEvent = onEvent;
  }

  /** How many directories are watched now. */
  get size(): number {
    return this.#watched.filter(({ watcher }) => watcher !== null).length;
  }

  /** Watches what is not watched yet: directories that appeared, or that are others than before under the same name. */
  async renew(): Promise<void> {
    for (const watched of this.#watched) {
      const identity = await identityOf(watched.path);
      if (this.#closed) return;
      if (watched.watcher !== null && identity === watched.identity) continue;
      this.#stop(watched);
      if (identity !== null) this.#start(watched, identity);
    }
  }

  close(): void {
    this.#closed = true;
    for (const watched of this.#watched) this.#stop(watched);
  }

  #start(watched: Watched, identity: string): void {
    try {
      const watcher = watch(watched.path, { persistent: false }, this.#onEvent);
      watcher.on('error', () => {
        if (watched.watcher === watcher) this.#stop(watched);
      });
      watched.watcher = watcher;
      watched.identity = identity;
    } catch {
      // No watches left, or no permission: the regular look finds the changes, and the next renewal tries again.
    }
  }

  #stop(watched: Watched): void {
    watched.watcher?.close();
    watched.watcher = null;
    watched.identity = null;
  }
}

async function identityOf(path: string): Promise<string | null> {
  try {
    const { dev, ino } = await stat(path, { bigint: true });
    return `${String(dev)}:${String(ino)}`;
  } catch {
    // It is not there, or not for us to see: nothing to watch.
    return null;
  }
}
