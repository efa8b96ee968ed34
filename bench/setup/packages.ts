/** The npm packages that are contenders themselves; they live in bench/node_modules, not in the product. */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { progress, runStep } from '../../test/peers/install/step.ts';

const BENCH = join(import.meta.dirname, '..');
const LIMIT_MS = 3 * 60_000;

/**
 * Runs `npm ci` in bench/ unless what is there is as new as the lock file.
 *
 * @throws InstallError when npm fails
 */
export async function preparePackages(): Promise<void> {
  const installed = join(BENCH, 'node_modules', '.package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(BENCH, 'package-lock.json')).mtimeMs)
    return;
  progress('bench', 'npm ci in bench/');
  await runStep({
    log: 'bench-npm',
    command: 'npm',
    args: ['ci', '--ignore-scripts', '--no-audit', '--no-fund'],
    timeoutMs: LIMIT_MS,
    cwd: BENCH,
  });
}
