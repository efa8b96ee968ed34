/** Where an authority has other chains for a certificate: Link fields with `rel="alternate"` (RFC 8555 §7.4.2, RFC 8288 §3). */
import { httpsUrl } from './directory.ts';

const MAX_ALTERNATES = 8;

/**
 * @param field - the Link field, several joined by commas; undefined when there is none
 * @returns https URLs, 8 at most
 */
export function alternateLinks(field: string | undefined): string[] {
  const links = (field ?? '').matchAll(
    /<([^<>]{1,2000})>((?:\s*;\s*[\w-]+\s*=\s*(?:"[^"]{0,200}"|[^\s",;]{1,200}))*)/g,
  );
  return [...links]
    .filter(([, , parameters = '']) => /;\s*rel\s*=\s*"?alternate"?\s*(?:;|$)/i.test(parameters))
    .flatMap(([, url]) => httpsUrl(url) ?? [])
    .slice(0, MAX_ALTERNATES);
}
