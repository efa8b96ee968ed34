import type { Check } from '../finding.ts';
import { readKeyDocument } from '../key-document.ts';
import { perPlace } from '../places.ts';
import type { Attempt, JsonReply } from '../evidence.ts';

/** Where both 443 and 8448 answer, the same homeserver answers. */
export const portsAgree: Check = {
  codes: ['ports-disagree'],
  judge: ({ places }) =>
    perPlace('ports-disagree', places, ({ keys, otherPort, port }) => {
      const here = keyText(keys);
      const there = keyText(otherPort?.keys ?? null);
      if (here === null || there === null || here === there) return null;
      return `port ${String(port)} gives ${here}, port ${String(otherPort?.port)} gives ${there}`;
    }),
};

function keyText(reply: Attempt<JsonReply> | null): string | null {
  const document = reply?.ok === true && reply.value.status === 200 ? readKeyDocument(reply.value.json) : null;
  const serverName = document?.serverName ?? null;
  if (document === null || serverName === null) return null;
  const ids = document.keys.map(({ id, key }) => `${id} ${key.slice(0, 8)}…`).toSorted();
  return `${serverName} with ${ids.join(', ')}`;
}
