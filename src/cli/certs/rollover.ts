/** `portico certs rollover`: new keys for the ACME accounts. */
import { ask, findSocket, SOCKET_FLAG } from '../ask.ts';
import { CONFIG_FLAG, EXIT, JSON_FLAG } from '../command.ts';
import type { Command } from '../command.ts';
import { paint, plain } from '../terminal.ts';

/** The command. */
export const certsRolloverCommand: Command = {
  description: `Has the running process give the ACME account at each issuer a new key (RFC 8555 §7.3.5); the account stays the same. Certificates
and their keys are not touched: each renewal has a fresh one anyway. Not while certificates are being ordered. Exit codes:
0 done, 1 not possible or nothing runs, 2 wrong usage or config. --json prints {accounts: [{issuer, account_url}]}.`,
  flags: { config: CONFIG_FLAG, socket: SOCKET_FLAG, json: JSON_FLAG },
  async run(flags, terminal) {
    const socket = await findSocket(flags, terminal);
    if (!socket.ok) return socket.code;
    const asked = await ask(socket.path, 'rollover', flags, terminal);
    if (!asked.ok) return asked.code;
    const { accounts } = asked.report;
    if (flags.json === true) terminal.out(JSON.stringify(asked.report, null, 2));
    else if (accounts.length === 0) terminal.out('no certificate comes from ACME');
    for (const { issuer, account_url } of flags.json === true ? [] : accounts) {
      terminal.out(`${paint(terminal, 'green', '✓')} ${plain(issuer)}: new key for ${plain(account_url)}`);
    }
    return EXIT.fine;
  },
};
