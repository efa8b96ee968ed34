import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEndpointTable } from '../../../src/matrix/endpoint-trie.ts';
import { ENDPOINTS } from '../../../src/matrix/endpoints.ts';
import type { EndpointRule } from '../../../src/matrix/endpoints.ts';

const table = createEndpointTable();

describe('classes', () => {
  it.for<[string, string, EndpointRule['requestClass'], boolean]>([
    // Long polls
    ['GET', '/_matrix/client/v3/sync', 'sync', false],
    ['GET', '/_matrix/client/r0/sync', 'sync', false],
    ['GET', '/_matrix/client/api/v1/events', 'sync', false],
    ['HEAD', '/_matrix/client/v3/sync', 'sync', false],
    ['POST', '/_matrix/client/unstable/org.matrix.simplified_msc3575/sync', 'sync', false],
    ['POST', '/_matrix/client/unstable/org.matrix.msc3575/sync', 'sync', false],
    ['POST', '/_matrix/client/v4/sync', 'sync', false],
    ['GET', '/_matrix/client/v3/events/$event', 'client', false],
    // Joins and state
    ['POST', '/_matrix/client/v3/join/%23room%3Aexample.com', 'join', false],
    ['POST', '/_matrix/client/v3/rooms/!a:b/join', 'join', false],
    ['POST', '/_matrix/client/api/v1/rooms/!a:b/join', 'join', false],
    ['POST', '/_matrix/client/v3/knock/!a:b', 'join', false],
    ['POST', '/_matrix/client/v3/createRoom', 'join', false],
    ['GET', '/_matrix/client/v3/rooms/!a:b/messages', 'join', false],
    ['GET', '/_matrix/client/v3/rooms/!a:b/members', 'join', false],
    ['GET', '/_matrix/client/v3/rooms/!a:b/state', 'join', false],
    ['GET', '/_matrix/client/v3/rooms/!a:b/state/m.room.name/', 'join', false],
    ['PUT', '/_matrix/client/v3/rooms/!a:b/state/m.room.name/', 'client', false],
    ['GET', '/_matrix/client/v3/initialSync', 'join', false],
    ['GET', '/_matrix/client/v1/rooms/!a:b/hierarchy', 'join', false],
    ['GET', '/_matrix/federation/v1/make_join/!a:b/@u:c', 'join', true],
    ['PUT', '/_matrix/federation/v2/send_join/!a:b/$event', 'join', true],
    ['PUT', '/_matrix/federation/v1/send_join/!a:b/$event', 'join', true],
    ['PUT', '/_matrix/federation/v1/send_knock/!a:b/$event', 'join', true],
    ['PUT', '/_matrix/federation/v2/invite/!a:b/$event', 'join', true],
    ['GET', '/_matrix/federation/v1/state_ids/!a:b', 'join', true],
    ['GET', '/_matrix/federation/v1/backfill/!a:b', 'join', true],
    ['POST', '/_matrix/federation/v1/get_missing_events/!a:b', 'join', true],
    ['GET', '/_matrix/federation/v1/event_auth/!a:b/$event', 'join', true],
    // Transactions
    ['PUT', '/_matrix/federation/v1/send/1234', 'transaction', true],
    ['PUT', '/_matrix/federation/v1/send/1234/', 'transaction', true],
    ['PUT', '/_matrix/federation/v1/send/a%2Fb', 'transaction', true],
    ['POST', '/_matrix/federation/v1/send/1234', 'federation', true],
    ['PUT', '/_matrix/federation/v1/send/1/2', 'federation', true],
    // Media
    ['POST', '/_matrix/media/v3/upload', 'media_up', false],
    ['POST', '/_matrix/media/r0/upload', 'media_up', false],
    ['PUT', '/_matrix/media/v3/upload/example.com/abc', 'media_up', false],
    ['PUT', '/_matrix/media/unstable/fi.mau.msc2246/upload/example.com/abc', 'media_up', false],
    ['POST', '/_matrix/client/v1/media/upload', 'media_up', false],
    ['POST', '/_matrix/media/v1/create', 'client', false],
    ['GET', '/_matrix/media/v3/download/example.com/abc/name.png', 'media_down', true],
    ['GET', '/_matrix/media/r0/thumbnail/example.com/abc', 'media_down', true],
    ['GET', '/_matrix/client/v1/media/download/example.com/abc', 'media_down', false],
    ['GET', '/_matrix/client/v1/media/thumbnail/example.com/abc', 'media_down', false],
    ['GET', '/_matrix/federation/v1/media/download/abc', 'media_down', true],
    ['GET', '/_matrix/federation/v1/media/thumbnail/abc', 'media_down', true],
    ['GET', '/_matrix/media/v3/preview_url', 'client', false],
    ['GET', '/_matrix/media/v3/config', 'client', false],
    ['GET', '/_matrix/client/v1/media/config', 'client', false],
    // Other federation
    ['GET', '/_matrix/federation/v1/version', 'federation', true],
    ['GET', '/_matrix/federation/v1/openid/userinfo', 'federation', true],
    ['GET', '/_matrix/federation/v1/query/directory', 'federation', true],
    ['POST', '/_matrix/federation/v1/user/keys/query', 'federation', true],
    ['GET', '/_matrix/key/v2/server', 'federation', true],
    ['POST', '/_matrix/key/v2/query', 'federation', true],
    ['POST', '/_matrix/policy/v1/sign', 'federation', true],
    // Other client
    ['GET', '/_matrix/client/versions', 'client', false],
    ['POST', '/_matrix/client/v3/login', 'client', false],
    ['POST', '/_matrix/client/v3/keys/upload', 'client', false],
    ['GET', '/_matrix/client/v3/keys/changes', 'client', false],
    ['PUT', '/_matrix/client/v3/rooms/!a:b/send/m.room.message/1', 'client', false],
    ['GET', '/_matrix/client/v1/auth_metadata', 'client', false],
    ['GET', '/_matrix/static/', 'client', false],
    ['GET', '/_synapse/client/pick_idp', 'client', false],
    // Discovery and the rest
    ['GET', '/.well-known/matrix/server', 'discovery', false],
    ['GET', '/.well-known/matrix/support', 'discovery', false],
    ['GET', '/.well-known/acme-challenge/x', 'site', false],
    ['GET', '/', 'site', false],
    ['GET', '', 'site', false],
    ['OPTIONS', '*', 'site', false],
    ['GET', '/_matrixx/client/v3/sync', 'site', false],
    ['GET', '//_matrix/client/v3/sync', 'site', false],
    ['GET', '/_MATRIX/client/v3/sync', 'site', false],
    ['GET', '/%5Fmatrix/client/v3/sync', 'site', false],
  ])('%s %s is %s', ([method, path, requestClass, federation]) => {
    expect(table.classify(method, path)).toMatchObject({ requestClass, federation });
  });
});

describe('the table', () => {
  it('holds each method and pattern once', () => {
    const keys = ENDPOINTS.map(({ method, pattern }) => `${method} ${pattern}`);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('finds every rule by an example of its own pattern', () => {
    for (const rule of ENDPOINTS) {
      const path = rule.pattern.replace(/\{version\}/, 'v3').replace(/\{[^}]*\}/g, 'x').replace(/\*\*$/, 'below/it'); // prettier-ignore
      expect(table.classify(rule.method === '*' ? 'GET' : rule.method, path), path).toBe(rule);
    }
  });

  it('calls federation what begins with a federation prefix, and only that and old media', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('federation', 'key', 'policy', 'client', 'media', 'x'),
        fc.webPath(),
        (room, rest) => {
          const { federation, pattern } = table.classify('GET', `/_matrix/${room}${rest}`);
          const expected = room === 'federation' || room === 'key' || room === 'policy';
          expect(federation).toBe(expected || /^\/_matrix\/media\/\{version\}\/(?:download|thumbnail)\//.test(pattern));
        },
      ),
    );
  });
});

describe('matching', () => {
  const rule = (method: EndpointRule['method'], pattern: string): EndpointRule => ({
    method,
    pattern,
    requestClass: 'client',
    reason: 'test',
    federation: false,
  });
  const patternOf = (rules: EndpointRule[], method: string, path: string): string =>
    createEndpointTable(rules).classify(method, path).pattern;

  it('prefers literals, then parameters, then what lies below', () => {
    const rules = [rule('*', '/**'), rule('*', '/a/{x}'), rule('*', '/a/b'), rule('*', '/a/**')];
    expect(patternOf(rules, 'GET', '/a/b')).toBe('/a/b');
    expect(patternOf(rules, 'GET', '/a/c')).toBe('/a/{x}');
    expect(patternOf(rules, 'GET', '/a/b/c')).toBe('/a/**');
    expect(patternOf(rules, 'GET', '/a')).toBe('/a/**');
    expect(patternOf(rules, 'GET', '/ab')).toBe('/**');
  });

  it('goes back when a literal leads nowhere', () => {
    const rules = [rule('*', '/**'), rule('*', '/a/b/c'), rule('*', '/a/{x}/d'), rule('PUT', '/a/b/d')];
    expect(patternOf(rules, 'GET', '/a/b/d')).toBe('/a/{x}/d');
    expect(patternOf(rules, 'PUT', '/a/b/d')).toBe('/a/b/d');
  });

  it('ignores one slash at the end, not two', () => {
    const rules = [rule('*', '/**'), rule('*', '/a/{x}')];
    expect(patternOf(rules, 'GET', '/a/b/')).toBe('/a/{x}');
    expect(patternOf(rules, 'GET', '/a/b//')).toBe('/**');
  });

  it('gives every request a rule, quickly, whatever its path', () => {
    const segment = fc.constantFrom(
      '_matrix',
      'client',
      'federation',
      'v3',
      'unstable',
      'rooms',
      'state',
      '',
      '..',
      '%2e',
    );
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 200 }), fc.constantFrom('GET', 'PUT', 'x'), (segments, method) => {
        expect(ENDPOINTS).toContain(table.classify(method, `/${segments.join('/')}`));
      }),
    );
  });

  it('refuses a table that leaves requests without a rule', () => {
    expect(() => createEndpointTable([rule('GET', '/**')])).toThrow('no rule for the rest');
  });
});
