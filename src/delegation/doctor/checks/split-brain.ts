import type { PlaceSeen } from '../evidence.ts';
import { finding } from '../finding.ts';
import type { Check } from '../finding.ts';
import { readKeyDocument } from '../key-document.ts';
import { placeName } from '../places.ts';
import { versionOf } from '../version.ts';

/** All addresses lead to one homeserver: the same server name, keys and version. */
export const splitBrain: Check = {
  codes: ['split-brain'],
  judge: ({ places }) => {
    const answers = places.flatMap((place) => {
      const text = whoIs(place);
      return text === null ? [] : [{ place: placeName(place), text }];
    });
    if (new Set(answers.map(({ text }) => text)).size < 2) return [];
    const seen = answers.map(({ place, text }) => `${place} is ${text}`).join('; ');
    return [finding('split-brain', `${seen}.`)];
  },
};

/** Who answered, in words that are equal exactly when it is the same homeserver. */
function whoIs({ keys, version }: PlaceSeen): string | null {
  const document = keys?.ok === true && keys.value.status === 200 ? readKeyDocument(keys.value.json) : null;
  if (document === null) return null;
  const announced = document.keys.map(({ id, key }) => `${id} ${key.slice(0, 8)}…`).toSorted();
  const running = version?.ok === true ? versionOf(version.value.json) : null;
  const software = running === null ? '' : `, ${running.name} ${running.version}`;
  return `${document.serverName ?? 'nobody'} with ${announced.join(', ')}${software}`;
}
