/** Clients of bench/loader that are talked to while they run: they say when they are ready, and wait to be told more. */
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import type { Running } from '../measure/processes.ts';
import type { Stand } from '../setup/stand.ts';
import { loaderArguments } from './loader.ts';
import type { LoaderOptions } from './loader.ts';

/** One of them. */
export interface Conversation {
  /** The next line of JSON it prints. Rejects when it ends before, or after the time limit. */
  next<T>(): Promise<T>;
  /** Sends a line. */
  say(text: string): void;
  /** Ends its input, and it. */
  end(): Promise<void>;
}

/** Starts a client. */
export async function converse(
  stand: Stand,
  client: string,
  port: number,
  options: LoaderOptions,
): Promise<Conversation> {
  const running: Running = await stand.processes.start({
    command: stand.loader,
    args: loaderArguments(client, port, options),
    cpu: stand.cpus.load,
    log: join(stand.directory, `${client}.log`),
    talk: 'pipe',
  });
  const lines = createInterface({ input: running.child.stdout! })[Symbol.asyncIterator]();
  const limit = new Promise<never>((_, reject) => {
    setTimeout(
      () => reject(new Error(`${client} said nothing in ${String(options.limitMs)} ms`)),
      options.limitMs,
    ).unref();
  });
  // Somebody may not wait for it any more.
  limit.catch(() => undefined);
  return {
    next: async <T>() => {
      const line = await Promise.race([lines.next(), limit]);
      if (line.done === true) throw new Error(`${client} ended: ${running.tail()}`);
      return JSON.parse(line.value) as T;
    },
    say: (text) => {
      running.child.stdin?.write(`${text}\n`);
    },
    end: async () => {
      running.child.stdin?.end();
      await running.stop();
    },
  };
}
