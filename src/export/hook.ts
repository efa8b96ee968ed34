/**
 * Runs the command that tells another program of its new certificate: without a shell, with an environment of its own, within
 * a time limit.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { messageOf, PorticoError } from '../base/errors.ts';

/** One run. */
export interface HookRun {
  /** The program and its arguments. */
  readonly words: readonly string[];
  /** All that the command finds in its environment: Portico's own may hold secrets. */
  readonly environment: Readonly<Record<string, string>>;
  /** How long it may take, in milliseconds. */
  readonly limitMs: number;
}

/** Enough for the error message of any program. */
const MAX_OUTPUT_CHARACTERS = 1000;
/** Between the request to end and the end. */
const KILL_AFTER_MS = 2000;

/**
 * Resolves when the command has ended with exit code 0.
 * @throws PorticoError `EXPORT_HOOK_FAILED`: it cannot be started, ended with another code, or was ended because of the time
 * limit or of `signal`
 */
export async function runHook(run: HookRun, signal: AbortSignal): Promise<void> {
  const [program = '', ...args] = run.words;
  if (signal.aborted) throw failed(run, 'was not started, because Portico ends');
  const child = spawn(program, args, {
    cwd: '/',
    env: run.environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own, so that what a script has started ends with it.
    detached: true,
  });
  const output = outputOf(child);
  const ended = new Promise<string | null>((resolve) => {
    child.on('error', (error) => resolve(`cannot be started: ${messageOf(error)}`));
    // Not `close`: a service that the hook has started may keep the pipes open for ever.
    child.on('exit', (code, by) => resolve(code === 0 ? null : `ended with ${by ?? `exit code ${String(code)}`}`));
  });
  const stopped: { why: string | null } = { why: null };
  let killTimer: NodeJS.Timeout | undefined;
  const stop = (why: string): void => {
    stopped.why ??= why;
    kill(child, 'SIGTERM');
    killTimer ??= setTimeout(() => kill(child, 'SIGKILL'), KILL_AFTER_MS);
  };
  const onAbort = (): void => stop('was ended, because Portico ends');
  const limit = setTimeout(() => stop(`took longer than ${String(run.limitMs)} ms and was ended`), run.limitMs);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const why = await ended;
    if (stopped.why !== null) throw failed(run, stopped.why, output());
    if (why !== null) throw failed(run, why, output());
  } finally {
    clearTimeout(limit);
    clearTimeout(killTimer);
    signal.removeEventListener('abort', onAbort);
    child.stdout.destroy();
    child.stderr.destroy();
  }
}

/** Keeps the beginning of what the command prints. */
function outputOf(child: ChildProcess): () => string {
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk.slice(0, MAX_OUTPUT_CHARACTERS - text.length);
    });
    // The pipe is destroyed when the command has ended; what was lost of its output is no failure.
    stream?.on('error', () => undefined);
  }
  return () => text.trim();
}

function kill(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}

function failed(run: HookRun, why: string, output = ''): PorticoError {
  const printed = output === '' ? '' : `: ${output}`;
  return new PorticoError('EXPORT_HOOK_FAILED', `The hook ${run.words.join(' ')} ${why}${printed}.`, {
    fix: 'Run the command by hand as the user that Portico runs as; it is tried again with the next change and the next start.',
  });
}
