/**
 * The CORS fields of answers that Portico gives itself. Source: Matrix C-S "Web Browser Clients", extended as Synapse does
 * (`synapse/http/server.py`, `set_cors_headers`), so that a browser cannot tell who answered.
 */

/** Names and values in turn, for every answer under `/_matrix` and `/.well-known/matrix`. */
export const CORS_FIELDS: readonly string[] = [
  'Access-Control-Allow-Origin',
  '*',
  'Access-Control-Allow-Methods',
  'GET, HEAD, POST, PUT, DELETE, OPTIONS',
  'Access-Control-Allow-Headers',
  'X-Requested-With, Content-Type, Authorization, Date',
  'Access-Control-Expose-Headers',
  'Synapse-Trace-Id, Server',
];

/** The same for the rendezvous of MSC4108, which needs entity tags and no token. */
export const RENDEZVOUS_CORS_FIELDS: readonly string[] = [
  'Access-Control-Allow-Origin',
  '*',
  'Access-Control-Allow-Methods',
  'GET, HEAD, POST, PUT, DELETE, OPTIONS',
  'Access-Control-Allow-Headers',
  'Content-Type, If-Match, If-None-Match',
  'Access-Control-Expose-Headers',
  'Synapse-Trace-Id, Server, ETag',
];

const RENDEZVOUS_PATHS = [
  '/_matrix/client/unstable/org.matrix.msc4108/rendezvous',
  '/_matrix/client/v1/org.matrix.msc4108/rendezvous',
  '/_synapse/client/rendezvous',
] as const;

/**
 * The CORS fields for a path.
 * @param path - raw path without query
 */
export function corsFields(path: string): readonly string[] {
  for (const prefix of RENDEZVOUS_PATHS) {
    if (path.startsWith(prefix) && (path.length === prefix.length || path.charCodeAt(prefix.length) === 0x2f)) {
      return RENDEZVOUS_CORS_FIELDS;
    }
  }
  return CORS_FIELDS;
}
