import { printable } from '../printable.ts';

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
  if (typeof server.name !== 'string') return null;
  return { name: printable(server.name.slice(0, 80)), version: printable(version.slice(0, 80)) };
}
