import { codeOf, messageOf, PorticoError } from '../base/errors.ts';
import { EXIT } from './command.ts';
import type { Terminal } from './terminal.ts';

/**
 * Prints why a start failed: code, reason and fix when the cause is known, else everything there is.
 * @returns the exit code: 2 when something outside must change, 1 when the fault is in Portico
 */
export function reportStartError(error: unknown, terminal: Terminal): number {
  if (error instanceof PorticoError) {
    terminal.err(`portico: ${error.code}: ${error.message}`);
    if (error.fix !== undefined) terminal.err(`  fix: ${error.fix}`);
    if (error.cause !== undefined) terminal.err(`  cause: ${messageOf(error.cause)}`);
    return EXIT.usage;
  }
  terminal.err(`portico: unexpected error (${codeOf(error)}): ${messageOf(error)}`);
  if (error instanceof Error && error.stack !== undefined) terminal.err(error.stack);
  return EXIT.notFine;
}
