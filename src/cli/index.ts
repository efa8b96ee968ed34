/** The table of commands, and the way from `process.argv` to one of them. */
import { EXIT, helpLines, parseFlags } from './command.ts';
import type { Command } from './command.ts';
import { suggest } from './suggest.ts';
import { paint } from './terminal.ts';
import type { Terminal } from './terminal.ts';
import { porticoVersion } from './version.ts';

interface Entry {
  summary: string;
  /** Loaded when it is asked for: `check` need not wait for the proxy. */
  load(): Promise<Command>;
}

const COMMANDS = new Map<string, Entry>([
  ['run', { summary: 'serve', load: async () => (await import('./run.ts')).runCommand }],
  [
    'demo',
    { summary: 'serve a demo homeserver on this machine', load: async () => (await import('./demo.ts')).demoCommand },
  ],
  [
    'check',
    { summary: 'read the config and print every problem', load: async () => (await import('./check.ts')).checkCommand },
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

function overview(terminal: Terminal): string[] {
  const width = Math.max(...[...COMMANDS.keys()].map((name) => name.length));
  return [
    `portico ${porticoVersion()}: federation-aware TLS reverse proxy for Matrix homeservers`,
    '',
    `${paint(terminal, 'bold', 'Usage:')} portico COMMAND [--config PATH] [options]`,
    '',
    ...[...COMMANDS].map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`),
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
  const entry = COMMANDS.get(name);
  if (entry === undefined) {
    const near = suggest(name, [...COMMANDS.keys()]);
    terminal.err(`portico: unknown command: ${name}${near === null ? '' : `; did you mean ${near}?`}`);
    terminal.err('Try: portico --help');
    return EXIT.usage;
  }
  const command = await entry.load();
  const parsed = parseFlags(args, command.flags, command.words);
  if (!parsed.ok) {
    terminal.err(`portico ${name}: ${parsed.message}`);
    terminal.err(`Try: portico ${name} --help`);
    return EXIT.usage;
  }
  if (parsed.flags.help === true) {
    const usage = command.words === undefined ? '' : `${command.words.usage} `;
    terminal.out(`${paint(terminal, 'bold', 'Usage:')} portico ${name} ${usage}[options]`);
    for (const line of ['', command.description, '', ...helpLines(command.flags)]) terminal.out(line);
    return EXIT.fine;
  }
  return command.run(parsed.flags, terminal, parsed.words);
}
