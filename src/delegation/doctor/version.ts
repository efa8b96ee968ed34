/** `{"server": {"name": …, "version": …}}`, the answer of `/_matrix/federation/v1/version`. */
export interface ServerVersion {
  readonly name: string;
  readonly version: string;
}

/** Reads it; null when it is something else. */
export function versionOf(json: unknown): ServerVersion | null {
  if (typeof json !== 'object' || json === null || !('server' in json)) return null;
  const { server } = json;
  if (typeof server !== 'object' || server === null || !('name' in server)) return null;
  const version = 'version' in server && typeof server.version === 'string' ? server.version : '';
  return typeof server.name === 'string' ? { name: server.name, version } : null;
}
