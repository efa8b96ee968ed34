import { finding } from '../finding.ts';
import type { Check } from '../finding.ts';

/** Whether everything was looked at. */
export const complete: Check = {
  codes: ['not-everything-checked'],
  judge: ({ exhausted, requests }) =>
    exhausted ? [finding('not-everything-checked', `The look ended early, after ${String(requests)} requests.`)] : [],
};
