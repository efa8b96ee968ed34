/** The command line of the benchmark. */
import { parseArgs } from 'node:util';

/** What it was asked for. */
export interface Options {
  readonly mode: 'whole' | 'quick' | 'check' | 'profile' | 'help';
  /** Ids of rows (or of curves); null: all. */
  readonly rows: readonly string[] | null;
  /** Ids of contenders; null: all, or the three of the short form. */
  readonly contenders: readonly string[] | null;
  readonly rounds: number;
  readonly seconds: number;
  /** Results go into docs/benchmarks, and its page is written anew. */
  readonly save: boolean;
}

/** For people. */
export const USAGE = `Usage: npm run bench -- [options]

  (none)               every row, every contender; writes docs/benchmarks.md (half an hour)
  --quick              the main rows, Portico beside nginx with and without the Matrix job (two minutes)
  --check              no timing: only whether every contender answers correctly
  --profile ROW        loads Portico alone with a row and prints where its CPU time goes

  --rows A,B           only these rows
  --contenders A,B     only these
  --rounds N           rounds per row (5; quick: 3)
  --seconds N          seconds of load per round (3; quick: 1)
  --save               put the rows of this run into docs/benchmarks, beside those that are there`;

/** The arguments are wrong; the message says how. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/**
 * Reads the arguments after the program's name.
 *
 * @throws UsageError
 */
export function parseOptions(argv: readonly string[]): Options {
  const { values } = read(argv);
  const modes = (['quick', 'check', 'help'] as const).filter((mode) => values[mode] === true);
  if (values.profile !== undefined && modes.length > 0) throw new UsageError('--profile stands alone');
  if (modes.length > 1) throw new UsageError(`--${modes.join(' and --')} exclude each other`);
  const mode = values.profile === undefined ? (modes[0] ?? 'whole') : 'profile';
  const quick = mode === 'quick';
  const rows = values.profile === undefined ? list(values.rows) : [values.profile];
  const contenders = list(values.contenders);
  return {
    mode,
    rows,
    contenders: mode === 'profile' ? ['portico'] : contenders,
    rounds: positive('rounds', values.rounds, quick ? 3 : 5),
    seconds: positive('seconds', values.seconds, quick ? 1 : 3),
    save: values.save === true || (mode === 'whole' && rows === null && contenders === null),
  };
}

function read(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: false,
      options: {
        quick: { type: 'boolean' },
        check: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
        profile: { type: 'string' },
        rows: { type: 'string' },
        contenders: { type: 'string' },
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        save: { type: 'boolean' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function list(text: string | undefined): string[] | null {
  if (text === undefined) return null;
  const items = text.split(',').map((item) => item.trim());
  if (items.includes('')) throw new UsageError(`an empty item in ${text}`);
  return items;
}

function positive(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new UsageError(`--${name} takes a whole number from 1 to 9999`);
  return Number(text);
}

/**
 * Picks by id, in the order of `all`.
 *
 * @throws UsageError with what there is, when one is unknown
 */
export function pick<T>(
  what: string,
  all: readonly T[],
  ids: readonly string[] | null,
  idsOf: (item: T) => string[],
): T[] {
  if (ids === null) return [...all];
  const known = new Set(all.flatMap(idsOf));
  const unknown = ids.filter((id) => !known.has(id));
  if (unknown.length > 0) {
    throw new UsageError(`unknown ${what}: ${unknown.join(', ')}; there are ${[...known].join(', ')}`);
  }
  return all.filter((item) => idsOf(item).some((id) => ids.includes(id)));
}
