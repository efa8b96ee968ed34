import { finding } from '../finding.ts';
import type { Check, Finding } from '../finding.ts';
import { isDead, isOutOfReach, perPlace, placeName, withoutPlace } from '../places.ts';
import type { PlaceSeen } from '../evidence.ts';

/** Every address accepts connections on the port that peers come to. */
export const reachable: Check = {
  codes: ['port-8448-closed', 'no-address-answers', 'address-dead', 'address-not-checked'],
  judge: ({ places }) => {
    const away = perPlace('address-not-checked', places, (place) => (isOutOfReach(place) ? why(place) : null));
    const dead = places.filter(isDead);
    const closed = dead.filter(
      ({ port, otherPort }) => port === 8448 && otherPort?.keys.ok === true && otherPort.keys.value.status === 200,
    );
    const all = dead.length === places.filter((place) => !isOutOfReach(place)).length;
    const rest = dead.filter((place) => !closed.includes(place));
    const found: Finding[] = perPlace(
      'port-8448-closed',
      closed,
      (place) => `${why(place)}; port 443 of the same address answers`,
    );
    if (rest.length === 0) return [...found, ...away];
    if (all && closed.length === 0) {
      const seen = rest.map((place) => `${placeName(place)}: ${why(place)}`).join('; ');
      return [finding('no-address-answers', `${seen}.`), ...away];
    }
    return [...found, ...perPlace('address-dead', rest, why), ...away];
  },
};

function why({ tls }: PlaceSeen): string {
  return tls.ok ? '' : withoutPlace(tls.failure.message);
}
