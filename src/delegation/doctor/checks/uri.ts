import { canaryChanges } from '../../canary/uri-canary.ts';
import type { Check } from '../finding.ts';
import { perPlace, replyProblem, wasAsked } from '../places.ts';

/** URIs arrive as they were sent. */
export const uri: Check = {
  codes: ['uri-changed', 'canary-lost'],
  judge: ({ places }) => [
    ...perPlace('uri-changed', places, ({ canary }) => {
      const received = canary?.received ?? null;
      return canary === null || received === null ? null : canaryChanges(canary.sent, received).join(', ') || null;
    }),
    ...perPlace('canary-lost', places, ({ canary }) => {
      if (canary?.received !== null || !wasAsked(canary.reply)) return null;
      return replyProblem(canary.reply) ?? 'an answer that is not from this Portico';
    }),
  ],
};
