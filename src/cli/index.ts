/** The table of commands, and the way from `process.argv` to one of them. */
import { EXIT, helpLines, parseFlags } from './command.ts';
import type { Command, CommandEntry, CommandGroup } from './command.ts';
import { suggest } from './suggest.ts';
import { paint } from './terminal.ts';
import type { Terminal } from './terminal.ts';
import { porticoVersion } from './version.ts';

const COMMANDS = new Map<string, CommandEntry>([
  ['run', { summary: 'serve', load: async () => (await import('./run.ts')).runCommand }],
  [
    'demo',
    { summary: 'serve a demo homeserver on this machine', load: async () => (await import('./demo.ts')).demoCommand },
  ],
  [
    'init',
    {
      summary: 'write a first config, from a few questions or from flags',
      load: async () => (await import('./init.ts')).initCommand,
    },
  ],
  [
    'check',
    { summary: 'read the config and print every problem', load: async () => (await import('./check.ts')).checkCommand },
  ],
  [
    'plan',
    {
      summary: 'what follows from the config and the DNS: names, records, ports, documents',
      load: async () => (await import('./plan.ts')).planCommand,
    },
  ],
  [
    'resolve',
    {
      summary: 'show how peers get from a server name to an address',
      load: async () => (await import('./resolve.ts')).resolveCommand,
    },
  ],
  [
    'doctor',
    {
      summary: 'look at a server from outside, as peers and clients do',
      load: async () => (await import('./doctor.ts')).doctorCommand,
    },
  ],
  [
    'certs',
    {
      summary: 'the certificates and their state; renew, export, import',
      load: async () => (await import('./certs/index.ts')).certsCommands,
    },
  ],
  [
    'status',
    { summary: 'what a running Portico is doing', load: async () => (await import('./status.ts')).statusCommand },
  ],
  [
    'reload',
    {
      summary: 'have a running Portico read its config again',
      load: async () => (await import('./reload.ts')).reloadCommand,
    },
  ],
  [
    'drain',
    {
      summary: 'have a running Portico finish what it does and end',
      load: async () => (await import('./drain.ts')).drainCommand,
    },
  ],
  [
    'schema',
    { summary: "print the config's JSON Schema", load: async () => (await import('./schema.ts')).schemaCommand },
  ],
  [
    'health',
    {
      summary: 'ask a running Portico whether it is ready',
      load: async () => (await import('./health.ts')).healthCommand,
    },
  ],
]);

function summaries(commands: ReadonlyMap<string, CommandEntry>): string[] {
  const width = Math.max(...[...commands.keys()].map((name) => name.length));
  return [...commands].map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
}

function overview(terminal: Terminal): string[] {
  return [
    `portico ${porticoVersion()}: federation-aware TLS reverse proxy for Matrix homeservers`,
    '',
    `${paint(terminal, 'bold', 'Usage:')} portico COMMAND [--config PATH] [options]`,
    '',
    ...summaries(COMMANDS),
    '',
    'portico COMMAND --help tells more. Exit codes: 0 fine, 1 the thing checked is not fine, 2 wrong usage or config.',
  ];
}

/**
 * Runs the program.
 * @param argv - arguments after the program's name
 * @returns the exit code
 */
export async function runCli(argv: readonly string[], terminal: Terminal): Promise<number> {
  const [name, ...args] = argv;
  if (name === undefined) {
    for (const line of overview(terminal)) terminal.err(line);
    return EXIT.usage;
  }
  if (name === 'help' || name === '--help' || name === '-h') {
    for (const line of overview(terminal)) terminal.out(line);
    return EXIT.fine;
  }
  if (name === 'version' || name === '--version') {
    terminal.out(porticoVersion());
    return EXIT.fine;
  }
  return dispatch(COMMANDS, [], name, args, terminal);
}

/** @param before - the words that led here: `certs` for what stands behind it */
async function dispatch(
  commands: ReadonlyMap<string, CommandEntry>,
  before: readonly string[],
  name: string,
  args: string[],
  terminal: Terminal,
): Promise<number> {
  const entry = commands.get(name);
  if (entry === undefined) {
    const near = suggest(name, [...commands.keys()]);
    const program = ['portico', ...before].join(' ');
    terminal.err(`${program}: unknown command: ${name}${near === null ? '' : `; did you mean ${near}?`}`);
    terminal.err(`Try: ${program} --help`);
    return EXIT.usage;
  }
  const words = [...before, name];
  const command = await entry.load();
  if (!('commands' in command)) return runCommand(command, words, args, terminal);
  const [next = command.default, ...rest] = args;
  if (next === '--help' || next === '-h') {
    for (const line of groupHelp(command, words, terminal)) terminal.out(line);
    return EXIT.fine;
  }
  return next.startsWith('-')
    ? dispatch(command.commands, words, command.default, args, terminal)
    : dispatch(command.commands, words, next, rest, terminal);
}

function groupHelp(
  { description, commands, default: usual }: CommandGroup,
  words: readonly string[],
  terminal: Terminal,
) {
  return [
    `${paint(terminal, 'bold', 'Usage:')} portico ${words.join(' ')} [COMMAND] [options]`,
    '',
    description,
    '',
    ...summaries(commands),
    '',
    `Without COMMAND: ${usual}. portico ${words.join(' ')} COMMAND --help tells more.`,
    '',
    ...helpLines({}),
  ];
}

async function runCommand(
  command: Command,
  words: readonly string[],
  args: string[],
  terminal: Terminal,
): Promise<number> {
  const name = words.join(' ');
  const parsed = parseFlags(args, command.flags, command.words);
  if (!parsed.ok) {
    terminal.err(`portico ${name}: ${parsed.message}`);
    terminal.err(`Try: portico ${name} --help`);
    return EXIT.usage;
  }
  if (parsed.flags.help === true) {
    const usage = ['portico', name, ...(command.words === undefined ? [] : [command.words.usage]), '[options]'].join(
      ' ',
    );
    terminal.out(`${paint(terminal, 'bold', 'Usage:')} ${usage}`);
    for (const line of ['', command.description, '', ...helpLines(command.flags)]) terminal.out(line);
    return EXIT.fine;
  }
  return command.run(parsed.flags, terminal, parsed.words);
}
