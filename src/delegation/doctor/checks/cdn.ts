import type { IncomingHttpHeaders } from 'node:http';
import type { PlaceSeen } from '../evidence.ts';
import type { Check } from '../finding.ts';
import { perPlace } from '../places.ts';

const NETWORKS = /cloudflare|cloudfront|akamai|fastly|bunny|sucuri/i;

/** Fields that only such networks add; who hides its name in `server` still sends them. */
const FIELDS: readonly (readonly [field: string, network: string])[] = [
  ['cf-ray', 'Cloudflare'],
  ['x-amz-cf-id', 'CloudFront'],
  ['x-akamai-request-id', 'Akamai'],
  ['x-fastly-request-id', 'Fastly'],
  ['x-sucuri-id', 'Sucuri'],
];

/** Which network a response came through, as far as its fields tell; null: none that is known. */
export function networkOf(headers: IncomingHttpHeaders): string | null {
  const server = String(headers.server ?? '');
  if (NETWORKS.test(server)) return server.slice(0, 40);
  return FIELDS.find(([field]) => headers[field] !== undefined)?.[1] ?? null;
}

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
