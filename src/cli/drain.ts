/** `portico drain`: SIGTERM for those who have the socket and not the process number. */
import { setTimeout as delay } from 'node:timers/promises';
import { askAdmin } from '../admin/client.ts';
import { codeOf } from '../base/errors.ts';
import { ask, findSocket, SOCKET_FLAG } from './ask.ts';
import { CONFIG_FLAG, EXIT, JSON_FLAG } from './command.ts';
import type { Command } from './command.ts';
import { paint } from './terminal.ts';
import { since } from './words.ts';

const LOOK_EVERY_MS = 200;
/** What a process may take to end beyond its deadline. */
const GRACE_MS = 10_000;

/** The command. */
export const drainCommand: Command = {
  description: `Has the running process take no more connections, let open exchanges finish within shutdown_timeout, and end. Returns at once,
or with --wait when it has ended. Exit codes: 0 it is ending (--wait: it has ended), 1 nothing runs or it does not end,
2 wrong usage or config. --json prints {draining, deadline_ms}.`,
  flags: {
    config: CONFIG_FLAG,
    socket: SOCKET_FLAG,
    json: JSON_FLAG,
    wait: { type: 'boolean', help: 'return when the process has ended' },
  },
  async run(flags, terminal) {
    const socket = await findSocket(flags, terminal);
    if (!socket.ok) return socket.code;
    const asked = await ask(socket.path, 'drain', flags, terminal);
    if (!asked.ok) return asked.code;
    const { deadline_ms: deadlineMs } = asked.report;
    if (flags.json === true) terminal.out(JSON.stringify(asked.report, null, 2));
    else terminal.out(`ending: open exchanges may finish within ${since(deadlineMs)}`);
    if (flags.wait !== true) return EXIT.fine;
    const ended = await isGone(socket.path, Date.now() + deadlineMs + GRACE_MS);
    if (!ended) {
      terminal.err(`portico drain: it still answers at ${socket.path}`);
      return EXIT.notFine;
    }
    if (flags.json !== true) terminal.out(`${paint(terminal, 'green', '✓')} ended`);
    return EXIT.fine;
  },
};

async function isGone(path: string, until: number): Promise<boolean> {
  while (Date.now() < until) {
    try {
      await askAdmin(path, 'status', null, GRACE_MS);
    } catch (error) {
      if (codeOf(error) === 'ADMIN_NOT_RUNNING') return true;
    }
    await delay(LOOK_EVERY_MS);
  }
  return false;
}
