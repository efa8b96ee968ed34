import type { ResolutionWarning } from '../../resolve/types.ts';
import type { FindingCode } from '../catalogue.ts';
import { finding } from '../finding.ts';
import type { Check } from '../finding.ts';

const CODES: Record<ResolutionWarning['code'], FindingCode> = {
  'srv-target-is-cname': 'srv-target-is-cname',
  'srv-target-dangling': 'srv-target-dangling',
  'srv-service-deprecated': 'srv-service-deprecated',
  'srv-invalid': 'srv-record-invalid',
  'family-lookup-failed': 'family-lookup-failed',
  'private-address': 'private-address',
  'upper-case': 'upper-case',
};

/** What discovery stumbled over although it may have got through. */
export const resolutionWarnings: Check = {
  codes: Object.values(CODES),
  judge: ({ resolution, allowPrivate }) =>
    resolution.warnings
      .filter(({ code }) => code !== 'private-address' || !allowPrivate)
      .map(({ code, seen }) => finding(CODES[code], seen)),
};
