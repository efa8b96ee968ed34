/** Which certificate of the store a plan begins with. */
import { validityProblem } from '../base/certificate.ts';
import { coversAll } from './entry.ts';
import type { PlannedCertificate } from './planned-certificates.ts';
import type { StoredCertificate } from './stored-certificates.ts';

/**
 * Its own, else the imported one that is for every name of the plan and valid longest: other programs put together what
 * we plan one by one, and ordering all of it anew at the first start would spend limits on what is there.
 * @param stored - by id
 * @param now - milliseconds since the epoch
 * @returns under the id of the plan; null when there is none
 */
export function adoptableFor(
  plan: PlannedCertificate,
  stored: ReadonlyMap<string, StoredCertificate>,
  now: number,
): StoredCertificate | null {
  const own = stored.get(plan.id);
  if (own !== undefined && coversAll(own, plan)) return own;
  let best: StoredCertificate | null = null;
  for (const one of stored.values()) {
    if (one.importedFrom === null || validityProblem(one.certificate, now) !== null || !coversAll(one, plan)) continue;
    if (best === null || one.certificate.notAfter > best.certificate.notAfter) best = one;
  }
  return best === null ? null : { ...best, id: plan.id };
}
