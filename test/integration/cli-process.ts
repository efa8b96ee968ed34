/** Runs the program as a process of its own, the way people do: `node src/main.ts …`. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
/** A hanging program must fail its test and not the whole run; nothing here needs a tenth of it. */
const LIMIT_MS = 25_000;

/** Options of {@link startCli}. */
export interface CliOptions {
  cwd?: string;
  env?: Record<string, string>;
  /** For Node itself, before the script. */
  nodeArgs?: string[];
}

/** A running program. */
export interface CliProcess {
  readonly pid: number;
  stdout(): string;
  stderr(): string;
  /** Resolves to the match once stdout has it; rejects when the program ends without it. */
  seen(pattern: RegExp): Promise<RegExpMatchArray>;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when the program has ended: its exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Starts the program; `await using` ends it at the end of the test at the latest. */
export function startCli(args: string[], { cwd, env = {}, nodeArgs = [] }: CliOptions = {}): CliProcess {
  const { PORTICO_CONFIG: _ours, FORCE_COLOR: _colour, ...inherited } = process.env;
  const child = spawn(process.execPath, [...nodeArgs, MAIN, ...args], {
    cwd,
    env: { ...inherited, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  const watchers = new Set<() => void>();
  const look = (): void => {
    for (const watcher of [...watchers]) watcher();
  };
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    out += chunk;
    look();
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    err += chunk;
  });
  let closed = false;
  const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.on('close', (code, signal) => {
      clearTimeout(limit);
      closed = true;
      look();
      resolve(code ?? signal ?? 'SIGKILL');
    });
  });
  return {
    pid: child.pid ?? -1,
    stdout: () => out,
    stderr: () => err,
    seen: (pattern) =>
      new Promise((resolve, reject) => {
        const watcher = (): void => {
          const match = pattern.exec(out);
          if (match === null && !closed) return;
          watchers.delete(watcher);
          if (match !== null) resolve(match);
          else reject(new Error(`ended without ${String(pattern)}\nstdout: ${out}\nstderr: ${err}`));
        };
        watchers.add(watcher);
        watcher();
      }),
    kill: (signal) => child.kill(signal),
    ended,
    async [Symbol.asyncDispose]() {
      if (!closed) child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Runs the program to its end. */
export async function runCliProcess(
  args: string[],
  options?: CliOptions,
): Promise<{ code: number | NodeJS.Signals; stdout: string; stderr: string }> {
  await using cli = startCli(args, options);
  const code = await cli.ended;
  return { code, stdout: cli.stdout(), stderr: cli.stderr() };
}
