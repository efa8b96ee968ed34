/** Which failures of a request are met by sending it again, how often, and after how long. */
import { messageOf, PorticoError } from '../base/errors.ts';
import { AcmeProblem } from './problem.ts';

/** `repeat`: asking twice changes nothing, so it is asked again when the network fails as well. */
export type RepeatKind = 'repeat' | 'once';

/** RFC 8555 §6.5: refused for its nonce, a request has not been looked at, so it can be sent again at once. */
const MAX_NONCE_REPEATS = 10;
/** For the network, and for an authority that asks for a moment. */
const MAX_REPEATS = 3;
const FIRST_WAIT_MS = 1000;
const LEAST_WAIT_MS = 500;
/** A longer Retry-After is for the schedule, not for a request to wait out. */
const MAX_PATIENCE_MS = 30_000;

/**
 * Makes a request, again where that makes sense.
 * @param pause - waits for milliseconds
 * @throws PorticoError always; the last failure. What the package throws by itself is about an answer that lacks something, and
 * becomes `ACME_RESPONSE_INVALID`
 */
export async function repeated<Value>(
  attempt: () => Promise<Value>,
  kind: RepeatKind,
  pause: (milliseconds: number) => Promise<void>,
): Promise<Value> {
  let nonces = 0;
  let repeats = 0;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (error instanceof AcmeProblem && error.type === 'badNonce' && nonces < MAX_NONCE_REPEATS) {
        nonces += 1;
        continue;
      }
      const wait = repeats < MAX_REPEATS ? waitBefore(error, kind, repeats) : null;
      if (wait === null) throw asPorticoError(error);
      repeats += 1;
      await pause(wait);
    }
  }
}

/** How long to wait before the same is asked again; null: not at all. */
function waitBefore(error: unknown, kind: RepeatKind, repeats: number): number | null {
  const byItself = kind === 'repeat' ? FIRST_WAIT_MS * 3 ** repeats : null;
  if (error instanceof AcmeProblem) {
    // Turned away at the door, nothing has happened yet, whatever was asked (RFC 8555 §6.6).
    const isTurnedAway = error.status === 429 || error.status === 503;
    if (isTurnedAway && error.retryAfterMs !== null) {
      return error.retryAfterMs <= MAX_PATIENCE_MS ? Math.max(LEAST_WAIT_MS, error.retryAfterMs) : null;
    }
    return error.status >= 500 ? byItself : null;
  }
  return error instanceof PorticoError && error.code === 'ACME_UNREACHABLE' ? byItself : null;
}

function asPorticoError(error: unknown): PorticoError {
  if (error instanceof PorticoError) return error;
  return new PorticoError(
    'ACME_RESPONSE_INVALID',
    `The certificate authority's answer is of no use: ${messageOf(error)}.`,
    { fix: 'Portico tries again; if it stays, the fault is with the authority.', cause: error },
  );
}
