/**
 * A unix socket that only its owner can connect to. What is left of a process that died is replaced; a live one, or a file
 * that is no socket, is never touched.
 */
import { chmod, lstat, rm } from 'node:fs/promises';
import { createConnection, type Server } from 'node:net';
import { codeOf, messageOf, PorticoError } from '../base/errors.ts';

const PRIVATE_MODE = 0o600;
/** Leaves the owner reading and writing, from the first moment. */
const PRIVATE_UMASK = 0o177;
/** A process that is alive accepts at once. */
const PROBE_MS = 2000;

/**
 * Listens at a path; the file is private from the moment it exists.
 * @throws PorticoError `ADMIN_SOCKET_IN_USE`, `ADMIN_SOCKET_FAILED`
 */
export async function listenPrivately(server: Server, path: string): Promise<void> {
  try {
    await listenOnce(server, path);
  } catch (cause) {
    if (codeOf(cause) !== 'EADDRINUSE') throw failed(path, messageOf(cause), cause);
    await removeDead(path);
    try {
      await listenOnce(server, path);
    } catch (again) {
      throw failed(path, messageOf(again), again);
    }
  }
  await chmod(path, PRIVATE_MODE);
}

function listenOnce(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error): void => {
      server.removeListener('listening', onListening);
      reject(error);
    };
    const onListening = (): void => {
      server.removeListener('error', onError);
      resolve();
    };
    server.once('error', onError);
    server.once('listening', onListening);
    // The mask belongs to the whole process, but `listen` binds before it returns, so nothing else runs under it.
    const before = process.umask(PRIVATE_UMASK);
    try {
      server.listen({ path });
    } finally {
      process.umask(before);
    }
  });
}

async function removeDead(path: string): Promise<void> {
  const found = await lstat(path).catch(() => null);
  if (found === null) return;
  if (!found.isSocket()) throw failed(path, 'there is a file of that name that is no socket');
  if (await isAlive(path)) {
    throw new PorticoError('ADMIN_SOCKET_IN_USE', `Another process answers at ${path}.`, {
      fix: 'Stop it, or give this Portico another admin.socket.',
    });
  }
  // Somebody else may have put a live one there meanwhile.
  const now = await lstat(path).catch(() => null);
  if (now?.ino === found.ino) await rm(path, { force: true });
}

function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ path });
    const timer = setTimeout(() => {
      // It is there and too busy to accept.
      resolve(true);
      socket.destroy();
    }, PROBE_MS);
    socket.once('connect', () => {
      resolve(true);
      socket.destroy();
    });
    socket.on('error', (error) => {
      // EACCES and the like: not ours to remove.
      resolve(codeOf(error) !== 'ECONNREFUSED' && codeOf(error) !== 'ENOENT');
    });
    socket.once('close', () => {
      clearTimeout(timer);
    });
  });
}

function failed(path: string, why: string, cause?: unknown): PorticoError {
  return new PorticoError('ADMIN_SOCKET_FAILED', `The admin socket ${path} cannot be opened: ${why}.`, {
    fix: 'Set admin.socket to a path of at most 100 characters in a directory that the user Portico runs as owns.',
    cause,
  });
}
