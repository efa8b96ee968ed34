import type { Check } from '../finding.ts';
import { perPlace, replyProblem, wasAsked } from '../places.ts';

/** Host with and without port both lead to the homeserver. */
export const hostForm: Check = {
  codes: ['host-form-refused'],
  judge: ({ places }) =>
    perPlace('host-form-refused', places, ({ version, otherHost, target }) => {
      if (version === null || otherHost === null || replyProblem(version) !== null || !wasAsked(otherHost.reply))
        return null;
      const problem = replyProblem(otherHost.reply);
      return problem === null ? null : `Host ${target.host} is answered, Host ${otherHost.host} gives ${problem}`;
    }),
};
