/** What Portico says itself: Matrix-shaped with CORS exactly once where Matrix clients ask, plain elsewhere; preflights. */
import { describe, expect } from 'vitest';
import { answer, response } from '../helpers/recording-backend.ts';
import { expectMatrixError, get, request, test } from '../helpers/stage.ts';

const PATH = '/_matrix/client/v3/probe';
const HOST = 'Host: example.test';

describe('preflight', () => {
  test.for([
    '/_matrix/client/v3/login',
    '/_matrix/federation/v1/version',
    '/_matrix/media/v3/upload',
    '/_matrix/unknown',
  ])('OPTIONS %s: 204 with CORS, not relayed', async (target, { stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(
      request(
        `OPTIONS ${target} HTTP/1.1`,
        HOST,
        'Origin: https://app.test',
        'Access-Control-Request-Method: PUT',
        'Access-Control-Request-Headers: authorization',
      ),
    );
    const seen = await client.readResponse({ method: 'OPTIONS' });
    expect(seen.status).toBe(204);
    expect(seen.values('access-control-allow-origin')).toEqual(['*']);
    expect(seen.field('access-control-allow-methods')).toMatch(/GET.*POST.*PUT.*DELETE.*OPTIONS/);
    expect(seen.field('access-control-allow-headers')).toMatch(/X-Requested-With/i);
    expect(seen.field('access-control-allow-headers')).toMatch(/Content-Type/i);
    expect(seen.field('access-control-allow-headers')).toMatch(/Authorization/i);
    expect(seen.values('content-length')).toEqual([]);
    // The connection carries on.
    await client.send(get(PATH));
    expect((await client.readResponse()).status).toBe(200);
    expect(front.backend.executed()).toEqual([`GET ${PATH}`]);
  });
});

describe('errors of our own under /_matrix', () => {
  test('403, 404-ish and 405 keep the connection', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(get('/_synapse/admin/v1/users'));
    expectMatrixError(await client.readResponse(), 403, 'M_FORBIDDEN');
    await client.send(request(`PROPFIND ${PATH} HTTP/1.1`, HOST));
    expectMatrixError(await client.readResponse(), 405, 'M_UNRECOGNIZED');
    await client.send(get(PATH, 'unknown.test'));
    expectMatrixError(await client.readResponse(), 421, 'M_UNRECOGNIZED');
    await client.send(get(PATH));
    expect((await client.readResponse()).status).toBe(200);
  });

  test('HEAD gets the head of an error, and no body', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(request('HEAD /_synapse/admin/v1/users HTTP/1.1', HOST));
    const seen = await client.readResponse({ method: 'HEAD' });
    expect(seen.status).toBe(403);
    expect(seen.values('access-control-allow-origin')).toEqual(['*']);
    await client.send(get(PATH));
    expect((await client.readResponse()).status).toBe(200);
  });

  test('a 502 names nothing of the inside', async ({ stage }) => {
    const front = await stage.front((exchange) => exchange.write('garbage\r\n\r\n'));
    const client = await front.connect();
    await client.send(get(PATH));
    const seen = await client.readResponse();
    expectMatrixError(seen, 502, 'M_UNKNOWN');
    expect(seen.body.toString()).not.toMatch(/127\.0\.0\.1|\d{5}|ECONN|at .*\.ts|garbage/);
    expect(seen.values('server').join()).not.toMatch(/node/i);
  });

  test('requests with a body that is refused by route do not poison the next request', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    const smuggled = get('/_matrix/client/smuggled');
    await client.send(
      request('POST /_synapse/admin/x HTTP/1.1', HOST, `Content-Length: ${String(smuggled.length)}`) +
        smuggled +
        get(PATH),
    );
    const refused = await client.readResponse();
    expectMatrixError(refused, 403, 'M_FORBIDDEN');
    if (refused.field('connection') === 'close') expect((await client.readUntilClose()).toString()).toBe('');
    else expect((await client.readResponse()).status).toBe(200);
    expect(front.backend.executed()).not.toContain('GET /_matrix/client/smuggled');
  });
});

describe('the homeserver’s own answers', () => {
  test.for([200, 400, 401, 403, 404, 429, 500, 502, 503])(
    '%i passes untouched, without a second set of CORS',
    async (status, { stage }) => {
      const body = `{"errcode":"M_TEST","error":"${'é'.normalize('NFD')} \\u0000"}`;
      const front = await stage.front(
        answer(
          response(status, Buffer.from(body).toString('latin1'), [
            'Content-Type: application/json',
            'Access-Control-Allow-Origin: https://app.test',
            'Access-Control-Allow-Methods: GET',
            'Retry-After: 7',
          ]),
        ),
      );
      const client = await front.connect();
      await client.send(get(PATH));
      const seen = await client.readResponse();
      expect(seen.status).toBe(status);
      expect(seen.values('access-control-allow-origin')).toEqual(['https://app.test']);
      expect(seen.values('access-control-allow-methods')).toEqual(['GET']);
      expect(seen.values('access-control-allow-headers')).toEqual([]);
      expect(seen.values('retry-after')).toEqual(['7']);
      expect(seen.body.toString()).toBe(body);
    },
  );

  test('no CORS is added to an answer that has none', async ({ stage }) => {
    const front = await stage.front(answer(response(200)));
    const client = await front.connect();
    await client.send(get(PATH));
    expect((await client.readResponse()).values('access-control-allow-origin')).toEqual([]);
  });
});

describe('elsewhere', () => {
  test('a browser gets a small page, without scripts', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(get('/nothing<script>', 'example.test', 'Accept: text/html,application/xhtml+xml'));
    const seen = await client.readResponse();
    expect(seen.status).toBe(404);
    expect(seen.field('content-type')).toMatch(/^text\/html/);
    expect(seen.body.toString()).not.toContain('<script>');
  });

  test('everybody else gets JSON', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(get('/nothing'));
    const seen = await client.readResponse();
    expect(seen.status).toBe(404);
    expect(seen.field('content-type')).toMatch(/^application\/json/);
    expect(seen.json()).toMatchObject({
      errcode: expect.stringMatching(/^M_/) as unknown,
      error: expect.any(String) as unknown,
    });
  });
});

describe('the access log', () => {
  test('has one line per request, without tokens', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    await client.send(
      get(`${PATH}?access_token=SECRET1&x=1`, 'example.test', 'Authorization: Bearer SECRET2', 'Cookie: a=SECRET3'),
    );
    await client.readResponse();
    await client.send(get('/_synapse/admin/x?access_token=SECRET4'));
    await client.readResponse();
    await client.send(
      get(
        '/_matrix/federation/v1/version',
        'example.test',
        'Authorization: X-Matrix origin="origin.test",destination="example.test",key="ed25519:a",sig="SECRET5"',
      ),
    );
    await client.readResponse();
    await expect.poll(() => front.portico.accessLog.length, { timeout: 10_000 }).toBe(3);
    const text = JSON.stringify(front.portico.accessLog) + front.portico.log.join('\n');
    expect(text).not.toMatch(/SECRET/);
    expect(text).toContain('origin.test');
    expect(text).toContain('/_matrix/client/v3/probe');
    expect(JSON.stringify(await front.portico.metrics())).not.toMatch(/SECRET|origin\.test/);
  });
});
