/**
 * Host (RFC 9110 §7.2, RFC 9112 §3.2) and request target: which are refused, which must pass byte for byte because the
 * X-Matrix signature covers them, and that no spelling of a path reaches what is not exposed.
 */
import { describe, expect } from 'vitest';
import { barrier, executedBeside, expectClose, expectMatrixError, get, request, test } from '../helpers/stage.ts';

const PATH = '/_matrix/client/v3/probe';

describe('a Host that is not one host: 400, close, nothing upstream', () => {
  test.for<readonly [name: string, fields: readonly string[]]>([
    ['absent', []],
    ['empty', ['Host:']],
    ['twice, different', ['Host: example.test', 'Host: evil.test']],
    ['twice, equal', ['Host: example.test', 'Host: example.test']],
    ['twice, other spelling', ['Host: example.test', 'host: other.test']],
    ['with a path', ['Host: example.test/x']],
    ['with userinfo', ['Host: user@example.test']],
    ['with an inner space', ['Host: example.test evil.test']],
    ['with an inner tab', ['Host: example.test\tevil.test']],
    ['a list', ['Host: example.test, evil.test']],
    ['an open bracket', ['Host: [::1']],
    ['a closing bracket only', ['Host: ::1]']],
    ['a bare IPv6 address', ['Host: ::1']],
    ['a port that is no number', ['Host: example.test:http']],
    ['a port too large', ['Host: example.test:65536']],
    ['two ports', ['Host: example.test:443:443']],
    ['a query', ['Host: example.test?x']],
    ['a fragment', ['Host: example.test#x']],
    ['a percent escape', ['Host: example%2etest']],
    ['a high byte', ['Host: ex\xe4mple.test']],
    ['a backslash', ['Host: example.test\\x']],
    ['a full URL', ['Host: https://example.test']],
  ])('%s', async ([, fields], { stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(request(`GET ${PATH} HTTP/1.1`, ...fields));
    const answer = await client.readResponse();
    expectMatrixError(answer, 400, 'M_UNKNOWN');
    await expectClose(client, answer);
    await barrier(front);
    expect(executedBeside(front.backend)).toEqual([]);
  });
});

describe('a Host that belongs elsewhere: 421 M_UNRECOGNIZED', () => {
  test.for<readonly [name: string, servername: string, host: string]>([
    ['no site has it', 'example.test', 'unknown.test'],
    ['a subdomain of a site', 'example.test', 'sub.example.test'],
    ['a name that merely ends in a site name', 'example.test', 'evilexample.test'],
    ['another site than SNI, with another certificate', 'example.test', 'other.test'],
    ['the other way round', 'other.test', 'example.test'],
    ['a host of another site', 'other.test', 'matrix.example.test'],
    ['a site of the wildcard certificate, asked over another one', 'example.test', 'one.wild.test'],
  ])('%s', async ([, servername, host], { stage }) => {
    const front = await stage.front();
    const client = await front.connect({ servername });
    await client.send(get(PATH, host));
    expectMatrixError(await client.readResponse(), 421, 'M_UNRECOGNIZED');
    await barrier(front);
    expect(executedBeside(front.backend)).toEqual([]);
  });

  test('on the federation listener, too', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect({ servername: 'example.test', listener: 'federation' });
    await client.send(get('/_matrix/federation/v1/version', 'other.test'));
    expectMatrixError(await client.readResponse(), 421, 'M_UNRECOGNIZED');
  });

  test('a name of the certificate that was served may be asked on the same connection', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect({ servername: 'one.wild.test' });
    await client.send(get(`${PATH}?1`, 'one.wild.test'));
    expect((await client.readResponse()).status).toBe(200);
    await client.send(get(`${PATH}?2`, 'two.wild.test'));
    expect((await client.readResponse()).status).toBe(200);
    expect(front.backend.requests.map((one) => one.values('host'))).toEqual([['one.wild.test'], ['two.wild.test']]);
  });
});

describe('a Host of the site passes as sent', () => {
  test.for([
    'example.test',
    'matrix.example.test',
    'EXAMPLE.Test',
    'example.test:443',
    'example.test:8448',
    'example.test:65535',
  ])('Host: %s', async (host, { stage }) => {
    const front = await stage.front();
    const client = await front.connect({ listener: host.endsWith(':8448') ? 'federation' : 'https' });
    await client.send(get(PATH, host));
    const answer = await client.readResponse();
    expect(answer.status).toBe(200);
    expect(front.backend.requests[0]?.values('host')).toEqual([host]);
  });

  test('an IP-literal Host on the federation listener goes to the default site', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect({ servername: null, verifyName: 'example.test', listener: 'federation' });
    await client.send(get('/_matrix/federation/v1/version', `127.0.0.1:${String(front.portico.federation.port)}`));
    expect((await client.readResponse()).status).toBe(200);
  });

  test('an IP-literal Host on the https listener is no site', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect({ servername: null, verifyName: 'example.test' });
    await client.send(get('/_matrix/client/versions', '127.0.0.1'));
    expectMatrixError(await client.readResponse(), 421, 'M_UNRECOGNIZED');
  });
});

describe('a target that is none: 400, close, nothing upstream', () => {
  test.for<readonly [name: string, target: string]>([
    ['absolute-form of this host', `https://example.test${PATH}`],
    ['absolute-form of another host', `http://evil.test${PATH}`],
    ['absolute-form with a Matrix path', 'http://127.0.0.1:8008/_matrix/client/versions'],
    ['asterisk', '*'],
    ['authority-form', 'example.test:443'],
    ['a relative path', '_matrix/client/versions'],
    ['a query without a path', '?x=1'],
    ['a fragment', `${PATH}#fragment`],
    ['a fragment in the query', `${PATH}?x=1#y`],
    ['a raw high byte', `${PATH}\x80`],
    ['raw UTF-8', `${PATH}/\xc3\xa4`],
    ['a control byte', `${PATH}\x01`],
    ['a tab', `${PATH}\tx`],
    ['DEL', `${PATH}\x7f`],
  ])('%s', async ([, target], { stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(get(target));
    const answer = await client.readResponse();
    expect(answer.status).toBe(400);
    await expectClose(client, answer);
    await barrier(front);
    expect(executedBeside(front.backend)).toEqual([]);
  });

  test('OPTIONS * is answered here', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(request('OPTIONS * HTTP/1.1', 'Host: example.test'));
    const answer = await client.readResponse({ method: 'OPTIONS' });
    expect(answer.status).toBeLessThan(300);
    await barrier(front);
    expect(executedBeside(front.backend)).toEqual([]);
  });
});

describe('a target passes byte for byte', () => {
  const rooms = '/_matrix/client/v3/rooms/';
  test.for([
    '/_matrix/client/versions?',
    '/_matrix/client/v3/sync?&&=&a=b&a=b',
    `${rooms}%21abc%3Aexample.test/state`,
    `${rooms}!abc:example.test/state`,
    `${rooms}%2F%2f/state`,
    `${rooms}a//b/`,
    `${rooms}a/../b`,
    `${rooms}a/./b`,
    `${rooms}%2e%2e/b`,
    `${rooms}%2E%2e%2Fb`,
    `${rooms}a;b=c/..;/d`,
    `${rooms}%ff%FE`,
    `${rooms}a\\b`,
    `${rooms}{a}|b^c\`d"e<f>`,
    `${rooms}%`,
    `${rooms}%zz`,
    `${rooms}%2`,
    `${rooms}a+b%20c`,
    `${rooms}'()*~,;:@$&=`,
    `${rooms}x?url=https://a.test//b/../c?d=%23&e=[1]`,
    '/_matrix/federation/v1/send/1?x=%C3%A4',
    '/_matrix/federation/v1/query/directory?room_alias=%23a%2Fb%3Aexample.test',
    '/_matrix/client/v3/profile/@a%2Fb=c:example.test/displayname',
    '/_matrix/client/__proto__?constructor=1',
    '/_synapse/client/pick_idp?redirectUrl=https%3A%2F%2Fa',
  ])('%s', async (target, { stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    const authorization = `X-Matrix  origin="o.test" ,\tdestination="example.test",key="ed25519:a",sig="${'A'.repeat(86)}"`;
    await client.send(get(target, 'example.test', `Authorization: ${authorization}`));
    const answer = await client.readResponse();
    expect(answer.status).toBe(200);
    expect(front.backend.requests[0]?.text.split('\r\n')[0]).toBe(`GET ${target} HTTP/1.1`);
    expect(front.backend.requests[0]?.values('authorization')).toEqual([authorization]);
  });

  test.for([`${rooms}%00`, `${rooms}%0d%0aX-A:%20b`, `${rooms}%5c..%5c`, `${rooms}..%2f..%2f..%2f..%2fx`])(
    '%s passes byte for byte or is refused; it is never rewritten',
    async (target, { stage }) => {
      const front = await stage.front();
      const client = await front.connect();
      await client.send(get(target));
      const answer = await client.readResponse();
      expect([200, 400, 403]).toContain(answer.status);
      await barrier(front);
      expect(executedBeside(front.backend)).toEqual(answer.status === 200 ? [`GET ${target}`] : []);
    },
  );

  test('several Authorization fields keep their order and bytes', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    const values = [
      'X-Matrix origin="a.test",key="ed25519:1",sig="x"',
      'X-Matrix origin="a.test",key="ed25519:2",sig="y"',
      'Bearer z',
    ];
    await client.send(
      get('/_matrix/federation/v1/event/x', 'example.test', ...values.map((value) => `Authorization: ${value}`)),
    );
    expect((await client.readResponse()).status).toBe(200);
    expect(front.backend.requests[0]?.values('authorization')).toEqual(values);
  });
});

describe('what is not exposed is reached by no spelling', () => {
  const refused = [
    '/_synapse/admin/v1/users',
    '/_synapse/replication/x',
    '/_synapse/metrics',
    '/_synapse/mas/x',
    '/_dendrite/admin/x',
    '/_matrix/../_synapse/admin/v1/users',
    '/_matrix/client/../../_synapse/admin/v1/users',
    '/_matrix/%2e%2e/_synapse/admin/v1/users',
    '/_matrix/.%2e/_synapse/admin/v1/users',
    '/_matrix/%2E%2E%2F_synapse/admin/v1/users',
    '/_matrix/..%2f_synapse/admin/v1/users',
    '/_matrix/..;/_synapse/admin/v1/users',
    '/_matrix/..\\_synapse/admin/v1/users',
    '/_matrix\\..\\_synapse/admin/v1/users',
    '/_synapse/client/../admin/v1/users',
    '/_synapse/client/%2e%2e/admin/v1/users',
    '/_synapse/client/..%2fadmin/v1/users',
    '/_synapse/client/..;x=y/admin/v1/users',
    '/_synapse/client%2f..%2fadmin/v1/users',
    '/_synapse//admin/v1/users',
    '//_synapse/admin/v1/users',
    '/./_synapse/admin/v1/users',
    '/%5fsynapse/admin/v1/users',
    '/_synapse/%61dmin/v1/users',
    '/_synapse/admin%2fv1/users',
    '/_synapse%2fadmin/v1/users',
    '/_synapse/admin;x/v1/users',
    '/_synapse;x/admin/v1/users',
    '/_SYNAPSE/admin/v1/users',
    '/_synapse/Admin/v1/users',
    '/_synapse\\admin\\v1\\users',
    '/x/../_synapse/admin/v1/users',
    '/_matrix/client/%252e%252e/%252e%252e/_synapse/admin',
    '/_synapse/admin',
    '/_synapse',
    '/_synapse/',
    '/_synapse/other',
    '/health',
    '/metrics',
  ];
  test.for(refused)('%s', async (target, { stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(get(target, 'example.test', 'Accept: application/json'));
    const answer = await client.readResponse();
    // A double escape stays an escape for every homeserver, so that one may pass; it must pass unchanged.
    if (target.includes('%25')) {
      expect([200, 400, 403, 404]).toContain(answer.status);
      await barrier(front);
      expect([[], [`GET ${target}`]]).toContainEqual(executedBeside(front.backend));
      return;
    }
    expect([400, 403, 404]).toContain(answer.status);
    if (/^\/(_synapse\/(admin|replication|metrics|mas)|_dendrite)(\/|$)/.test(target)) {
      expectMatrixError(answer, 403, 'M_FORBIDDEN');
    }
    await barrier(front);
    expect(executedBeside(front.backend)).toEqual([]);
  });

  test('`expose` opens just its prefix, and just to its addresses', async ({ stage }) => {
    const front = await stage.front(undefined, (config) => {
      config.sites[0].expose = [{ path: '/_synapse/admin', from: ['127.0.0.0/8'] }];
      config.sites[1].expose = [{ path: '/_synapse/admin', from: ['192.0.2.0/24'] }];
    });
    const client = await front.connect();
    await client.send(get('/_synapse/admin/v1/users'));
    expect((await client.readResponse()).status).toBe(200);
    await client.send(get('/_synapse/administrators'));
    expect((await client.readResponse()).status).not.toBe(200);
    await client.send(get('/_synapse/replication/x'));
    expectMatrixError(await client.readResponse(), 403, 'M_FORBIDDEN');
    const other = await front.connect({ servername: 'other.test' });
    await other.send(get('/_synapse/admin/v1/users', 'other.test'));
    expectMatrixError(await other.readResponse(), 403, 'M_FORBIDDEN');
    expect(front.backend.executed()).toEqual(['GET /_synapse/admin/v1/users']);
  });

  test('a listener with `only: [federation]` relays no client paths', async ({ stage }) => {
    const front = await stage.front(undefined, (config) => {
      const [, federation] = config.listeners;
      if (federation !== undefined) federation.only = ['federation'];
    });
    const client = await front.connect({ listener: 'federation' });
    await client.send(get('/_matrix/federation/v1/version'));
    expect((await client.readResponse()).status).toBe(200);
    await client.send(get('/_matrix/key/v2/server'));
    expect((await client.readResponse()).status).toBe(200);
    await client.send(get('/_matrix/client/versions'));
    const answer = await client.readResponse();
    expect([403, 404]).toContain(answer.status);
    expect(front.backend.executed()).toEqual(['GET /_matrix/federation/v1/version', 'GET /_matrix/key/v2/server']);
  });
});
