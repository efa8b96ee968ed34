import { expect, it } from 'vitest';
import { CORS_FIELDS, corsFields, RENDEZVOUS_CORS_FIELDS } from '../../../src/matrix/cors.ts';

function asObject(fields: readonly string[]): Record<string, string> {
  const entries: [string, string][] = [];
  for (let at = 0; at < fields.length; at += 2) entries.push([fields[at] ?? '', fields[at + 1] ?? '']);
  return Object.fromEntries(entries);
}

it('is what Synapse sends', () => {
  expect(asObject(CORS_FIELDS)).toEqual({
    'Access-Control-Allow-Origin': '*',
    'Access-Control-Allow-Methods': 'GET, HEAD, POST, PUT, DELETE, OPTIONS',
    'Access-Control-Allow-Headers': 'X-Requested-With, Content-Type, Authorization, Date',
    'Access-Control-Expose-Headers': 'Synapse-Trace-Id, Server',
  });
});

it('lets the rendezvous of MSC4108 use entity tags', () => {
  expect(asObject(RENDEZVOUS_CORS_FIELDS)).toMatchObject({
    'Access-Control-Allow-Headers': 'Content-Type, If-Match, If-None-Match',
    'Access-Control-Expose-Headers': 'Synapse-Trace-Id, Server, ETag',
  });
});

it.for<[string, readonly string[]]>([
  ['/_matrix/client/versions', CORS_FIELDS],
  ['/.well-known/matrix/client', CORS_FIELDS],
  ['/_matrix/client/unstable/org.matrix.msc4108/rendezvous', RENDEZVOUS_CORS_FIELDS],
  ['/_matrix/client/unstable/org.matrix.msc4108/rendezvous/abc', RENDEZVOUS_CORS_FIELDS],
  ['/_matrix/client/unstable/org.matrix.msc4108/rendezvousx', CORS_FIELDS],
  ['/_synapse/client/rendezvous/abc', RENDEZVOUS_CORS_FIELDS],
])('of %s', ([path, fields]) => {
  expect(corsFields(path)).toBe(fields);
});
