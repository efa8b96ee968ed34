import type { DocumentSeen } from './evidence.ts';

/** Which answers on the way to a document a browser would hide; null when none. */
export function withoutCors({ hops }: DocumentSeen): string | null {
  const hidden = hops.filter(({ cors }) => cors !== '*');
  if (hidden.length === 0) return null;
  return `${hidden
    .map(({ url, status, cors }) => {
      const what =
        cors === null ? 'no Access-Control-Allow-Origin' : `Access-Control-Allow-Origin: ${cors.slice(0, 60)}`;
      return `${url} (status ${String(status)}) has ${what}`;
    })
    .join('; ')}.`;
}
