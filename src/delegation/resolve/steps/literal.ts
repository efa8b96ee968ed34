import type { Step, StepNumber } from '../types.ts';

/** Steps 1 and 3.1: the hostname is an IP literal. It is the address, and the certificate must be for it. */
export function literalStep(number: StepNumber, title: string): Step {
  return {
    number,
    title,
    run: ({ name, trail }) => {
      if (!name.isIp) return Promise.resolve({ kind: 'next' });
      const { text: host, hostname, port = 8448 } = name;
      trail.start(number, hostname)('found', 'an IP literal');
      const target = { addresses: [hostname], port, host, sni: null, certificateName: hostname, addressName: null };
      return Promise.resolve({ kind: 'found', targets: [{ ...target, srv: null }] });
    },
  };
}
