import type { Check } from '../finding.ts';
import { perPlace, withoutPlace } from '../places.ts';

/** Whoever accepts a connection makes a handshake. */
export const handshake: Check = {
  codes: ['tls-refused'],
  judge: ({ places }) =>
    perPlace('tls-refused', places, ({ tls, target }) => {
      if (tls.ok || tls.failure.code !== 'TLS_FAILED') return null;
      const sni = target.sni === null ? 'without SNI' : `with SNI ${target.sni}`;
      return `${sni}, ${withoutPlace(tls.failure.message)}`;
    }),
};
