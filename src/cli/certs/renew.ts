/** `portico certs renew NAME`: a new certificate now, whatever the schedule says. */
import { ask, findSocket, SOCKET_FLAG } from '../ask.ts';
import { CONFIG_FLAG, EXIT, JSON_FLAG } from '../command.ts';
import type { Command } from '../command.ts';
import { paint, plain } from '../terminal.ts';

/** The command. */
export const certsRenewCommand: Command = {
  description: `Has the running process get a new certificate for NAME (a DNS name, wildcard or IP address) now, however long the old one lasts.
With ACME it also forgets how often it has failed for the name; limits of the CA still hold. Exit codes: 0 renewed, or
the order has begun (see \`portico certs list\`), 1 not possible or nothing runs, 2 wrong usage or config. --json prints
{names, source, state: renewed | started}.`,
  flags: { config: CONFIG_FLAG, socket: SOCKET_FLAG, json: JSON_FLAG },
  words: { usage: 'NAME', min: 1, max: 1 },
  async run(flags, terminal, [name = '']) {
    const socket = await findSocket(flags, terminal);
    if (!socket.ok) return socket.code;
    const asked = await ask(socket.path, 'renew', flags, terminal, { name });
    if (!asked.ok) return asked.code;
    const { names, source, state } = asked.report;
    if (flags.json === true) terminal.out(JSON.stringify(asked.report, null, 2));
    else if (state === 'renewed') {
      terminal.out(`${paint(terminal, 'green', '✓')} renewed by ${source}: ${plain(names.join(', '))}`);
    } else {
      terminal.out(`ordering for ${plain(names.join(', '))}; \`portico certs list\` shows how it ends`);
    }
    return EXIT.fine;
  },
};
