/** What a result needs beside it to mean something: machine, kernel, commit, versions. */
import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import type { Contender } from '../contenders/contender.ts';
import type { Options } from '../options.ts';
import type { Stand } from '../setup/stand.ts';
import type { Provenance } from './results.ts';

/** Collects it. */
export async function provenance(
  stand: Stand,
  contenders: readonly Contender[],
  options: Pick<Options, 'rounds' | 'seconds'>,
): Promise<Provenance> {
  const versions: Record<string, string> = {};
  for (const contender of contenders) versions[contender.id] = await contender.version(stand);
  const processor = cpus()[0]?.model.trim() ?? 'unknown processor';
  const memory = Math.round(totalmem() / 2 ** 30);
  return {
    day: new Date().toISOString().slice(0, 10),
    commit: commit(),
    machine: `${processor}, ${String(availableParallelism())} CPUs, ${String(memory)} GiB`,
    kernel: `Linux ${release()}`,
    rounds: options.rounds,
    seconds: options.seconds,
    versions,
  };
}

function commit(): string {
  const git = (...args: string[]): string => execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' });
  try {
    // What the benchmark itself writes is no change to what was measured.
    const changed = git('status', '--porcelain', '--', ':/src', ':/package.json').trim() !== '';
    return `${git('rev-parse', '--short=10', 'HEAD').trim()}${changed ? '+' : ''}`;
  } catch {
    return 'no commit';
  }
}
