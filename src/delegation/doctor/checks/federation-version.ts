import type { Check } from '../finding.ts';
import { perPlace, replyProblem, wasAsked } from '../places.ts';
import { versionOf } from '../version.ts';

/** The federation API itself answers. */
export const federationVersion: Check = {
  codes: ['federation-version-unavailable'],
  judge: ({ places }) =>
    perPlace('federation-version-unavailable', places, ({ version, target }) => {
      if (version === null || !wasAsked(version)) return null;
      const problem = replyProblem(version);
      if (problem !== null) return `with Host ${target.host}, ${problem}`;
      return version.ok && versionOf(version.value.json) === null
        ? 'the answer holds no server name and version'
        : null;
    }),
};
