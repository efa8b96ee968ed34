/**
 * Reads small files that others may have put in place: a pipe never holds up the reader, a file that never ends never fills
 * the memory.
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

const CHUNK_BYTES = 64 * 1024;

/**
 * Reads a whole regular file, through links.
 * @param maxBytes - the most it may hold
 * @throws the errors of the file system; an Error with `code` `EISDIR` for a directory, `EINVAL` for anything else that is
 * no regular file (a pipe, a socket, a device), `EFBIG` when it holds more than `maxBytes`
 */
export async function readRegularFile(path: string, maxBytes: number): Promise<Buffer> {
  // Without O_NONBLOCK, opening a pipe waits until somebody writes to it.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const found = await file.stat();
    if (found.isDirectory()) throw failure('EISDIR', 'it is a directory');
    if (!found.isFile()) throw failure('EINVAL', 'it is not a regular file');
    if (found.size > maxBytes) throw tooLarge(maxBytes);
    return await readUpTo(file, maxBytes);
  } finally {
    await file.close();
  }
}

/** The size that was looked up may be outdated, and is 0 for files that the system makes up. */
async function readUpTo(file: FileHandle, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let total = 0;
  for (;;) {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES, null);
    if (bytesRead === 0) return Buffer.concat(chunks);
    total += bytesRead;
    if (total > maxBytes) throw tooLarge(maxBytes);
    chunks.push(chunk.subarray(0, bytesRead));
  }
}

function tooLarge(maxBytes: number): Error {
  return failure('EFBIG', `it holds more than ${String(maxBytes)} bytes`);
}

function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
