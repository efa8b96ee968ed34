import { finding } from '../finding.ts';
import type { Check } from '../finding.ts';

/** A site that is delegated by SRV has an SRV record. */
export const srvAsConfigured: Check = {
  codes: ['srv-record-missing'],
  judge: ({ expected, resolution, name }) => {
    if (expected?.delegation !== 'srv' || resolution.step !== '6') return [];
    const owner = `_matrix-fed._tcp.${name.hostname}`;
    const fix = `Publish ${owner}. IN SRV 10 0 8448 and the name of the host that Portico runs on.`;
    return [finding('srv-record-missing', `There is no SRV record ${owner}.`, fix)];
  },
};
