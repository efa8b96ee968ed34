/** Discovery documents (Matrix "Well-known URIs") as they leave the socket: bodies, CORS, caching, HEAD and OPTIONS. */
import { describe, expect } from 'vitest';
import type { ConfigInput } from '../helpers/portico.ts';
import type { RawResponse } from '../helpers/http-response.ts';
import { expectMatrixError, get, request, test } from '../helpers/stage.ts';

const wellKnown = (config: ConfigInput): void => {
  Object.assign(config.sites[0], {
    delegation: 'well-known',
    delegated_name: 'matrix.example.test:443',
    well_known: {
      client: { 'org.example.key': { a: 1 } },
      support: { contacts: [{ role: 'm.role.admin', matrix_id: '@admin:example.test' }] },
      max_age: '10m',
    },
  });
};

function expectCors(seen: RawResponse): void {
  expect(seen.values('access-control-allow-origin')).toEqual(['*']);
  expect(seen.values('access-control-allow-methods')).toHaveLength(1);
  expect(seen.values('access-control-allow-headers')).toHaveLength(1);
}

describe('documents', () => {
  test.for<readonly [string, unknown]>([
    ['/.well-known/matrix/server', { 'm.server': 'matrix.example.test:443' }],
    [
      '/.well-known/matrix/client',
      {
        'm.homeserver': { base_url: expect.stringMatching(/^https:\/\/matrix\.example\.test\/?$/) as unknown },
        'org.example.key': { a: 1 },
      },
    ],
    ['/.well-known/matrix/support', { contacts: [{ role: 'm.role.admin', matrix_id: '@admin:example.test' }] }],
  ])('%s', async ([target, document], { stage }) => {
    const front = await stage.front(undefined, wellKnown);
    const client = await front.connect();
    await client.send(get(target));
    const seen = await client.readResponse();
    expect(seen.status).toBe(200);
    expect(seen.field('content-type')).toBe('application/json');
    expect(seen.json()).toEqual(document);
    expectCors(seen);
    expect(seen.field('cache-control')).toMatch(/max-age=600\b/);
    const etag = seen.field('etag') ?? '';
    expect(etag).toMatch(/^"[^"]+"$/);

    await client.send(request(`HEAD ${target} HTTP/1.1`, 'Host: example.test'));
    const head = await client.readResponse({ method: 'HEAD' });
    expect(head.status).toBe(200);
    expect(head.field('content-length')).toBe(String(seen.body.length));
    expect(head.field('etag')).toBe(etag);
    expectCors(head);

    await client.send(get(target, 'example.test', `If-None-Match: ${etag}`));
    const unchanged = await client.readResponse();
    expect(unchanged.status).toBe(304);
    expect(unchanged.field('etag')).toBe(etag);
    expectCors(unchanged);

    await client.send(
      request(
        `OPTIONS ${target} HTTP/1.1`,
        'Host: example.test',
        'Origin: https://app.test',
        'Access-Control-Request-Method: GET',
      ),
    );
    const options = await client.readResponse({ method: 'OPTIONS' });
    expect(options.status).toBe(204);
    expectCors(options);

    await client.send(request(`PUT ${target} HTTP/1.1`, 'Host: example.test', 'Content-Length: 2') + '{}');
    expectMatrixError(await client.readResponse({ method: 'PUT' }), 405, 'M_UNRECOGNIZED');
    expect(front.backend.text()).toBe('');
  });

  test('a query changes nothing', async ({ stage }) => {
    const front = await stage.front(undefined, wellKnown);
    const client = await front.connect();
    await client.send(get('/.well-known/matrix/server?x=1'));
    expect((await client.readResponse()).json()).toEqual({ 'm.server': 'matrix.example.test:443' });
  });

  test('they are of the site that Host names', async ({ stage }) => {
    const front = await stage.front(undefined, wellKnown);
    const client = await front.connect({ servername: 'other.test' });
    await client.send(get('/.well-known/matrix/client', 'other.test'));
    const seen = await client.readResponse();
    expect(seen.json()).toEqual({
      'm.homeserver': { base_url: expect.stringMatching(/^https:\/\/other\.test\/?$/) as unknown },
    });
    await client.send(get('/.well-known/matrix/server', 'other.test'));
    expectMatrixError(await client.readResponse(), 404, 'M_NOT_FOUND');
  });
});

describe('documents a site does not have: 404 M_NOT_FOUND with CORS, never relayed', () => {
  test.for([
    '/.well-known/matrix/server',
    '/.well-known/matrix/support',
    '/.well-known/matrix/policy_server',
    '/.well-known/matrix/unknown',
    '/.well-known/matrix/',
  ])('%s', async (target, { stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(get(target));
    expectMatrixError(await client.readResponse(), 404, 'M_NOT_FOUND');
    expect(front.backend.text()).toBe('');
  });

  test('with delegation: srv a server document would take precedence over SRV', async ({ stage }) => {
    const front = await stage.front(undefined, (config) => {
      config.sites[0].delegation = 'srv';
    });
    const client = await front.connect();
    await client.send(get('/.well-known/matrix/server'));
    expectMatrixError(await client.readResponse(), 404, 'M_NOT_FOUND');
  });
});

describe('the http listener', () => {
  test('redirects to https, target kept byte for byte', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect({ listener: 'http' });
    await client.send(get('/a%2Fb//c?x=%20y', 'example.test'));
    const seen = await client.readResponse();
    expect([301, 302, 307, 308]).toContain(seen.status);
    expect(seen.field('location')).toMatch(/^https:\/\/example\.test(:\d+)?\/a%2Fb\/\/c\?x=%20y$/);
    expect(front.backend.text()).toBe('');
  });

  test('redirects discovery with CORS', async ({ stage }) => {
    const front = await stage.front(undefined, wellKnown);
    const client = await front.connect({ listener: 'http' });
    await client.send(get('/.well-known/matrix/client', 'example.test'));
    const seen = await client.readResponse();
    expect(seen.status).toBeGreaterThanOrEqual(300);
    expect(seen.status).toBeLessThan(400);
    expectCors(seen);
  });

  test('never relays a Matrix request: a token must not pass in the clear', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect({ listener: 'http' });
    await client.send(get('/_matrix/client/v3/sync', 'example.test', 'Authorization: Bearer secret'));
    const seen = await client.readResponse();
    expect(seen.status).toBeGreaterThanOrEqual(300);
    expect(seen.status).toBeLessThan(500);
    expect(front.backend.text()).toBe('');
  });

  test('does not redirect to a host that is not ours', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect({ listener: 'http' });
    await client.send(get('/', 'evil.test'));
    const seen = await client.readResponse();
    expect(seen.status).toBeGreaterThanOrEqual(400);
    expect(seen.values('location')).toEqual([]);
  });

  test('an unknown ACME token is not found, or looked for over https; the homeserver is not asked', async ({
    stage,
  }) => {
    const front = await stage.front();
    const client = await front.connect({ listener: 'http' });
    await client.send(get('/.well-known/acme-challenge/unknown', 'example.test'));
    expect([301, 302, 307, 308, 404]).toContain((await client.readResponse()).status);
    expect(front.backend.text()).toBe('');
  });
});
