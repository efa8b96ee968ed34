/** Where a command prints to, passed in so that tests can read it; and colour, only where a person looks. */

/** The two streams of a command, a line at a time, and whether they may carry colour. */
export interface Terminal {
  out(line: string): void;
  err(line: string): void;
  readonly colour: boolean;
  /** Width in characters; left out where nobody looks (a pipe, a file), so that nothing is cut or folded. */
  readonly columns?: number;
}

/** Names of the few styles in use. */
export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

const CODES: Record<Style, number> = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 };

/** Wraps text in a style, or returns it as it is where colour is off. */
export function paint(terminal: Terminal, style: Style, text: string): string {
  return terminal.colour ? `\u001b[${String(CODES[style])}m${text}\u001b[0m` : text;
}

/** The process's own streams. Colour on a terminal only, and never with `NO_COLOR` set (no-color.org). */
export function processTerminal(): Terminal {
  // A reader that has seen enough (`portico schema | head`) is no error; what else can go wrong with a stream is.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  const noColour = process.env.NO_COLOR ?? '';
  return {
    out: (line) => process.stdout.write(`${line}\n`),
    err: (line) => process.stderr.write(`${line}\n`),
    colour: process.stdout.isTTY && noColour === '' && process.env.TERM !== 'dumb',
    ...(process.stdout.isTTY && process.stdout.columns > 0 ? { columns: process.stdout.columns } : {}),
  };
}

/**
 * Text of others (a CA's words, a name from a file) as it can go to a terminal: control characters, which could move the
 * cursor or forge lines, become spaces.
 */
export function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ').trim();
}
