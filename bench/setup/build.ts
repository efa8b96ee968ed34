/** What is published about Portico is measured with what users run: dist/. */
import { join } from 'node:path';
import { porticoEntry } from '../contenders/portico.ts';
import { progress, runStep } from '../../test/peers/install/step.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const LIMIT_MS = 5 * 60_000;

/**
 * Builds dist/ when the source is newer.
 *
 * @throws InstallError when it does not build
 */
export async function buildPortico(): Promise<void> {
  if (porticoEntry().endsWith('.js')) return;
  progress('bench', 'npm run build');
  await runStep({ log: 'bench-build', command: 'npm', args: ['run', 'build'], timeoutMs: LIMIT_MS, cwd: ROOT });
}
