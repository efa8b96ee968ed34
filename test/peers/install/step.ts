/** One command of an installation: bounded in time, its output in .peers/log/, its last lines in the error when it fails. */
import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, readFileSync } from 'node:fs';
import { finished } from 'node:stream/promises';
import { join } from 'node:path';
import { placeOf } from './place.ts';

/** A peer cannot be installed here; the message says why and, where there is one, the way out. */
export class InstallError extends Error {
  override readonly name = 'InstallError';
}

/** How one command is run. */
export interface Step {
  /** Name of the log file, without `.log`; a step of the same name overwrites it. */
  readonly log: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly timeoutMs: number;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Time a command gets between SIGTERM and SIGKILL. */
const GRACE_MS = 10_000;
const TAIL_LINES = 12;

/** Says on stdout how far a peer's installation is. */
export function progress(peer: string, text: string): void {
  process.stdout.write(`peers: ${peer}: ${text}\n`);
}

/**
 * Runs one command to its end.
 *
 * @returns what it wrote to stdout
 * @throws InstallError when it cannot be started, ends with another code than 0, or takes too long
 */
export async function runStep(step: Step): Promise<string> {
  const directory = placeOf('log');
  mkdirSync(directory, { recursive: true });
  const path = join(directory, `${step.log}.log`);
  const log = createWriteStream(path);
  log.write(`$ ${[step.command, ...step.args].join(' ')}\n`);
  // Not detached: whoever ends the process group of the installer ends its commands too.
  const child = spawn(step.command, step.args, {
    cwd: step.cwd,
    env: { ...process.env, ...step.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    log.write(text);
  });
  child.stderr.on('data', (chunk: Buffer) => log.write(chunk));
  const term = setTimeout(() => child.kill('SIGTERM'), step.timeoutMs);
  const kill = setTimeout(() => child.kill('SIGKILL'), step.timeoutMs + GRACE_MS);
  const started = performance.now();
  const problem = await new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, signal) => resolve(code === 0 ? '' : `ended with ${signal ?? `exit code ${code ?? 1}`}`));
  });
  clearTimeout(term);
  clearTimeout(kill);
  log.end();
  await finished(log);
  const timedOut = performance.now() - started >= step.timeoutMs;
  if (problem === '') return output;
  const reason = timedOut ? `not finished after ${step.timeoutMs / 1000} s` : problem;
  const tail = readFileSync(path, 'utf8').trimEnd().split('\n').slice(-TAIL_LINES).join('\n  | ');
  throw new InstallError(`${step.command}: ${reason} (log: ${path})\n  | ${tail}`);
}
