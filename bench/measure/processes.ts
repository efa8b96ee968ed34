/** Programs that the benchmark starts. Whatever happens, they are ended with it, by process id. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { processTree } from './proc.ts';

/** How to start a program. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The CPU it is kept on. */
  readonly cpu: number;
  /** File for its standard error, and for its standard output unless that is asked for. */
  readonly log: string;
  /** File for its standard output. */
  readonly output?: string;
  /** `pipe`: the caller reads its output and ends its input. */
  readonly talk?: 'pipe';
}

/** One of them, running. */
export interface Running {
  readonly pid: number;
  readonly child: ChildProcess;
  /** True until it has ended. */
  alive(): boolean;
  /** Resolves with its exit code (128 for a signal). */
  readonly exited: Promise<number>;
  /** Last lines of its log, for a message. */
  tail(): string;
  /** SIGTERM to it, then SIGKILL to it and its descendants when that was not enough. */
  stop(): Promise<void>;
}

const GRACE_MS = 3000;
const TAIL_LINES = 8;

/** Starts programs and knows which ones still run. */
export class Processes {
  readonly #running = new Set<Running>();

  /**
   * Starts a program on its CPU.
   *
   * @throws Error when it cannot be started
   */
  async start(launch: Launch): Promise<Running> {
    const error = openSync(launch.log, 'a');
    const output = launch.output === undefined ? error : openSync(launch.output, 'a');
    const child = spawn('prlimit', onCpu(launch.cpu, launch.command, launch.args), {
      env: { ...process.env, ...launch.env },
      stdio: launch.talk === 'pipe' ? ['pipe', 'pipe', error] : ['ignore', output, error],
    });
    closeSync(error);
    if (output !== error) closeSync(output);
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    // Its input may end before we do.
    child.stdin?.on('error', () => undefined);
    const running = describe(child, launch.log);
    this.#running.add(running);
    void running.exited.then(() => this.#running.delete(running));
    return running;
  }

  /** Ends all of them. */
  async stopAll(): Promise<void> {
    await Promise.all([...this.#running].map((running) => running.stop()));
  }

  /** Kills what is left, at once; for the end of the process itself. */
  killAll(): void {
    for (const running of this.#running) killTree(running.pid);
  }
}

/**
 * Arguments for `prlimit` that run a program on one CPU, with as many descriptors as this machine allows us: ten thousand
 * connections take a proxy twenty thousand.
 */
export function onCpu(cpu: number, command: string, args: readonly string[]): string[] {
  const most = /^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? '1024';
  return [`--nofile=${most}:${most}`, 'taskset', '-c', String(cpu), command, ...args];
}

function describe(child: ChildProcess, log: string): Running {
  const pid = child.pid!;
  const exited = new Promise<number>((resolve) => {
    child.once('exit', (code) => resolve(code ?? 128));
  });
  const alive = (): boolean => child.exitCode === null && child.signalCode === null;
  return {
    pid,
    child,
    alive,
    exited,
    tail: () => readFileSync(log, 'utf8').trimEnd().split('\n').slice(-TAIL_LINES).join('\n'),
    stop: async () => {
      if (!alive()) return;
      child.kill('SIGTERM');
      const timer = setTimeout(() => killTree(pid), GRACE_MS);
      await exited;
      clearTimeout(timer);
    },
  };
}

function killTree(pid: number): void {
  // The root last: its descendants are found through it.
  for (const member of processTree(pid).reverse()) {
    try {
      process.kill(member, 'SIGKILL');
    } catch {
      // It ended by itself, which is as good.
    }
  }
}
