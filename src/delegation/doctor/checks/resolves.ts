import { finding } from '../finding.ts';
import type { Check } from '../finding.ts';

/** Discovery ends somewhere. */
export const resolves: Check = {
  codes: ['name-does-not-resolve'],
  judge: ({ resolution: { error, step } }) =>
    error === null ? [] : [finding('name-does-not-resolve', `Step ${step}: ${error.message}`, error.fix)],
};
