import type { Check } from '../finding.ts';
import { openPlaces, perPlace, wasAsked, withoutPlace } from '../places.ts';

/** TLS 1.2 is taken. */
export const tlsVersions: Check = {
  codes: ['tls12-refused'],
  judge: (evidence) =>
    perPlace('tls12-refused', openPlaces(evidence), ({ tls12 }) =>
      tls12 === null || tls12.ok || !wasAsked(tls12) ? null : withoutPlace(tls12.failure.message),
    ),
};
