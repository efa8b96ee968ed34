/** What the rest of Portico may expect of the place where it keeps certificates, keys and accounts. */
import type { PorticoError } from '../base/errors.ts';

/**
 * Bytes under names. Small values only (keys, certificates, state of some kilobytes; 16 MiB at the very most): no ranges,
 * no streams.
 *
 * **Keys** are two or more segments joined by `/`: lower-case letters, digits, `.`, `_` and `-`, not beginning with `.` or
 * `-`, at most 200 characters each. `local_ca/ca.pem` is a key; `ca.pem`, `../x` and `A/b` are not.
 *
 * **Atomic and durable:** when `put` or `delete` has resolved, its effect survives a crash of the process and of the
 * machine. Before that, a reader sees the old value or the new one whole, never a part, and so does the next start after
 * a crash. Several keys are not changed together: order the writes so that each state in between makes sense.
 *
 * **Concurrency:** any number of processes may read at any time, without asking. Only the one that holds the lock may
 * write; writes to the same key at once are applied one after the other in some order.
 *
 * **Secrecy:** values may be private keys. A backend lets nobody but its own user read them and never logs them.
 *
 * Values go in and come out as copies: changing a buffer afterwards changes nothing in the store.
 */
export interface Store {
  /**
   * @returns null when there is no such key
   * @throws PorticoError `STORE_KEY_INVALID`, `STORE_UNREADABLE`
   */
  get(key: string): Promise<Buffer | null>;

  /**
   * Creates or replaces.
   * @throws PorticoError `STORE_KEY_INVALID`, `STORE_NOT_LOCKED`, `STORE_VALUE_TOO_LARGE`, `STORE_UNWRITABLE` (the old value
   * is then still there)
   */
  put(key: string, value: Uint8Array | string): Promise<void>;

  /**
   * Removes; a key that is not there is no error.
   * @throws PorticoError as `put`
   */
  delete(key: string): Promise<void>;

  /**
   * All keys below a folder, at any depth, sorted by code unit.
   * @param folder - whole segments without a slash at the end (`acme/orders`); the empty string means everything
   * @throws PorticoError `STORE_KEY_INVALID`, `STORE_UNREADABLE`
   */
  list(folder: string): Promise<string[]>;

  /**
   * Takes the store for writing until {@link StoreLock.release}. Taking it also proves that the backend can be read and
   * written, so a long-running process does it first. A lock whose holder died is taken over.
   *
   * A store that nobody can write to now, because it is full or read-only, is no reason not to serve what it holds: it is
   * said in {@link StoreLock.problems}, and each write tries to take the lock before anything else.
   * @throws PorticoError `STORE_LOCKED` when another holder is alive (the message names it), `STORE_UNREADABLE`
   */
  lock(): Promise<StoreLock>;
}

/** The right to write. */
export interface StoreLock {
  /** What is wrong with the store without keeping anybody from serving (`STORE_UNWRITABLE`, `STORE_UNREADABLE`): log it. */
  readonly problems: readonly PorticoError[];
  /** Gives the right up; a second call does nothing. */
  release(): Promise<void>;
}
