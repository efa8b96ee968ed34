/**
 * A process that does nothing but write to a store: `node store-writer.ts DIRECTORY`. Each value can be checked by itself, and
 * for each write that was acknowledged one line `KEY NUMBER` appears on standard output. Ends when it is killed.
 */
import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { FileStore } from '../../src/store/file-store.ts';

const KEYS = ['acme/account.json', 'acme/orders/a.json', 'acme/certificates/a/chain.pem', 'local_ca/leaves/a.pem'];

/** A value of some size that tells which it is and whether it is whole. */
function valueOf(number: number): string {
  const body = `${String(number)} ${'x'.repeat((number * 7919) % 150_000)}`;
  return `${createHash('sha256').update(body).digest('hex')} ${body}`;
}

/** The number of a value, or null when it is not whole. */
export function numberOf(value: string): number | null {
  const body = value.slice(65);
  if (createHash('sha256').update(body).digest('hex') !== value.slice(0, 64)) return null;
  return Number(body.split(' ')[0]);
}

async function write(directory: string): Promise<never> {
  const store = new FileStore(directory);
  await store.lock();
  writeSync(1, 'locked\n');
  for (let number = 1; ; number++) {
    // Two writes at once, so that a kill finds the store in the middle of something.
    await Promise.all(
      [0, 1].map(async (offset) => {
        const key = KEYS[(number + offset * 2) % KEYS.length] ?? '';
        await store.put(key, valueOf(number));
        writeSync(1, `${key} ${String(number)}\n`);
      }),
    );
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await write(process.argv[2] ?? '');
