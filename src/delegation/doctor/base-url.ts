/** `m.homeserver.base_url` of a client document; null when it has none. */
export function baseUrlOf(json: unknown): string | null {
  if (typeof json !== 'object' || json === null) return null;
  const homeserver = (json as Record<string, unknown>)['m.homeserver'];
  if (typeof homeserver !== 'object' || homeserver === null) return null;
  const url = (homeserver as Record<string, unknown>).base_url;
  return typeof url === 'string' ? url : null;
}
