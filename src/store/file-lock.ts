/**
 * A lock file that names its holder, so that the lock of a process that died can be taken over and a live one is named to
 * the person who started a second.
 *
 * A process number alone does not identify a holder: in a container the next start often gets the same number. So the lock
 * also tells when its holder began (Linux), on which machine or container it ran, and its holder touches it regularly.
 */
import { randomBytes } from 'node:crypto';
import { link, open, readFile, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { codeOf, PorticoError } from '../base/errors.ts';

/** How often the holder touches its lock. */
const HEARTBEAT_MS = 10_000;
/** A lock of another machine or container, whose processes cannot be seen from here, is dead when it is older than this. */
const FOREIGN_STALE_MS = 30_000;
/** Each attempt removes one dead lock; more than a few means that others keep taking it first. */
const MAX_ATTEMPTS = 5;

interface Holder {
  readonly pid: number;
  /** When the process began, in clock ticks since boot; null where the system does not tell. */
  readonly began: string | null;
  readonly host: string;
}

/**
 * Takes the lock.
 * @param path - the lock file, in a directory that exists
 * @returns gives the lock up again
 * @throws PorticoError `STORE_LOCKED`; errors of the file system as they are
 */
export async function takeFileLock(path: string): Promise<() => Promise<void>> {
  const holder: Holder = { pid: process.pid, began: await processBegan(process.pid), host: hostname() };
  // The token makes two locks of this process differ, so that each release removes just its own.
  const text = `${JSON.stringify({ ...holder, token: randomBytes(8).toString('hex') })}\n`;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    if (await createWhole(path, text)) return holdLock(path, text);
    const found = await readIfThere(path);
    if (found === null) continue;
    const other = parseHolder(found);
    if (other !== null && (await isAlive(other, path))) throw locked(other, path);
    await removeDead(path, found, text);
  }
  throw new PorticoError('STORE_LOCKED', 'Several processes are taking the store at once.', {
    fix: 'Start one Portico for each store.',
  });
}

/** A hard link appears whole or not at all, so nobody ever reads half a lock. */
async function createWhole(path: string, text: string): Promise<boolean> {
  const temporary = `${path}-${randomBytes(9).toString('hex')}`;
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.close();
    await link(temporary, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await file.close();
    await rm(temporary, { force: true });
  }
}

function holdLock(path: string, text: string): () => Promise<void> {
  const heartbeat = setInterval(() => {
    const now = new Date();
    // A lock file that somebody removed is no reason to stop; the store itself is not harmed by it.
    utimes(path, now, now).catch(() => undefined);
  }, HEARTBEAT_MS);
  heartbeat.unref();
  return async () => {
    clearInterval(heartbeat);
    if ((await readIfThere(path)) !== text) return;
    try {
      await rm(path, { force: true });
    } catch (error) {
      // On a disk that has become read-only it stays, and is taken over as that of a dead process.
      if (codeOf(error) !== 'EROFS') throw error;
    }
  };
}

/**
 * Removes a dead lock, and only that: while somebody else looked at the same dead lock, a third may have put a live one in
 * its place. So whoever removes holds a second lock file meanwhile, and looks again at the first.
 */
async function removeDead(path: string, dead: string, text: string): Promise<void> {
  const guard = `${path}-takeover`;
  if (!(await createWhole(guard, text))) {
    const found = await readIfThere(guard);
    const other = found === null ? null : parseHolder(found);
    if (other !== null && (await isAlive(other, guard))) throw locked(other, path);
    // Left by a process that died within this function: the one case in which two could still get in each other's way.
    await rm(guard, { force: true });
    return;
  }
  try {
    if ((await readIfThere(path)) === dead) await rm(path, { force: true });
  } finally {
    await rm(guard, { force: true });
  }
}

async function isAlive(holder: Holder, path: string): Promise<boolean> {
  if (holder.host !== hostname()) {
    const touched = await stat(path).catch(() => null);
    return touched !== null && Date.now() - touched.mtimeMs < FOREIGN_STALE_MS;
  }
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    // EPERM: it is alive and belongs to somebody else.
    if (codeOf(error) !== 'EPERM') return false;
  }
  return (await processBegan(holder.pid)) === holder.began;
}

/** Field 22 of /proc/PID/stat; the name in field 2 may hold anything, so the count begins after its closing bracket. */
async function processBegan(pid: number): Promise<string | null> {
  const line = await readIfThere(`/proc/${String(pid)}/stat`);
  if (line === null) return null;
  return line.slice(line.lastIndexOf(')') + 2).split(' ')[19] ?? null;
}

/** Null for a file that is no lock of ours, as a crash of the machine may leave it: nobody holds that. */
function parseHolder(text: string): Holder | null {
  try {
    const { pid, began, host } = JSON.parse(text) as Partial<Record<keyof Holder, unknown>>;
    if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid < 1) return null;
    if (typeof host !== 'string' || (typeof began !== 'string' && began !== null)) return null;
    return { pid, began, host };
  } catch {
    return null;
  }
}

function locked(holder: Holder, path: string): PorticoError {
  const where = holder.host === hostname() ? '' : ` on ${holder.host}`;
  return new PorticoError('STORE_LOCKED', `The store is in use by process ${String(holder.pid)}${where}.`, {
    fix: `Stop that process first, or give this one another store.path. The lock is ${path}.`,
  });
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}
