import type { PlaceSeen } from '../evidence.ts';
import type { Check } from '../finding.ts';
import { readKeyDocument } from '../key-document.ts';
import type { KeyDocument } from '../key-document.ts';
import { perPlace, replyProblem, wasAsked } from '../places.ts';

const HOUR_MS = 3_600_000;
const WEEK_MS = 7 * 24 * HOUR_MS;

/** `/_matrix/key/v2/server` is there, is this server's, signed by its own keys, and valid for long enough. */
export const keyDocument: Check = {
  codes: [
    'key-document-unreachable',
    'key-document-invalid',
    'key-document-other-server',
    'key-signature-invalid',
    'key-document-expired',
    'key-document-expires-soon',
    'key-document-valid-too-long',
  ],
  judge: ({ places, name, now }) => {
    const read = (judge: (document: KeyDocument) => string | null) => (place: PlaceSeen) => {
      if (place.keys?.ok !== true || place.keys.value.status !== 200) return null;
      const document = readKeyDocument(place.keys.value.json);
      return document === null ? null : judge(document);
    };
    return [
      ...perPlace('key-document-unreachable', places, ({ keys, target }) => {
        if (keys === null || !wasAsked(keys) || (keys.ok && keys.value.status === 200)) return null;
        return `with Host ${target.host}, ${replyProblem(keys) ?? ''}`;
      }),
      ...perPlace('key-document-invalid', places, ({ keys }) => {
        if (keys?.ok !== true || keys.value.status !== 200) return null;
        const document = readKeyDocument(keys.value.json);
        if (document === null) return replyProblem(keys) ?? 'not a JSON object';
        if (document.validUntil === null) return 'it has no valid_until_ts';
        return document.keys.some(({ wellFormed }) => wellFormed) ? null : 'it announces no ed25519 key';
      }),
      ...perPlace(
        'key-document-other-server',
        places,
        read(({ serverName }) =>
          serverName === name.text ? null : `the keys are those of ${serverName ?? 'no server'}`,
        ),
      ),
      ...perPlace(
        'key-signature-invalid',
        places,
        read(({ keys }) => {
          const bad = keys.filter(({ wellFormed, signs }) => wellFormed && !signs).map(({ id }) => id);
          return bad.length === 0 ? null : `the signature with ${bad.join(', ')} is missing or does not verify`;
        }),
      ),
      ...perPlace(
        'key-document-expired',
        places,
        read(({ validUntil }) => (validUntil !== null && validUntil <= now ? `valid until ${time(validUntil)}` : null)),
      ),
      ...perPlace(
        'key-document-expires-soon',
        places,
        read(({ validUntil }) =>
          validUntil !== null && validUntil > now && validUntil < now + HOUR_MS
            ? `valid until ${time(validUntil)}`
            : null,
        ),
      ),
      ...perPlace(
        'key-document-valid-too-long',
        places,
        read(({ validUntil }) =>
          validUntil !== null && validUntil > now + WEEK_MS ? `valid until ${time(validUntil)}` : null,
        ),
      ),
    ];
  },
};

function time(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString();
}
