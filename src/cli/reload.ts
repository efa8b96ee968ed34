/** `portico reload`: SIGHUP with an answer. */
import type { Problem } from '../config/index.ts';
import { ask, findSocket, SOCKET_FLAG } from './ask.ts';
import { CONFIG_FLAG, EXIT, JSON_FLAG } from './command.ts';
import type { Command } from './command.ts';
import { printProblems } from './problems.ts';
import { paint } from './terminal.ts';

/** The command. */
export const reloadCommand: Command = {
  description: `Has the running process read the config it was started with again and swap it in, without dropping a connection. Exit codes: 0
it serves by the new config, 1 the config could not be put in place (a port in use, say) or nothing runs, 2 the config has
errors, or wrong usage; the old state keeps serving. --json prints {ok, snapshot_version, warnings}, or {ok, error,
problems}.`,
  flags: { config: CONFIG_FLAG, socket: SOCKET_FLAG, json: JSON_FLAG },
  async run(flags, terminal) {
    const socket = await findSocket(flags, terminal);
    if (!socket.ok) return socket.code;
    const asked = await ask(socket.path, 'reload', flags, terminal);
    if (!asked.ok) return asked.code;
    const { report } = asked;
    if (flags.json === true) {
      terminal.out(JSON.stringify({ ok: true, ...report }, null, 2));
      return EXIT.fine;
    }
    printProblems(report.warnings as readonly Problem[], (line) => terminal.err(line), terminal);
    terminal.out(`${paint(terminal, 'green', '✓')} reloaded, snapshot version ${String(report.snapshot_version)}`);
    return EXIT.fine;
  },
};
