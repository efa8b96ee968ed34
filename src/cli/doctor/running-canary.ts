/** URI canaries from the Portico that runs on this machine: only it can answer them, and its secret stays with it. */
import { askAdmin } from '../../admin/client.ts';
import { messageOf, PorticoError } from '../../base/errors.ts';
import type { CanarySource } from '../../delegation/doctor/probes/place.ts';

/** The answer needs no work; whoever is silent for longer has none. */
const TIMEOUT_MS = 5000;

/**
 * Asks the running process for a canary each time. Where none can be had (nothing runs, another user's process) the doctor
 * goes without.
 * @param socket - path of the admin socket
 * @param tell - hears once why there is none
 */
export function runningCanary(socket: string, tell: (line: string) => void): CanarySource {
  let told = false;
  return async () => {
    try {
      const { target, answer_key: answerKey } = await askAdmin(socket, 'canary', null, TIMEOUT_MS);
      return { target, answerKey };
    } catch (error) {
      if (!(error instanceof PorticoError)) throw error;
      if (!told) tell(`No URI canary was sent, so that changed URIs would go unnoticed: ${messageOf(error)}`);
      told = true;
      return null;
    }
  };
}
