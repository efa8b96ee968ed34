/** `portico certs`: what stands behind it. Another command on certificates is another line of this table. */
import type { CommandEntry, CommandGroup } from '../command.ts';

const COMMANDS = new Map<string, CommandEntry>([
  [
    'list',
    { summary: 'the certificates and their state', load: async () => (await import('./list.ts')).certsListCommand },
  ],
  [
    'renew',
    {
      summary: 'get a new certificate for a name now',
      load: async () => (await import('./renew.ts')).certsRenewCommand,
    },
  ],
  [
    'rollover',
    {
      summary: 'new keys for the ACME accounts',
      load: async () => (await import('./rollover.ts')).certsRolloverCommand,
    },
  ],
  [
    'export',
    {
      summary: 'write a certificate and its key for another program',
      load: async () => (await import('./export.ts')).certsExportCommand,
    },
  ],
  [
    'import',
    {
      summary: "take certificates and accounts from another program's store",
      load: async () => (await import('./import.ts')).certsImportCommand,
    },
  ],
]);

/** The group. */
export const certsCommands: CommandGroup = {
  description: 'Certificates: what there is, how long it lasts, who renews it when, and what went wrong last.',
  commands: COMMANDS,
  default: 'list',
};
