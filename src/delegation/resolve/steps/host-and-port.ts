import { PorticoError } from '../../../base/errors.ts';
import { addressesOf } from '../ask.ts';
import type { Step, StepContext, StepNumber, StepOutcome } from '../types.ts';

/** Steps 2 and 3.2: an explicit port. Neither well-known nor SRV is looked at. */
export function explicitPortStep(number: StepNumber, title: string): Step {
  return {
    number,
    title,
    run: async (context) =>
      context.name.port === undefined ? { kind: 'next' } : addressRecords(number, context, context.name.port),
  };
}

/** Steps 3.5 and 6: nothing else is known, so the name itself on port 8448. */
export function defaultPortStep(number: StepNumber, title: string): Step {
  return { number, title, run: (context) => addressRecords(number, context, 8448) };
}

async function addressRecords(number: StepNumber, context: StepContext, port: number): Promise<StepOutcome> {
  const { hostname, text: host } = context.name;
  const { addresses, problem, fix } = await addressesOf(context, number, hostname);
  if (problem !== null) {
    const error = new PorticoError('RESOLVE_NO_ADDRESS', `${hostname} has no address: ${problem}.`, {
      fix: fix ?? `Publish an A or AAAA record for ${hostname}, or delegate with a well-known document or SRV records.`,
    });
    return { kind: 'failed', error };
  }
  const target = { addresses, port, host, sni: hostname, certificateName: hostname, addressName: hostname, srv: null };
  return { kind: 'found', targets: [target] };
}
