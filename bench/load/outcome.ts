/** What a load generator reports, whichever it was. */
import { spawn } from 'node:child_process';
import { onCpu } from '../measure/processes.ts';

/** One run of load. */
export interface Outcome {
  /** Requests answered as they should be. */
  readonly requests: number;
  /** Requests or connections that were not; any makes the row void for the contender. */
  readonly errors: number;
  /** What went wrong, in the generator's words; empty when nothing did. */
  readonly problem: string;
}

/**
 * Runs a load generator on its CPU to its end and returns its output.
 *
 * @throws Error when it ends badly or takes `limitMs`
 */
export function runLoad(cpu: number, command: string, args: readonly string[], limitMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('prlimit', onCpu(cpu, command, args), { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
    const timer = setTimeout(() => child.kill('SIGKILL'), limitMs);
    const end = (): void => {
      child.kill('SIGKILL');
    };
    process.once('exit', end);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      process.off('exit', end);
      if (code === 0) resolve(output);
      else
        reject(new Error(`${command} ended with ${String(signal ?? code)}: ${(errors || output).trim().slice(-500)}`));
    });
  });
}
