import type { PlaceSeen } from '../evidence.ts';
import type { Check } from '../finding.ts';
import { perPlace } from '../places.ts';

const NETWORKS = /cloudflare|cloudfront|akamai|fastly|bunny|sucuri/i;

/** Something between that is known to pass few ports. */
export const cdn: Check = {
  codes: ['cdn-in-front'],
  judge: ({ places }) =>
    perPlace('cdn-in-front', places, (place) => {
      const server = servers(place).find((text) => NETWORKS.test(text));
      return server === undefined ? null : `answers as "${server.slice(0, 40)}"`;
    }),
};

function servers({ keys, version, otherPort }: PlaceSeen): string[] {
  return [keys, version, otherPort?.keys ?? null].flatMap((reply) =>
    reply?.ok === true ? (reply.value.server ?? []) : [],
  );
}
