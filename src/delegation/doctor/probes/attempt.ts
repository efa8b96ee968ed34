import { codeOf, messageOf, PorticoError } from '../../../base/errors.ts';
import type { Attempt, Failure } from '../evidence.ts';

/** Does something that may fail at the other end; what fails here in the code itself still throws. */
export async function attempt<T>(work: () => Promise<T>): Promise<Attempt<T>> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    if (!(error instanceof PorticoError)) throw error;
    return { ok: false, failure: failureOf(error) };
  }
}

/** An error as plain data. */
export function failureOf(error: PorticoError): Failure {
  const reason = error.cause === undefined ? 'UNKNOWN' : codeOf(error.cause);
  return { code: error.code, message: messageOf(error), reason: reason === 'UNKNOWN' ? null : reason };
}
