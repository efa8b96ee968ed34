import { describe, expect, it } from 'vitest';
import { createRouter, type RouterOptions } from '../../../src/proxy/router.ts';
import type { ConnectionFacts, RequestFacts, Route } from '../../../src/proxy/route.ts';
import type { Snapshot } from '../../../src/proxy/snapshot.ts';
import { connection, fieldOf, listener, request, site, snapshot, upstream } from './router-fixture.ts';

const plain = snapshot([
  site('example.com', {
    hosts: ['example.com', 'matrix.example.com'],
    wellKnown: {
      server: '{"m.server":"matrix.example.com:443"}',
      client: '{"m.homeserver":{"base_url":"https://matrix.example.com"}}',
      support: null,
      policyServer: null,
      maxAgeSeconds: 600,
    },
  }),
  site('other.example', { fallback: { kind: 'redirect', location: 'https://www.other.example/' } }),
]);

interface Ask {
  data?: Snapshot;
  options?: RouterOptions;
  request?: Partial<RequestFacts>;
  connection?: Partial<ConnectionFacts>;
  ifNoneMatch?: string;
}

function ask(
  target: string,
  { data = plain, options = {}, request: facts = {}, connection: facing = {}, ifNoneMatch }: Ask = {},
): Route {
  return createRouter(data, options).route(request(target, facts), connection(facing), ifNoneMatch ?? null);
}

/** A route in one line: `relay UPSTREAM`, `answer STATUS`, `refuse STATUS CODE`. */
function brief(route: Route): string {
  if (route.kind === 'relay') return `relay ${route.upstream.id}`;
  if (route.kind === 'answer') return `answer ${String(route.answer.status)}`;
  return `refuse ${String(route.refusal.status)} ${route.refusal.code}`;
}

function answerOf(route: Route): { status: number; fields: readonly string[]; body: string } {
  if (route.kind !== 'answer') throw new Error(`not an answer: ${brief(route)}`);
  return route.answer;
}

describe('methods', () => {
  it.each(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH'])('relays %s', (method) => {
    expect(brief(ask('/_matrix/client/versions', { request: { method } }))).toBe('relay homeserver of example.com');
  });

  it.each(['TRACE', 'PRI', 'PROPFIND', 'get', 'Get', '', 'constructor', '__proto__'])(
    'refuses %j with 405 and Allow',
    (method) => {
      const route = ask('/_matrix/client/versions', { request: { method } });
      expect(route).toMatchObject({
        kind: 'refuse',
        matrix: true,
        refusal: {
          status: 405,
          errcode: 'M_UNRECOGNIZED',
          code: 'METHOD_UNKNOWN',
          allow: 'GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH',
        },
      });
    },
  );

  it('refuses CONNECT and closes: what follows was meant for a tunnel', () => {
    expect(ask('example.com:443', { request: { method: 'CONNECT' } })).toMatchObject({
      refusal: { status: 405, close: true },
    });
  });

  it('answers OPTIONS *, and nothing else with *', () => {
    expect(brief(ask('*', { request: { method: 'OPTIONS' } }))).toBe('answer 204');
    expect(brief(ask('*'))).toBe('refuse 400 TARGET_INVALID');
  });
});

describe('targets', () => {
  it.each([
    ['http://example.com/_matrix/client/versions', 'TARGET_ABSOLUTE'],
    ['https://other.example/', 'TARGET_ABSOLUTE'],
    ['', 'TARGET_INVALID'],
    ['_matrix/client/versions', 'TARGET_INVALID'],
    ['?x', 'TARGET_INVALID'],
    ['/_matrix/x#y', 'TARGET_INVALID'],
    ['/_matrix/x?a#y', 'TARGET_INVALID'],
    ['/_matrix/\x80', 'TARGET_INVALID'],
    ['/_matrix/\xe2\x82\xac', 'TARGET_INVALID'],
    ['/_matrix/a b', 'TARGET_INVALID'],
    ['/_matrix/a\tb', 'TARGET_INVALID'],
    ['/_matrix/a\x7fb', 'TARGET_INVALID'],
    ['/_matrix/a\0b', 'TARGET_INVALID'],
    ['/_matrix/a%00b', 'TARGET_INVALID'],
  ])('refuses %j with 400 %s', (target, code) => {
    expect(brief(ask(target))).toBe(`refuse 400 ${code}`);
  });

  it.each([
    '/_matrix/client/v3/profile/@a%2Fb%3Aexample.com',
    '/_matrix/client/v3/x/{}|^`"<>\'()*',
    '/_matrix/client/v3/x/%zz%',
    '/_matrix/federation/v1/query/directory?room_alias=%23a%00b',
    '/_matrix/client/versions?',
    '/_matrix/client/v3/x?redirect=/_synapse/admin/../..',
    '/_matrix/client/v3/x?http://other.example/',
  ])('leaves %s to the homeserver', (target) => {
    expect(brief(ask(target))).toBe('relay homeserver of example.com');
  });

  it.each(['GET', 'HEAD'])('refuses %s with a body', (method) => {
    expect(ask('/_matrix/client/versions', { request: { method, hasBody: true } })).toMatchObject({
      refusal: { status: 400, code: 'BODY_UNEXPECTED', close: true },
    });
  });
});

describe('Host', () => {
  it.each([
    ['example.com', 'example.com'],
    ['EXAMPLE.com:443', 'example.com'],
    ['example.com.:8448', 'example.com'],
    ['matrix.example.com', 'example.com'],
    ['other.example', 'other.example'],
  ])('%s leads to %s', (authority, expected) => {
    expect(ask('/_matrix/client/versions', { request: { authority } }).site).toBe(expected);
  });

  it.each(['nobody.example', 'example.org:8448', '203.0.113.1', '[2001:db8::1]:8448'])(
    '%s is 421 on https',
    (authority) => {
      const route = ask('/_matrix/client/versions', { request: { authority } });
      expect(brief(route)).toBe('refuse 421 HOST_UNKNOWN');
      expect(route).toMatchObject({ site: '-', matrix: true, refusal: { errcode: 'M_UNRECOGNIZED' } });
    },
  );

  it.each(['203.0.113.1', '203.0.113.1:8448', '[2001:db8::1]:8448'])(
    '%s leads to the default site on federation listeners',
    (authority) => {
      const route = ask('/_matrix/key/v2/server', { request: { authority }, connection: { role: 'federation' } });
      expect(brief(route)).toBe('relay homeserver of example.com');
    },
  );

  it.each(['', 'a b', 'example.com/x', 'user@example.com', '[::1', 'example.com#x', 'a?b', 'a\\b'])(
    '%j is 400',
    (authority) => {
      expect(brief(ask('/', { request: { authority } }))).toBe('refuse 400 HOST_INVALID');
    },
  );
});

describe('SNI and Host', () => {
  it.each([
    [null, [], 'other.example', 'relay homeserver of other.example'],
    ['example.com', ['example.com'], 'example.com', 'relay homeserver of example.com'],
    ['example.com', ['example.com'], 'example.com:8448', 'relay homeserver of example.com'],
    ['example.com', ['example.com'], 'EXAMPLE.com.', 'relay homeserver of example.com'],
    ['example.com', ['example.com'], 'matrix.example.com', 'relay homeserver of example.com'],
    ['example.com', ['example.com'], 'other.example', 'refuse 421 HOST_NOT_SNI'],
    ['example.com', ['example.com', 'other.example'], 'other.example', 'relay homeserver of other.example'],
    ['a.wild.example', ['*.wild.example'], 'other.example', 'refuse 421 HOST_NOT_SNI'],
  ])('SNI %s, certificate for %j, Host %s: %s', (servername, certificateNames, authority, expected) => {
    const route = ask('/_matrix/client/versions', {
      request: { authority },
      connection: { servername, certificateNames },
    });
    expect(brief(route)).toBe(expected);
  });

  it('lets an IP-literal Host through to the site of the SNI', () => {
    const facing = { role: 'federation', servername: 'example.com', certificateNames: ['example.com'] } as const;
    expect(
      brief(ask('/_matrix/key/v2/server', { request: { authority: '203.0.113.1:8448' }, connection: facing })),
    ).toBe('relay homeserver of example.com');
  });
});

describe('discovery documents', () => {
  it.each(['https', 'federation'] as const)('are served on %s listeners', (role) => {
    const answer = answerOf(ask('/.well-known/matrix/server', { connection: { role } }));
    expect(answer).toMatchObject({ status: 200, body: '{"m.server":"matrix.example.com:443"}' });
    expect(fieldOf(answer.fields, 'Content-Type')).toBe('application/json');
    expect(fieldOf(answer.fields, 'Cache-Control')).toBe('public, max-age=600');
    expect(fieldOf(answer.fields, 'Access-Control-Allow-Origin')).toBe('*');
    expect(fieldOf(answer.fields, 'ETag')).toMatch(/^"[\w-]{22}"$/);
  });

  it('answers HEAD as GET, and a query does not matter', () => {
    expect(ask('/.well-known/matrix/client?x', { request: { method: 'HEAD' } })).toEqual(
      ask('/.well-known/matrix/client'),
    );
  });

  it('answers 304 with CORS to a matching If-None-Match', () => {
    const { fields } = answerOf(ask('/.well-known/matrix/client'));
    const etag = fieldOf(fields, 'ETag') ?? '';
    for (const ifNoneMatch of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
      const again = answerOf(ask('/.well-known/matrix/client', { ifNoneMatch }));
      expect(again).toMatchObject({ status: 304, body: '' });
      expect(fieldOf(again.fields, 'ETag')).toBe(etag);
      expect(fieldOf(again.fields, 'Access-Control-Allow-Origin')).toBe('*');
    }
    expect(brief(ask('/.well-known/matrix/client', { ifNoneMatch: '"x"' }))).toBe('answer 200');
  });

  it('changes the ETag with the document', () => {
    const etags = ['/.well-known/matrix/client', '/.well-known/matrix/server'].map((path) =>
      fieldOf(answerOf(ask(path)).fields, 'ETag'),
    );
    expect(etags[0]).not.toBe(etags[1]);
  });

  it.each([
    '/.well-known/matrix/support',
    '/.well-known/matrix/policy_server',
    '/.well-known/matrix/nothing',
    '/.well-known/matrix/server/',
  ])('answers 404 M_NOT_FOUND for %s', (path) => {
    expect(ask(path)).toMatchObject({
      matrix: true,
      requestClass: 'discovery',
      refusal: { status: 404, errcode: 'M_NOT_FOUND' },
    });
  });

  it('answers OPTIONS with 204 and CORS, other methods with 405', () => {
    const answer = answerOf(ask('/.well-known/matrix/server', { request: { method: 'OPTIONS' } }));
    expect(answer.status).toBe(204);
    expect(fieldOf(answer.fields, 'Access-Control-Allow-Origin')).toBe('*');
    expect(ask('/.well-known/matrix/server', { request: { method: 'PUT' } })).toMatchObject({
      matrix: true,
      refusal: { status: 405, errcode: 'M_UNRECOGNIZED', allow: 'GET, HEAD, OPTIONS' },
    });
  });

  it('serves other well-known paths from the fallback', () => {
    expect(brief(ask('/.well-known/security.txt'))).toBe('refuse 404 FALLBACK_STATUS');
  });
});

describe('CORS preflight', () => {
  it.each(['/_matrix/client/v3/sync', '/_matrix/anything', '/_synapse/client/x'])(
    'answers OPTIONS %s itself',
    (path) => {
      const answer = answerOf(ask(path, { request: { method: 'OPTIONS' } }));
      expect(answer).toMatchObject({ status: 204, body: '' });
      expect(fieldOf(answer.fields, 'Access-Control-Allow-Headers')).toContain('Authorization');
    },
  );

  it('knows the rendezvous fields', () => {
    const path = '/_matrix/client/unstable/org.matrix.msc4108/rendezvous';
    const answer = answerOf(ask(path, { request: { method: 'OPTIONS' } }));
    expect(fieldOf(answer.fields, 'Access-Control-Allow-Headers')).toContain('If-Match');
  });

  it('leaves OPTIONS elsewhere to the fallback', () => {
    expect(brief(ask('/', { request: { method: 'OPTIONS' } }))).toBe('refuse 404 FALLBACK_STATUS');
  });
});

describe('relaying', () => {
  it.each([
    ['GET', '/_matrix/client/v3/sync?timeout=30000', 'sync'],
    ['POST', '/_matrix/client/v3/join/%23a%3Ab', 'join'],
    ['PUT', '/_matrix/federation/v1/send/123', 'transaction'],
    ['POST', '/_matrix/media/v3/upload', 'media_up'],
    ['GET', '/_matrix/client/v1/media/download/a/b', 'media_down'],
    ['GET', '/_matrix/client/versions', 'client'],
    ['GET', '/_matrix/key/v2/server', 'federation'],
    ['GET', '/_synapse/client/pick_idp', 'client'],
  ] as const)('%s %s gets the class %s and its limits', (method, target, requestClass) => {
    expect(ask(target, { request: { method } })).toMatchObject({
      kind: 'relay',
      site: 'example.com',
      requestClass,
      limits: plain.limits.classes[requestClass],
    });
  });

  it('hands out the same route object for the same endpoint', () => {
    const router = createRouter(plain);
    const one = router.route(request('/_matrix/client/v3/rooms/a/messages'), connection(), null);
    const two = router.route(request('/_matrix/client/v3/rooms/b/messages?x'), connection(), null);
    expect(two).toBe(one);
    expect(Object.isFrozen(one)).toBe(true);
  });

  it.each(['https', 'federation'] as const)('relays clients and servers on %s listeners', (role) => {
    expect(brief(ask('/_matrix/client/versions', { connection: { role } }))).toBe('relay homeserver of example.com');
    expect(brief(ask('/_matrix/federation/v1/version', { connection: { role } }))).toBe(
      'relay homeserver of example.com',
    );
  });

  it.each([
    ['/_matrix/federation/v1/version', 'relay federation'],
    ['/_matrix/key/v2/server', 'relay federation'],
    ['/_matrix/federation/v1/media/download/x', 'relay federation'],
    ['/_matrix/media/v3/download/a/b', 'relay homeserver of example.com'],
    ['/_matrix/client/versions', 'relay homeserver of example.com'],
  ])('sends %s to %s when federation has a listener of its own', (target, expected) => {
    const data = snapshot([site('example.com', { federation: upstream('federation') })]);
    expect(brief(ask(target, { data }))).toBe(expected);
  });
});

describe('closed and exposed paths', () => {
  const exposing = snapshot([
    site('example.com', {
      expose: [
        { path: '/_synapse/admin', from: ['10.0.0.0/8', '2001:db8::/32'] },
        { path: '/_synapse/metrics/', from: [] },
        { path: '/health', from: [] },
      ],
    }),
  ]);

  it.each([
    '/_synapse/admin/v1/users',
    '/_synapse/replication/x',
    '/_synapse/metrics',
    '/_synapse/mas/x',
    '/_dendrite/monitor/up',
    '/_SYNAPSE/admin',
  ])('%s is 403 M_FORBIDDEN', (path) => {
    for (const role of ['https', 'federation'] as const) {
      expect(ask(path, { connection: { role } })).toMatchObject({
        matrix: true,
        refusal: { status: 403, errcode: 'M_FORBIDDEN', code: 'PATH_CLOSED' },
      });
    }
  });

  it.each([
    ['/_synapse/admin/v1/users', '10.1.2.3', 'relay homeserver of example.com'],
    ['/_synapse/admin/v1/users', '2001:db8::5', 'relay homeserver of example.com'],
    ['/_synapse/admin/v1/users', '192.0.2.1', 'refuse 403 PATH_CLOSED'],
    ['/_synapse/adminx', '10.1.2.3', 'refuse 403 PATH_CLOSED'],
    ['/_synapse/replication', '10.1.2.3', 'refuse 403 PATH_CLOSED'],
    ['/_synapse/admin/../replication/x', '10.1.2.3', 'refuse 403 PATH_AMBIGUOUS'],
    ['/_synapse/admin/..%2freplication/x', '10.1.2.3', 'refuse 403 PATH_AMBIGUOUS'],
    ['/_synapse/admin/../replication/x', '192.0.2.1', 'refuse 403 PATH_CLOSED'],
    ['/_synapse/metrics', '192.0.2.1', 'relay homeserver of example.com'],
    ['/_synapse/metrics/x', '192.0.2.1', 'relay homeserver of example.com'],
    ['/health', '192.0.2.1', 'relay homeserver of example.com'],
    ['/health/../metrics', '192.0.2.1', 'refuse 403 PATH_AMBIGUOUS'],
    ['/healthy', '192.0.2.1', 'refuse 404 FALLBACK_STATUS'],
  ])('%s from %s: %s', (path, peer, expected) => {
    expect(brief(ask(path, { data: exposing, connection: { peer } }))).toBe(expected);
  });

  it('lets the homeserver answer OPTIONS on what is exposed', () => {
    const route = ask('/_synapse/admin/v1/users', {
      data: exposing,
      request: { method: 'OPTIONS' },
      connection: { peer: '10.0.0.1' },
    });
    expect(brief(route)).toBe('relay homeserver of example.com');
  });

  it.each([
    '/_matrix/../_synapse/admin/v1/x',
    '/_matrix/..;/_synapse/admin',
    '//_synapse/admin',
    '/%5fsynapse/admin',
    '/x/../_synapse/admin',
  ])('%s is refused, not resolved', (path) => {
    expect(brief(ask(path))).toBe('refuse 403 PATH_AMBIGUOUS');
  });
});

describe('only: federation', () => {
  const only = { role: 'federation', only: 'federation' } as const;
  it.each([
    ['/_matrix/federation/v1/version', 'relay homeserver of example.com'],
    ['/_matrix/federation/v1/user/devices/@a%2F..%2Fb:c', 'relay homeserver of example.com'],
    ['/_matrix/key/v2/server', 'relay homeserver of example.com'],
    ['/_matrix/media/v3/download/a/b', 'relay homeserver of example.com'],
    ['/_matrix/media/v3/upload', 'refuse 404 PATH_NOT_FEDERATION'],
    ['/_matrix/client/versions', 'refuse 404 PATH_NOT_FEDERATION'],
    ['/_synapse/client/pick_idp', 'refuse 404 PATH_NOT_FEDERATION'],
    ['/', 'refuse 404 PATH_NOT_FEDERATION'],
    ['/_synapse/admin/x', 'refuse 403 PATH_CLOSED'],
    ['/.well-known/matrix/server', 'answer 200'],
    ['/_matrix/federation/../client/v3/login', 'refuse 403 PATH_AMBIGUOUS'],
    ['/_matrix/federation/%2e%2e/client/v3/login', 'refuse 403 PATH_AMBIGUOUS'],
    ['/_matrix/federation%2f../client/v3/login', 'refuse 403 PATH_AMBIGUOUS'],
    ['/_matrix/media/v3/download/../upload', 'refuse 403 PATH_AMBIGUOUS'],
  ])('%s: %s', (target, expected) => {
    expect(brief(ask(target, { connection: only }))).toBe(expected);
  });
});

describe('http listeners', () => {
  const http = { role: 'http', localPort: 80 } as const;

  it.each([
    ['/', 'example.com', 'https://example.com/'],
    ['/a?b=%2F..', 'EXAMPLE.com:80', 'https://example.com/a?b=%2F..'],
    ['//evil.example/x', 'example.com', 'https://example.com//evil.example/x'],
    ['/_matrix/client/versions', 'matrix.example.com', 'https://matrix.example.com/_matrix/client/versions'],
    ['/.well-known/matrix/client', 'example.com', 'https://example.com/.well-known/matrix/client'],
  ])('sends %s of %s to %s', (target, authority, location) => {
    const answer = answerOf(ask(target, { request: { authority }, connection: http }));
    expect(answer.status).toBe(308);
    expect(fieldOf(answer.fields, 'Location')).toBe(location);
  });

  it('redirects discovery with CORS', () => {
    const answer = answerOf(ask('/.well-known/matrix/client', { connection: http }));
    expect(fieldOf(answer.fields, 'Access-Control-Allow-Origin')).toBe('*');
  });

  it.each([
    [[listener('http', 80), listener('https', 8443)], undefined, 'https://example.com:8443/x'],
    [[listener('http', 80), listener('https', 0)], undefined, 'https://example.com/x'],
    [[listener('http', 80), listener('https', 0)], 18443, 'https://example.com:18443/x'],
    [[listener('http', 80)], undefined, 'https://example.com/x'],
  ])('takes the port from %j (given: %s): %s', (listeners, httpsPort, location) => {
    const data = snapshot(plain.sites, { listeners });
    const answer = answerOf(
      ask('/x', { data, connection: http, options: httpsPort === undefined ? {} : { httpsPort } }),
    );
    expect(fieldOf(answer.fields, 'Location')).toBe(location);
  });

  it('refuses unknown hosts: no open redirect', () => {
    expect(brief(ask('/', { request: { authority: 'evil.example' }, connection: http }))).toBe(
      'refuse 421 HOST_UNKNOWN',
    );
  });

  describe('ACME challenges', () => {
    const options = { challenges: { http01: (token: string) => (token === 'to_ken-1' ? 'token.thumbprint' : null) } };
    const HERE = '/.well-known/acme-challenge/';
    const anyHost = { options, connection: http, request: { authority: 'not-yet.example' } };

    it.for(['not-yet.example', '192.0.2.1', '[2001:db8::1]:80', 'example.com'])(
      'answers them for Host %s',
      (authority) => {
        for (const connection of [http, {}, { role: 'federation' as const }, { only: 'federation' as const }]) {
          const answer = answerOf(ask(`${HERE}to_ken-1`, { options, connection, request: { authority } }));
          expect(answer).toMatchObject({ status: 200, body: 'token.thumbprint' });
          expect(fieldOf(answer.fields, 'Content-Type')).toBe('application/octet-stream');
        }
      },
    );

    it('answers HEAD and ignores a query, and leaves other methods to what follows', () => {
      expect(brief(ask(`${HERE}to_ken-1`, { ...anyHost, request: { method: 'HEAD' } }))).toBe('answer 200');
      expect(brief(ask(`${HERE}to_ken-1?x=/../`, anyHost))).toBe('answer 200');
      expect(brief(ask(`${HERE}to_ken-1`, { options, connection: http, request: { method: 'POST' } }))).toBe(
        'answer 308',
      );
    });

    it('routes a token that is not known as any other path', () => {
      expect(brief(ask(`${HERE}other`, anyHost))).toBe('refuse 421 HOST_UNKNOWN');
      expect(brief(ask(`${HERE}other`, { options, connection: http }))).toBe('answer 308');
      expect(brief(ask(`${HERE}other`, { options }))).toBe('refuse 404 FALLBACK_STATUS');
      expect(brief(ask('/.well-known/acme-challenge', { options, connection: http }))).toBe('answer 308');
    });

    it.for([
      '',
      '../../x',
      'a/b',
      'to_ken-1/',
      'a%2Fb',
      '%2e%2e',
      'to%5fken-1',
      'to.ken',
      'x'.repeat(129),
      'to_ken-1;a',
      '__proto__/x',
    ])('on http, %j can be no token: 404 for any Host', (token) => {
      expect(brief(ask(HERE + token, anyHost))).toBe('refuse 404 CHALLENGE_PATH_INVALID');
      expect(brief(ask(HERE + token, { options, connection: http, request: { method: 'POST' } }))).toBe(
        'refuse 404 CHALLENGE_PATH_INVALID',
      );
      // Elsewhere it is the fallback's, which may be a web server with challenges of its own.
      expect(brief(ask(HERE + token, { options }))).not.toContain('CHALLENGE');
    });

    it('without anybody who knows challenges, the path is one as any other', () => {
      expect(brief(ask(`${HERE}../x`, { connection: http }))).toBe('answer 308');
    });
  });
});

describe('the URI canary', () => {
  const TARGET = "/_matrix/portico/canary/x/%2F%25//';?q=%2F//";
  const asked: string[] = [];
  const options: RouterOptions = {
    canary: (method, target) => {
      asked.push(`${method} ${target}`);
      return method === 'GET' && target === TARGET ? '{"received":""}' : null;
    },
  };

  it('is answered as it came, on every role that speaks TLS', () => {
    for (const connection of [{}, { role: 'federation' as const }, { only: 'federation' as const }]) {
      const route = ask(TARGET, { options, connection });
      expect(route).toMatchObject({
        kind: 'answer',
        site: 'example.com',
        requestClass: 'federation',
        rule: 'URI canary',
        answer: { status: 200, body: '{"received":""}' },
      });
      const { fields } = answerOf(route);
      expect(fieldOf(fields, 'Content-Type')).toBe('application/json');
      expect(fieldOf(fields, 'Cache-Control')).toBe('no-store');
    }
  });

  it('comes after the checks of method, target, Host and SNI', () => {
    asked.length = 0;
    expect(brief(ask(TARGET, { options, request: { method: 'TRACE' } }))).toMatch(/^refuse 405 /);
    expect(brief(ask(`${TARGET}#`, { options }))).toBe('refuse 400 TARGET_INVALID');
    expect(brief(ask(TARGET, { options, request: { hasBody: true } }))).toBe('refuse 400 BODY_UNEXPECTED');
    expect(brief(ask(TARGET, { options, request: { authority: 'unknown.example' } }))).toMatch(/^refuse 421 /);
    expect(brief(ask(TARGET, { options, connection: { role: 'http' } }))).toBe('answer 308');
    const elsewhere = { servername: 'other.example', certificateNames: ['other.example'] };
    expect(brief(ask(TARGET, { options, connection: elsewhere }))).toBe('refuse 421 HOST_NOT_SNI');
    expect(asked).toEqual([]);
  });

  it.for<[string, string]>([
    ['GET', '/_matrix/portico/canary/y'],
    ['GET', "/_matrix/portico/canary/x/%2F%25//';?q="],
    ['POST', TARGET],
    ['HEAD', TARGET],
    ['OPTIONS', TARGET],
    ['GET', '/_matrix/client/versions'],
    ['GET', '/_synapse/admin/v1/users'],
    ['GET', '/_matrix/%2e%2e/_synapse/admin/x'],
    ['GET', '/elsewhere'],
  ])('when it is none, %s %s is routed as without it', ([method, target]) => {
    const withIt = ask(target, { options, request: { method } });
    expect(withIt).toEqual(ask(target, { request: { method } }));
    expect(withIt.rule).not.toBe('URI canary');
    expect(ask(target, { options: { canary: null }, request: { method } })).toEqual(withIt);
  });
});

describe('fallback', () => {
  it('answers a status', () => {
    expect(ask('/')).toMatchObject({
      kind: 'refuse',
      matrix: false,
      requestClass: 'site',
      refusal: { status: 404, errcode: 'M_UNRECOGNIZED' },
    });
    const data = snapshot([site('example.com', { fallback: { kind: 'status', status: 204 } })]);
    expect(brief(ask('/', { data }))).toBe('answer 204');
  });

  it('redirects to a fixed URL', () => {
    const answer = answerOf(ask('/anything?x', { request: { authority: 'other.example' } }));
    expect(answer.status).toBe(302);
    expect(fieldOf(answer.fields, 'Location')).toBe('https://www.other.example/');
  });

  it('relays to another upstream', () => {
    const data = snapshot([site('example.com', { fallback: { kind: 'proxy', upstream: upstream('element') } })]);
    expect(ask('/', { data })).toMatchObject({
      kind: 'relay',
      requestClass: 'site',
      upstream: { id: 'element' },
    });
    expect(brief(ask('/x//y/../z%2F', { data }))).toBe('relay element');
    expect(brief(ask('/x/../_matrix/client/versions', { data }))).toBe('refuse 403 PATH_AMBIGUOUS');
  });

  it('relays to the server of its files, and cannot be built without one', () => {
    const data = snapshot([site('example.com', { fallback: { kind: 'files', directory: '/srv/www' } })]);
    const options = { filesUpstreams: new Map([['/srv/www', upstream('files:/srv/www')]]) };
    expect(brief(ask('/index.html', { data, options }))).toBe('relay files:/srv/www');
    expect(() => createRouter(data)).toThrow(expect.objectContaining({ code: 'FILES_SERVER_MISSING' }));
  });
});

describe('every route', () => {
  it.each([
    ['/', '/', 'fallback: status'],
    ['relay', '/_matrix/client/v3/sync', 'homeserver: * /_matrix/client/{version}/sync'],
    ['document', '/.well-known/matrix/server', 'discovery: /.well-known/matrix/server'],
    ['closed', '/_dendrite/x', 'closed path'],
  ])('says which rule decided: %s', (_, target, rule) => {
    expect(ask(target).rule).toBe(rule);
  });
});
