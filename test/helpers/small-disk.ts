/**
 * A real file system of a few kilobytes in memory, to fill it up and to make it read-only. Mounting takes root (or sudo
 * without a password, as on CI machines).
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A mounted file system. */
export interface SmallDisk {
  readonly path: string;
  /** Writes until nothing more fits. */
  fill(): Promise<void>;
  remount(mode: 'ro' | 'rw'): void;
  unmount(): void;
}

/** The disk, or why there is none; with `CI=true` that is an error. */
export function mountSmallDisk(kilobytes = 256): SmallDisk | { readonly missing: string } {
  const path = mkdtempSync(join(tmpdir(), 'portico-disk-'));
  const uid = String(process.getuid?.() ?? 0);
  try {
    privileged('mount', '-t', 'tmpfs', '-o', `size=${String(kilobytes)}k,mode=0700,uid=${uid}`, 'portico-test', path);
  } catch (error) {
    rmSync(path, { recursive: true });
    const missing = `no file system can be mounted here (${error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)})`;
    if (process.env.CI === 'true') throw new Error(`CI=true, and ${missing}`, { cause: error });
    return { missing };
  }
  return {
    path,
    fill: () => fill(join(path, 'ballast')),
    remount: (mode) => privileged('mount', '-o', `remount,${mode}`, path),
    unmount: () => {
      privileged('umount', path);
      rmSync(path, { recursive: true });
    },
  };
}

function privileged(command: string, ...args: string[]): void {
  const isRoot = process.getuid?.() === 0;
  execFileSync(isRoot ? command : 'sudo', isRoot ? args : ['-n', command, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: 10_000,
  });
}

/** Bytes get smaller towards the end, so that not even a short file finds room. */
async function fill(path: string): Promise<void> {
  const file = await open(path, 'a');
  try {
    for (const bytes of [16_384, 4096, 512, 16, 1]) {
      try {
        for (;;) await file.write(Buffer.alloc(bytes));
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
      }
    }
  } finally {
    await file.close();
  }
}
