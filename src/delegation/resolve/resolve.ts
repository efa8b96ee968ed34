/** Server discovery: goes through the steps of the specification until one of them ends it. */
import { PorticoError } from '../../base/errors.ts';
import { parseServerName } from '../../base/server-name.ts';
import type { ServerName } from '../../base/server-name.ts';
import { isPrivateAddress } from '../outbound/private-addresses.ts';
import { DELEGATED_STEPS, SERVER_STEPS } from './steps/index.ts';
import { Trail } from './trail.ts';
import type { Resolution, ResolveDeps, StepOutcome, Target } from './types.ts';
import type { WellKnownSeen } from './well-known.ts';

/**
 * Finds out where peers connect to for a server name. What the outside does wrong is in the result, with everything tried.
 * @throws PorticoError `RESOLVE_NAME_INVALID` when the text is not a server name
 */
export async function resolveServerName(text: string, deps: ResolveDeps, signal?: AbortSignal): Promise<Resolution> {
  const serverName = parseServerName(text);
  if (serverName === null) {
    throw new PorticoError('RESOLVE_NAME_INVALID', `${JSON.stringify(text)} is not a server name.`, {
      fix: 'Write a DNS name, an IPv4 address or an IPv6 address in brackets, with an optional port; no scheme, no path.',
    });
  }
  const trail = new Trail(deps.clock);
  if (text !== text.toLowerCase()) {
    trail.warn('1', 'upper-case', `${text} has upper-case letters; servers compare server names byte by byte.`);
  }
  let name: ServerName = serverName;
  let steps = [...SERVER_STEPS];
  let wellKnown: WellKnownSeen | null = null;

  for (let step = steps.shift(); step !== undefined; step = steps.shift()) {
    const outcome: StepOutcome = await step.run({ ...deps, name, trail, signal });
    if (outcome.kind === 'next') continue;
    if (outcome.kind === 'no-document') {
      wellKnown = outcome.seen;
      continue;
    }
    if (outcome.kind === 'delegated') {
      ({ name, seen: wellKnown } = outcome);
      steps = [...DELEGATED_STEPS];
      continue;
    }
    const targets = outcome.kind === 'found' ? outcome.targets : [];
    warnOfPrivate(trail, step.number, targets);
    return {
      serverName,
      step: step.number,
      targets,
      delegated: name === serverName ? null : name,
      wellKnown,
      tried: trail.tried,
      warnings: trail.warnings,
      error: outcome.kind === 'failed' ? outcome.error : null,
    };
  }
  throw new Error('the last step always ends discovery');
}

function warnOfPrivate(trail: Trail, step: Resolution['step'], targets: readonly Target[]): void {
  for (const address of targets.flatMap(({ addresses }) => addresses).filter(isPrivateAddress)) {
    trail.warn(step, 'private-address', `${address} is in a private or reserved range.`);
  }
}
