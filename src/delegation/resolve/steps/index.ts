/**
 * The steps of server discovery in the order and with the numbers of the Matrix specification v1.19, server-server API,
 * "Resolving server names". {@link SERVER_STEPS} are gone through for the server name; a valid document at step 3 leads to
 * {@link DELEGATED_STEPS} for the name it gives, and not back.
 */
import type { Step, StepNumber } from '../types.ts';
import { defaultPortStep, explicitPortStep } from './host-and-port.ts';
import { literalStep } from './literal.ts';
import { srvStep } from './srv.ts';
import { wellKnownStep } from './well-known.ts';

/** For the server name. */
export const SERVER_STEPS: readonly Step[] = [
  literalStep('1', 'the server name is an IP literal'),
  explicitPortStep('2', 'the server name has a port'),
  wellKnownStep('the well-known document of the server name'),
  srvStep('4', '_matrix-fed', 'SRV record _matrix-fed of the server name'),
  srvStep('5', '_matrix', 'SRV record _matrix of the server name (deprecated)'),
  defaultPortStep('6', 'the server name on port 8448'),
];

/** For the name that the document of step 3 gives. */
export const DELEGATED_STEPS: readonly Step[] = [
  literalStep('3.1', 'the delegated name is an IP literal'),
  explicitPortStep('3.2', 'the delegated name has a port'),
  srvStep('3.3', '_matrix-fed', 'SRV record _matrix-fed of the delegated name'),
  srvStep('3.4', '_matrix', 'SRV record _matrix of the delegated name (deprecated)'),
  defaultPortStep('3.5', 'the delegated name on port 8448'),
];

/** What a step is about, in a few words. */
export function stepTitle(number: StepNumber): string {
  return [...SERVER_STEPS, ...DELEGATED_STEPS].find((step) => step.number === number)?.title ?? '';
}
