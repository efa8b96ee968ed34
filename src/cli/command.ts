/**
 * What a command is, and how its arguments are read. Exit codes are the same for all: 0 fine, 1 the thing checked is not
 * fine, 2 wrong usage or config.
 */
import { parseArgs } from 'node:util';
import type { ParseArgsOptionsConfig } from 'node:util';
import { codeOf, messageOf } from '../base/errors.ts';
import { suggest } from './suggest.ts';
import type { Terminal } from './terminal.ts';

/** The exit codes, by meaning. */
export const EXIT = { fine: 0, notFine: 1, usage: 2 } as const;

/** One flag of a command, as `--help` shows it. */
export interface Flag {
  /** A switch, or a flag with a value. */
  type: 'boolean' | 'string';
  /** Name of the value in the help, such as `PATH`. */
  value?: string;
  help: string;
}

/** Values of the flags that were given. */
export type FlagValues = Readonly<Record<string, string | boolean | undefined>>;

/** The words that stand beside the flags. */
export interface Words {
  /** As the usage line shows them: `SERVER_NAME`, `[SERVER_NAME…]`. */
  readonly usage: string;
  readonly min: number;
  readonly max: number;
}

/** A command of the program. */
export interface Command {
  /** One paragraph below the usage line of `--help`. */
  readonly description: string;
  readonly flags: Readonly<Record<string, Flag>>;
  /** Absent: the command takes no words. */
  readonly words?: Words;
  /** Runs it; resolves to the exit code. */
  run(flags: FlagValues, terminal: Terminal, words: readonly string[]): Promise<number>;
}

/** One line of a table of commands. */
export interface CommandEntry {
  readonly summary: string;
  /** Loaded when it is asked for: `check` need not wait for the proxy. */
  load(): Promise<Command | CommandGroup>;
}

/** A word that other commands stand behind: `certs list`, `certs renew`. */
export interface CommandGroup {
  /** One paragraph below the usage line of `--help`. */
  readonly description: string;
  readonly commands: ReadonlyMap<string, CommandEntry>;
  /** The one that is meant when none is named. */
  readonly default: string;
}

/** Flags and words read, or what was wrong with them. */
export type ParsedFlags = { ok: true; flags: FlagValues; words: readonly string[] } | { ok: false; message: string };

/** The flag that every command takes besides `--config`. */
const HELP_FLAG: Flag = { type: 'boolean', help: 'show this' };
/** The flag of every command that reads the config. */
export const CONFIG_FLAG: Flag = {
  type: 'string',
  value: 'PATH',
  help: 'config file; else $PORTICO_CONFIG, ./portico.yaml, ./config/portico.yaml, /etc/portico/portico.yaml',
};

/** The flag of every command that reports. */
export const JSON_FLAG: Flag = { type: 'boolean', help: 'print JSON instead of text' };

/** Reads a command's flags strictly: unknown flags, missing values and stray words are refused. */
export function parseFlags(args: string[], flags: Readonly<Record<string, Flag>>, words?: Words): ParsedFlags {
  const options: ParseArgsOptionsConfig = { help: { type: 'boolean', short: 'h' } };
  for (const [name, flag] of Object.entries(flags)) options[name] = { type: flag.type };

  // A first, lenient reading finds the unknown ones, so that a near miss can be named.
  const { tokens } = parseArgs({ args, options, strict: false, tokens: true });
  for (const token of tokens) {
    if (token.kind === 'positional' && words === undefined) {
      return { ok: false, message: `unexpected argument: ${token.value}` };
    }
    if (token.kind !== 'option' || token.name in options) continue;
    const near = suggest(token.name, Object.keys(options));
    const hint = near === null ? '' : `; did you mean --${near}?`;
    return { ok: false, message: `unknown option: ${token.rawName}${hint}` };
  }
  try {
    const { values, positionals } = parseArgs({ args, options, strict: true, allowPositionals: true });
    const help = values.help === true;
    if (words !== undefined && !help) {
      if (positionals.length < words.min || positionals.includes(''))
        return { ok: false, message: `missing argument: ${words.usage}` };
      const extra = positionals[words.max];
      if (extra !== undefined) return { ok: false, message: `unexpected argument: ${extra}` };
    }
    return { ok: true, flags: values as FlagValues, words: positionals };
  } catch (error) {
    if (!codeOf(error).startsWith('ERR_PARSE_ARGS')) throw error;
    return { ok: false, message: messageOf(error).split('\n')[0] ?? '' };
  }
}

/** The flags as lines of a help text. */
export function helpLines(flags: Readonly<Record<string, Flag>>): string[] {
  const rows = Object.entries({ ...flags, help: HELP_FLAG }).map(
    ([name, flag]) => [`--${name}${flag.value === undefined ? '' : ` ${flag.value}`}`, flag.help] as const,
  );
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
