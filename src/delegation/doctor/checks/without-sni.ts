import { coversName } from '../../../base/certificate.ts';
import type { Check } from '../finding.ts';
import { openPlaces, perPlace, wasAsked, withoutPlace } from '../places.ts';

/** Who sends no SNI gets a certificate, and the right one. */
export const withoutSni: Check = {
  codes: ['without-sni-refused', 'without-sni-wrong-certificate'],
  judge: (evidence) => {
    const places = openPlaces(evidence);
    return [
      ...perPlace('without-sni-refused', places, ({ withoutSni: seen }) =>
        seen === null || seen.ok || !wasAsked(seen) ? null : withoutPlace(seen.failure.message),
      ),
      ...perPlace('without-sni-wrong-certificate', places, ({ withoutSni: seen, target }) => {
        if (seen?.ok !== true) return null;
        const names = seen.value.chain[0]?.names ?? [];
        if (coversName(names, target.certificateName)) return null;
        return `the certificate without SNI is for ${names.slice(0, 5).join(', ') || 'no name'}`;
      }),
    ];
  },
};
