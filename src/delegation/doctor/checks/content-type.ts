import type { Attempt, JsonReply } from '../evidence.ts';
import type { Check } from '../finding.ts';
import { perPlace } from '../places.ts';

/** Federation answers say that they are JSON. */
export const contentType: Check = {
  codes: ['content-type-not-json'],
  judge: ({ places }) =>
    perPlace('content-type-not-json', places, ({ keys, version }) => {
      const wrong = [wrongType('/_matrix/key/v2/server', keys), wrongType('/_matrix/federation/v1/version', version)];
      return wrong.filter((text) => text !== null).join(', ') || null;
    }),
};

function wrongType(path: string, reply: Attempt<JsonReply> | null): string | null {
  if (reply?.ok !== true || reply.value.status !== 200 || reply.value.json === undefined) return null;
  const type = reply.value.contentType;
  return type !== null && /^application\/json\s*(?:;|$)/i.test(type)
    ? null
    : `${path} has ${type ?? 'no Content-Type'}`;
}
