/** Debian packages, one apt-get at a time, as root only. */
import { existsSync } from 'node:fs';
import { InstallError, progress, runStep } from './step.ts';

const UPDATE_LIMIT_MS = 180_000;
const INSTALL_LIMIT_MS = 480_000;
/** Another apt-get may be at work on this machine: wait for it rather than fail. */
const APT_OPTIONS = ['-o', 'DPkg::Lock::Timeout=300', '-o', 'Acquire::Retries=3'];
const APT_ENV = { DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' };

/** Installs packages; requests are served in the order they were made. */
export class Debian {
  #queue: Promise<unknown> = Promise.resolve();
  #updated = false;

  /** Why packages cannot be installed here, or null when they can. */
  static obstacle(): string | null {
    if (!existsSync('/usr/bin/apt-get')) return 'this is no Debian (no apt-get)';
    if (process.getuid?.() !== 0) return 'not root, so Debian packages cannot be installed';
    return null;
  }

  /**
   * Resolves when the packages are installed.
   *
   * @throws InstallError when this is no Debian, we are not root, or apt-get fails
   */
  install(peer: string, packages: readonly string[]): Promise<void> {
    const obstacle = Debian.obstacle();
    if (obstacle !== null) {
      return Promise.reject(new InstallError(`${obstacle}; install by hand: ${packages.join(' ')}`));
    }
    const turn = this.#queue.then(() => this.#run(peer, packages));
    // The next request waits for this one to end, well or not.
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  async #run(peer: string, packages: readonly string[]): Promise<void> {
    if (!this.#updated) {
      progress(peer, 'apt-get update');
      await runStep({
        log: 'apt-update',
        command: 'apt-get',
        args: [...APT_OPTIONS, 'update'],
        timeoutMs: UPDATE_LIMIT_MS,
        env: APT_ENV,
      });
      this.#updated = true;
    }
    progress(peer, `apt-get install ${packages.join(' ')}`);
    await runStep({
      log: `apt-${peer}`,
      command: 'apt-get',
      args: [...APT_OPTIONS, 'install', '-y', '--no-install-recommends', ...packages],
      timeoutMs: INSTALL_LIMIT_MS,
      env: APT_ENV,
    });
  }
}
