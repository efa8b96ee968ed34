/** `portico health`: asks the running process, through its metrics port, whether it is ready. For container health checks. */
import { messageOf } from '../base/errors.ts';
import { CONFIG_FLAG, EXIT } from './command.ts';
import type { Command } from './command.ts';
import { readConfigFile } from './config-file.ts';
import { printProblems } from './problems.ts';

const LIMIT_MS = 4000;

/** A wildcard address is where to listen, not where to connect. */
function connectHost(host: string | undefined): string {
  if (host === undefined || host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}

/** The command. */
export const healthCommand: Command = {
  description: `Asks /health/ready on metrics.listen of the config. Exit codes: 0 ready, 1 not ready or not reachable, 2 wrong usage or config.`,
  flags: { config: CONFIG_FLAG },
  async run(flags, terminal) {
    const loaded = await readConfigFile(flags);
    if (!loaded.ok) {
      printProblems(loaded.problems, (line) => terminal.err(line), terminal);
      return EXIT.usage;
    }
    const { listen } = loaded.config.metrics;
    if (listen === null) {
      terminal.err('portico health: metrics.listen is off, so there is nobody to ask');
      return EXIT.usage;
    }
    const url = `http://${connectHost(listen.host)}:${String(listen.port)}/health/ready`;
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(LIMIT_MS) });
      terminal.out((await response.text()).trimEnd());
      return response.ok ? EXIT.fine : EXIT.notFine;
    } catch (error) {
      const reason = error instanceof Error && error.cause !== undefined ? error.cause : error;
      terminal.err(`portico health: ${url}: ${messageOf(reason)}`);
      return EXIT.notFine;
    }
  },
};
