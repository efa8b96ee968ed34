/** What the commands that talk to the running process share: where its socket is, and what to say when it says no. */
import type { AdminRoute } from '../admin/api.ts';
import { AdminRefusal, askAdmin, type AdminReports } from '../admin/client.ts';
import { PorticoError } from '../base/errors.ts';
import type { Problem } from '../config/index.ts';
import { EXIT } from './command.ts';
import type { FlagValues } from './command.ts';
import { readConfigFile } from './config-file.ts';
import { printProblems } from './problems.ts';
import { socketPathOf } from './socket-path.ts';
import { paint, plain, type Terminal } from './terminal.ts';

/** The answer, or the exit code after the reason was printed. */
export type Asked<Route extends AdminRoute> = { ok: true; report: AdminReports[Route] } | { ok: false; code: number };

/** The socket of the running process: `--socket`, or that of the config, whatever else is wrong with it. */
export async function findSocket(
  flags: FlagValues,
  terminal: Terminal,
): Promise<{ ok: true; path: string } | { ok: false; code: number }> {
  const path = typeof flags.socket === 'string' ? flags.socket : await socketPathOf(flags);
  if (path !== null) return { ok: true, path };
  const loaded = await readConfigFile(flags);
  if (loaded.ok) return { ok: true, path: loaded.config.admin.socket };
  tellConfigProblems(loaded.problems, flags, terminal);
  return { ok: false, code: EXIT.usage };
}

/** Prints why a config cannot be read, in the form that was asked for. */
export function tellConfigProblems(problems: readonly Problem[], flags: FlagValues, terminal: Terminal): void {
  if (flags.json === true) {
    const error = { code: 'CONFIG_INVALID', message: 'The config cannot be used.', fix: 'Run `portico check`.' };
    terminal.out(JSON.stringify({ ok: false, error, problems }, null, 2));
    return;
  }
  printProblems(problems, (line) => terminal.err(line), terminal);
}

/** Asks, and prints why not. With `--json` the reason goes to standard output as `{ok: false, error, problems}`. */
export async function ask<Route extends AdminRoute>(
  path: string,
  route: Route,
  flags: FlagValues,
  terminal: Terminal,
  body: Readonly<Record<string, string>> | null = null,
): Promise<Asked<Route>> {
  try {
    return { ok: true, report: await askAdmin(path, route, body) };
  } catch (error) {
    if (!(error instanceof PorticoError)) throw error;
    return { ok: false, code: tellRefusal(error, flags, terminal) };
  }
}

/**
 * Prints why the running process did not do what was asked.
 * @returns the exit code: 2 when it is the config that is wrong, else 1
 */
export function tellRefusal(error: PorticoError, flags: FlagValues, terminal: Terminal): number {
  const problems = error instanceof AdminRefusal ? error.problems : [];
  const { code, message, fix = null } = error;
  if (flags.json === true) {
    terminal.out(JSON.stringify({ ok: false, error: { code, message, fix }, problems }, null, 2));
  } else {
    printProblems(problems as readonly Problem[], (line) => terminal.err(line), terminal);
    terminal.err(`${paint(terminal, 'red', code)} ${plain(message)}`);
    if (fix !== null) terminal.err(`  fix: ${plain(fix)}`);
  }
  return problems.length > 0 ? EXIT.usage : EXIT.notFine;
}

/** The flag for a socket at another place. */
export const SOCKET_FLAG = {
  type: 'string',
  value: 'PATH',
  help: 'admin socket of the running process; else admin.socket of the config',
} as const;
