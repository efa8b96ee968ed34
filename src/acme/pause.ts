/** Waiting, as something that is passed in: tests wait by moving a clock. */
import { setTimeout as delay } from 'node:timers/promises';
import { PorticoError } from '../base/errors.ts';

/** @throws PorticoError `ACME_ABORTED` as soon as the signal says so */
export type Pause = (milliseconds: number, signal: AbortSignal) => Promise<void>;

/** Waits by a timer. */
export const pauseFor: Pause = async (milliseconds, signal) => {
  try {
    await delay(milliseconds, undefined, { signal });
  } catch (cause) {
    throw new PorticoError('ACME_ABORTED', 'The certificate order was stopped.', { cause });
  }
};
