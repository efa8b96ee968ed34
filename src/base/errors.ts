/**
 * The one error type of Portico. Every failure that a person or a program may have to act on carries a stable code, the
 * cause and the fix; codes are log fields and metric labels, are listed in docs/errors.md, and are never reused.
 */

/** What is wrong, in one sentence, and what to do about it. */
export interface PorticoErrorOptions {
  /** What the reader can change so that this does not happen again. */
  fix?: string;
  /** The error underneath, kept for the log. */
  cause?: unknown;
}

/** An error with a stable code. Match on `code`, never on the message. */
export class PorticoError extends Error {
  readonly code: string;
  readonly fix: string | undefined;

  constructor(code: string, message: string, options: PorticoErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'PorticoError';
    this.code = code;
    this.fix = options.fix;
  }
}

/** The stable code of any thrown value: ours, Node's (`ECONNREFUSED`), or `UNKNOWN`. */
export function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return 'UNKNOWN';
}

/** The message of any thrown value, for logs. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
