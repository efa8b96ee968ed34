/**
 * Changes DNS through a program of the administrator's: `PROGRAM add|remove NAME VALUE TTL`. It is started without a shell and
 * with little of our environment, has a minute, and has succeeded when it ends with 0.
 */
import { spawn } from 'node:child_process';
import { messageOf, PorticoError } from '../../../base/errors.ts';
import type { ChallengeRecord, DnsProvider } from '../dns-provider.ts';
import { InTurn } from '../in-turn.ts';

/** Which program, and how patiently. */
export interface ExecOptions {
  /** Absolute path. */
  readonly path: string;
  /** Our environment, of which the program gets a little. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Default 60000. */
  readonly timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 60_000;
/** What programs need to find others and to write text; nothing that may be a secret of ours. */
const PASSED_ON = ['PATH', 'HOME', 'USER', 'LANG', 'TZ'] as const;
/** Of its output, kept for the message: the end, where programs say what went wrong. */
const KEPT_CHARACTERS = 2000;
/** A program that has ended may have left others behind that hold its output open. */
const OUTPUT_GRACE_MS = 500;

/** Makes the provider of `acme.dns.exec`. Programs run one at a time: few of them allow for two. */
export function execProvider(options: ExecOptions): DnsProvider {
  const turns = new InTurn();
  const run = (action: 'add' | 'remove', { name, value, ttl }: ChallengeRecord, signal: AbortSignal): Promise<void> =>
    turns.run(() => runProgram(options, [action, name, value, String(ttl)], signal));
  return {
    kind: 'exec',
    add: (record, signal) => run('add', record, signal),
    remove: (record, signal) => run('remove', record, signal),
  };
}

function runProgram(options: ExecOptions, args: readonly string[], signal: AbortSignal): Promise<void> {
  const { path, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const env = Object.fromEntries(PASSED_ON.flatMap((key) => (options.env[key] ? [[key, options.env[key]]] : [])));
    // A process group of its own, so that what the program started can be ended with it.
    const child = spawn(path, args, { cwd: '/', env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('error', () => undefined);
      stream.on('data', (text: string) => {
        output = (output + text).slice(-KEPT_CHARACTERS);
      });
    }
    let ended = false;
    const end = (settle: () => void): void => {
      if (ended) return;
      ended = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      child.stdout.destroy();
      child.stderr.destroy();
      settle();
    };
    const fail = (what: string, fix: string, cause?: unknown): void =>
      end(() => reject(new PorticoError('ACME_DNS_EXEC', `${path} ${what}${quote(output)}`, { fix, cause })));
    const onAbort = (): void => {
      killGroup(child.pid);
      end(() => reject(asError(signal.reason)));
    };
    const timer = setTimeout(() => {
      killGroup(child.pid);
      fail(`did not end within ${String(timeoutMs / 1000)} s and was killed`, 'See what the program waits for.');
    }, timeoutMs);
    signal.addEventListener('abort', onAbort, { once: true });
    child.on('error', (error) => {
      fail(`could not be started: ${messageOf(error)}`, 'Correct acme.dns.exec, and let Portico execute it.', error);
    });
    const conclude = (code: number | null, killed: NodeJS.Signals | null): void => {
      if (code === 0) end(resolve);
      else {
        const how = killed === null ? `exit code ${String(code)}` : `signal ${killed}`;
        fail(`ended with ${how}`, `Run it by hand to see why: ${[path, ...args].join(' ')}`);
      }
    };
    child.on('close', conclude);
    child.on('exit', (code, killed) => setTimeout(conclude, OUTPUT_GRACE_MS, code, killed));
  });
}

/** A number that is negative addresses the group. It may be gone, or never have been. */
function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody of the group is left.
  }
}

/** On one line, without what could disturb a terminal. */
function quote(output: string): string {
  const text = output.replace(/[\p{Cc}\s]+/gu, ' ').trim();
  return text === '' ? '.' : `; its output: ${text}`;
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error('aborted', { cause: reason });
}
