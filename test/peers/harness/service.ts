/** One server process of a test: started, waited for, stopped by its process id; its output is kept for the failure message. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { delay } from '../../helpers/eventually.ts';

const LOG_LIMIT = 512 * 1024;
const STOP_LIMIT_MS = 20_000;
const POLL_MS = 50;
/** Of a line in a failure message. */
const LINE_LIMIT = 300;

/** What to run and how to know that it serves. */
export interface ServiceOptions {
  /** For messages. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** What the command line begins with, to run it elsewhere: `ip netns exec NAME`. */
  readonly prefix?: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Asked again and again until it says yes; a rejection means no. */
  readonly isReady: (service: Service) => Promise<boolean>;
  readonly startLimitMs: number;
}

/** How a process ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The server ended, or did not answer, while it was being started; the message has the end of its log. */
export class ServiceStartError extends Error {
  override readonly name = 'ServiceStartError';
  /** True when another process took one of its ports in the meantime: worth another try with other ports. */
  readonly portTaken: boolean;

  constructor(name: string, what: string, log: string) {
    super(`${name} ${what}\n${tail(log, 60)}`);
    this.portTaken = /EADDRINUSE|address already in use|LISTEN_ADDRESS_IN_USE|Address in use|CannotListenError/i.test(
      log,
    );
  }
}

/** A running server. */
export class Service {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<Ending>;
  readonly #killWithUs: () => void;
  #ending: Ending | null = null;
  #log = '';

  private constructor(options: ServiceOptions) {
    this.name = options.name;
    const line = [...(options.prefix ?? []), options.command, ...options.args];
    this.#child = spawn(line[0]!, line.slice(1), {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#log = (this.#log + text).slice(-LOG_LIMIT);
      });
    }
    this.#killWithUs = () => this.#child.kill('SIGKILL');
    process.on('exit', this.#killWithUs);
    this.#ended = new Promise((resolve) => {
      const end = (ending: Ending): void => {
        this.#ending = ending;
        process.off('exit', this.#killWithUs);
        resolve(ending);
      };
      this.#child.once('error', (error) => {
        this.#log += `${error.message}\n`;
        end({ code: null, signal: null });
      });
      this.#child.once('close', (code, signal) => end({ code, signal }));
    });
  }

  /**
   * Starts it and waits until it serves.
   *
   * @throws ServiceStartError
   */
  static async start(options: ServiceOptions): Promise<Service> {
    const service = new Service(options);
    const deadline = Date.now() + options.startLimitMs;
    for (;;) {
      if (service.#ending !== null) {
        throw new ServiceStartError(options.name, `ended while starting (${describe(service.#ending)})`, service.#log);
      }
      if (await options.isReady(service).catch(() => false)) return service;
      if (Date.now() > deadline) {
        await service.stop();
        throw new ServiceStartError(options.name, `did not serve within ${options.startLimitMs} ms`, service.#log);
      }
      await delay(POLL_MS);
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** The last half megabyte of its output. */
  get log(): string {
    return this.#log;
  }

  /** The last lines of its output, under its name. */
  describeLog(lines: number): string {
    return `── ${this.name} ──\n${tail(this.#log, lines)}`;
  }

  /** Asks it to end, insists after a while, and says how it ended. A second call answers the same. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<Ending> {
    if (this.#ending === null) this.#child.kill(signal);
    const insist = setTimeout(() => this.#child.kill('SIGKILL'), STOP_LIMIT_MS);
    const ending = await this.#ended;
    clearTimeout(insist);
    return ending;
  }
}

function describe({ code, signal }: Ending): string {
  return signal ?? `exit code ${code ?? 'none'}`;
}

function tail(text: string, lines: number): string {
  const last = text.trimEnd().split('\n').slice(-lines);
  return last.map((line) => (line.length > LINE_LIMIT ? `${line.slice(0, LINE_LIMIT)}…` : line)).join('\n');
}
