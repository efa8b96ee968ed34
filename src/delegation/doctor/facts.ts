/** What does not change by itself: whoever repeats the look compares it, and tells what is new. Pure. */
import { printable } from '../printable.ts';
import type { Diagnosis } from './diagnose.ts';
import { readKeyDocument } from './key-document.ts';
import { openPlaces, placeName } from './places.ts';
import { versionOf } from './version.ts';

/** Facts by name, such as `certificate 203.0.113.7:8448` → a fingerprint and a date. */
export type Facts = ReadonlyMap<string, string>;

/** One difference between two looks. */
export interface Change {
  /** The fact, or the code of the finding. */
  readonly what: string;
  /** Null: was not there. */
  readonly before: string | null;
  /** Null: is no longer there. */
  readonly after: string | null;
  readonly kind: 'fact' | 'finding';
}

/** The facts of one look. What could not be had is no fact: a time-out is a finding, not a change of certificate. */
export function factsOf({ evidence }: Diagnosis): Facts {
  const { resolution, client } = evidence;
  const facts = new Map<string, string>();
  facts.set('step', resolution.step);
  facts.set('addresses', evidence.places.map(placeName).toSorted().join(', '));
  const mServer = resolution.wellKnown?.mServer ?? null;
  if (mServer !== null) facts.set('m.server', mServer);
  if (client?.status === 200) facts.set('client document', JSON.stringify(client.json));
  for (const place of openPlaces(evidence)) {
    const at = placeName(place);
    const leaf = place.tls.value.chain[0];
    if (leaf !== undefined) facts.set(`certificate at ${at}`, `${leaf.sha256}, until ${isoDay(leaf.notAfter)}`);
    const document = place.keys?.ok === true ? readKeyDocument(place.keys.value.json) : null;
    if (document !== null) {
      facts.set(`server name at ${at}`, document.serverName ?? 'none');
      facts.set(
        `keys at ${at}`,
        document.keys
          .map(({ id, key }) => `${id} ${key}`)
          .toSorted()
          .join(', '),
      );
    }
    const version = place.version?.ok === true ? versionOf(place.version.value.json) : null;
    if (version !== null) facts.set(`version at ${at}`, `${version.name} ${version.version}`);
  }
  return new Map([...facts].map(([what, value]) => [what, printable(value)]));
}

/** What is different now. A fact that could not be had this time is left as it was. */
export function changes(before: Diagnosis, after: Diagnosis): Change[] {
  const old = factsOf(before);
  const fresh = factsOf(after);
  const found: Change[] = [];
  for (const [what, value] of fresh) {
    const was = old.get(what) ?? null;
    if (was !== null && was !== value) found.push({ kind: 'fact', what, before: was, after: value });
  }
  const keyOf = ({ code, seen }: Diagnosis['findings'][number]): string => `${code} ${seen}`;
  const had = new Set(before.findings.map(keyOf));
  const has = new Set(after.findings.map(keyOf));
  for (const one of after.findings) {
    if (!had.has(keyOf(one))) found.push({ kind: 'finding', what: one.code, before: null, after: one.seen });
  }
  for (const one of before.findings) {
    if (!has.has(keyOf(one))) found.push({ kind: 'finding', what: one.code, before: one.seen, after: null });
  }
  return found;
}

function isoDay(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
