/** Names in a directory are durable only once the directory itself is synced. */
import { open } from 'node:fs/promises';

/** @throws Error Node's, when the directory cannot be opened or synced */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
