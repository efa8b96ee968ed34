/** Commands below a command (`portico certs export NAME …`): as commands, and with words besides their flags. */
import { parseArgs } from 'node:util';
import type { ParseArgsOptionsConfig } from 'node:util';
import { EXIT, helpLines, parseFlags } from './command.ts';
import type { Flag, FlagValues } from './command.ts';
import { paint } from './terminal.ts';
import type { Terminal } from './terminal.ts';

/** A command with words; all of them are required. */
export interface Subcommand {
  /** One paragraph below the usage line of `--help`. */
  readonly description: string;
  /** Names of the words in the help, such as `NAME`. */
  readonly words: readonly string[];
  readonly flags: Readonly<Record<string, Flag>>;
  /**
   * Runs it; resolves to the exit code.
   * @param words - as many as {@link Subcommand.words}, none of them empty
   */
  run(words: readonly string[], flags: FlagValues, terminal: Terminal): Promise<number>;
}

/**
 * Reads the arguments and runs it, or says what is wrong with them.
 * @param name - the whole name after `portico`: `certs export`
 */
export async function runSubcommand(
  name: string,
  command: Subcommand,
  args: readonly string[],
  terminal: Terminal,
): Promise<number> {
  const { words, rest } = separateWords(args, command.flags);
  const parsed = parseFlags(rest, command.flags);
  if (parsed.ok && parsed.flags.help === true) {
    const usage = [name, ...command.words].join(' ');
    terminal.out(`${paint(terminal, 'bold', 'Usage:')} portico ${usage} [options]`);
    for (const line of ['', command.description, '', ...helpLines(command.flags)]) terminal.out(line);
    return EXIT.fine;
  }
  const problem = parsed.ok ? wordsProblem(words, command.words) : parsed.message;
  if (problem !== null || !parsed.ok) {
    terminal.err(`portico ${name}: ${problem ?? ''}`);
    terminal.err(`Try: portico ${name} --help`);
    return EXIT.usage;
  }
  return await command.run(words, parsed.flags, terminal);
}

/** Words are what no flag has taken as its value. */
function separateWords(
  args: readonly string[],
  flags: Readonly<Record<string, Flag>>,
): { words: string[]; rest: string[] } {
  const options: ParseArgsOptionsConfig = { help: { type: 'boolean', short: 'h' } };
  for (const [flag, { type }] of Object.entries(flags)) options[flag] = { type };
  const { tokens } = parseArgs({ args: [...args], options, strict: false, tokens: true });
  const words = new Map(tokens.flatMap((token) => (token.kind === 'positional' ? [[token.index, token.value]] : [])));
  return {
    words: [...words.values()],
    rest: args.filter((arg, index) => !words.has(index) && arg !== '--'),
  };
}

function wordsProblem(words: readonly string[], wanted: readonly string[]): string | null {
  const missing = wanted[words.length];
  if (missing !== undefined) return `${missing} is missing`;
  const extra = words[wanted.length];
  if (extra !== undefined) return `unexpected argument: ${extra}`;
  const empty = words.indexOf('');
  return empty === -1 ? null : `${wanted[empty] ?? ''} is empty`;
}
