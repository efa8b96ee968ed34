/** What Portico says itself: the same over HTTP/2 as over HTTP/1.1, and no answer of it costs the connection. */
import { describe, expect } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import { PATH, connectH2, expectHonestService, requestFields } from '../helpers/h2-client.ts';
import type { H2Response } from '../helpers/h2-client.ts';
import { ErrorCode, Flag, data } from '../helpers/h2-frames.ts';
import type { ConfigInput } from '../helpers/portico.ts';
import { request, test } from '../helpers/stage.ts';

interface Question {
  readonly what: string;
  readonly method?: string;
  readonly path: string;
  readonly authority?: string;
  readonly fields?: readonly (readonly [string, string])[];
  readonly status: number;
  readonly errcode?: string;
}

const QUESTIONS: readonly Question[] = [
  { what: 'the discovery of clients', path: '/.well-known/matrix/client', status: 200 },
  { what: 'the discovery of servers', path: '/.well-known/matrix/server', status: 404, errcode: 'M_NOT_FOUND' },
  { what: 'a preflight', method: 'OPTIONS', path: PATH, status: 204, fields: [['origin', 'https://app.test'], ['access-control-request-method', 'PUT']] },
  { what: 'the admin API', path: '/_synapse/admin/v1/users', status: 403, errcode: 'M_FORBIDDEN' },
  { what: 'HEAD of the admin API', method: 'HEAD', path: '/_synapse/admin/v1/users', status: 403 },
  { what: 'a method that Matrix does not have', method: 'PROPFIND', path: PATH, status: 405, errcode: 'M_UNRECOGNIZED' },
  { what: 'a site that is not here', path: PATH, authority: 'unknown.test', status: 421, errcode: 'M_UNRECOGNIZED' },
  { what: 'another site’s name than the certificate’s', path: PATH, authority: 'other.test', status: 421, errcode: 'M_UNRECOGNIZED' },
  { what: 'a path that nobody serves', path: '/nothing/here', status: 404 },
  { what: 'the same for a browser', path: '/nothing/here', status: 404, fields: [['accept', 'text/html']] },
  { what: 'the root', path: '/', status: 404 },
  { what: 'an expectation that is unknown', method: 'PUT', path: PATH, status: 417, errcode: 'M_UNKNOWN', fields: [['expect', 'magic'], ['content-length', '0']] },
]; // prettier-ignore

/** Without what differs from request to request. */
function essence(fields: readonly (readonly [string, string])[], body: Buffer): unknown {
  const drop = new Set(['date', 'x-request-id', 'connection', 'keep-alive', ':status']);
  const text = body.toString('utf8').replace(/Request [\w-]+/g, 'Request ID');
  return { fields: fields.filter(([name]) => !drop.has(name)).sort(), body: text };
}

function expectMatrixAnswer(seen: H2Response, status: number, errcode: string): void {
  expect(seen.status).toBe(status);
  expect(seen.ended).toBe(true);
  expect(seen.values('access-control-allow-origin')).toEqual(['*']);
  expect(seen.field('content-type')).toMatch(/^application\/json/);
  expect(seen.json()).toMatchObject({ errcode, error: expect.any(String) as unknown });
}

describe('answers of our own', () => {
  test.for(QUESTIONS)('$what: as over HTTP/1.1', async (question, { stage }) => {
    const front = await stage.front();
    const { method = 'GET', path, authority = 'example.test', fields = [], status, errcode } = question;
    const h1 = await front.connect({ alpn: ['http/1.1'] });
    const lines = fields.map(([name, value]) => `${name}: ${value}`);
    await h1.send(request(`${method} ${path} HTTP/1.1`, `Host: ${authority}`, ...lines));
    const first = await h1.readResponse({ method });
    const client = await connectH2(front);
    const second = await client.fetch({ ':method': method, ':path': path, ':authority': authority }, fields);
    expect([first.status, second.status]).toEqual([status, status]);
    expect(essence(second.fields, second.body)).toEqual(essence(first.fields, first.body));
    expect([second.ended, second.reset]).toEqual([true, null]);
    if (errcode !== undefined) expectMatrixAnswer(second, status, errcode);
    expect((await client.fetch()).status).toBe(200);
    expect(client.goaways).toEqual([]);
    expect(front.backend.executed()).toEqual([`GET ${PATH}`]);
  });

  test('ETag and If-None-Match: 304 without a body', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectH2(front);
    const first = await client.fetch({ ':path': '/.well-known/matrix/client' });
    const etag = first.field('etag');
    expect(etag).toMatch(/^(?:W\/)?".+"$/);
    const second = await client.fetch({ ':path': '/.well-known/matrix/client' }, [['if-none-match', etag ?? '']]);
    expect([second.status, second.body.length, second.ended]).toEqual([304, 0, true]);
  });

  test('no homeserver: 502 in Matrix form', async ({ stage }) => {
    const front = await stage.front();
    await front.backend.close();
    const client = await connectH2(front);
    expectMatrixAnswer(await client.fetch(), 502, 'M_UNKNOWN');
    expectMatrixAnswer(await client.fetch({ ':method': 'PUT' }, [], 'body'), 502, 'M_UNKNOWN');
  });
});

describe('the body limit', () => {
  const small = (config: ConfigInput): void => {
    config.limits = { classes: { client: { max_body: '1KiB' } } };
  };

  test('announced: 413 before a byte is sent, then RST_STREAM(NO_ERROR)', async ({ stage }) => {
    const front = await stage.front(undefined, small);
    const client = await connectH2(front);
    const fields = requestFields({ ':method': 'PUT' }, ['content-length', '5000']);
    const id = await client.open(fields, false);
    await client.until(() => client.stream(id).reset !== null, 'RST_STREAM');
    const seen = client.responseSoFar(id);
    expectMatrixAnswer(seen, 413, 'M_TOO_LARGE');
    expect(seen.reset).toBe(ErrorCode.noError);
    await client.send(data(id, Buffer.alloc(5000), Flag.endStream));
    expect((await client.fetch()).status).toBe(200);
    expect(front.backend.executed()).toEqual([`GET ${PATH}`]);
  });

  test('not announced: 413 as soon as it is passed; upstream nothing is complete', async ({ stage }) => {
    const front = await stage.front(undefined, small);
    const client = await connectH2(front);
    const seen = await client.fetch({ ':method': 'PUT' }, [], Buffer.alloc(100_000));
    expectMatrixAnswer(seen, 413, 'M_TOO_LARGE');
    expect((await client.fetch()).status).toBe(200);
    expect(front.backend.requests.filter((one) => one.method === 'PUT' && one.complete)).toEqual([]);
    await expectHonestService(front);
  });

  test('exactly the limit is taken', async ({ stage }) => {
    const front = await stage.front(undefined, small);
    const client = await connectH2(front);
    expect((await client.fetch({ ':method': 'PUT' }, [], Buffer.alloc(1024))).status).toBe(200);
    expect((await client.fetch({ ':method': 'PUT' }, [['content-length', '1024']], Buffer.alloc(1024))).status).toBe(
      200,
    );
  });
});

describe('counts and times', () => {
  test('a class that is full: 429, the connection goes on', async ({ stage }) => {
    const front = await stage.front(
      async (exchange) => {
        await exchange.body();
        await new Promise((resolve) => exchange.socket.on('close', resolve));
      },
      (config) => (config.limits.classes = { client: { max_concurrent: 2 } }),
    );
    const client = await connectH2(front);
    await client.open();
    await client.open();
    await eventually(() => {
      expect(front.backend.requests).toHaveLength(2);
    });
    const seen = await client.fetch();
    expect([429, 503]).toContain(seen.status);
    expect(client.goaways).toEqual([]);
  });

  test('requests_per_address counts streams', async ({ stage }) => {
    const front = await stage.front(
      async (exchange) => {
        await exchange.body();
        await new Promise((resolve) => exchange.socket.on('close', resolve));
      },
      (config) => (config.limits.requests_per_address = 5),
    );
    const client = await connectH2(front);
    for (let index = 0; index < 5; index += 1) await client.open();
    await eventually(() => {
      expect(front.backend.requests).toHaveLength(5);
    });
    expectMatrixAnswer(await client.fetch(), 429, 'M_LIMIT_EXCEEDED');
    expect(await front.portico.metric('portico_requests_in_flight')).toBe(5);
  });

  test('an upstream that never answers: 504; other streams are not touched', async ({ stage }) => {
    const front = await stage.front(
      async (exchange) => {
        await exchange.body();
        if (exchange.request.target.includes('hold')) {
          await new Promise((resolve) => exchange.socket.on('close', resolve));
        } else await exchange.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}');
      },
      (config) => (config.limits.classes = { client: { response_head: '500ms' } }),
    );
    const client = await connectH2(front);
    const id = await client.open(requestFields({ ':path': `${PATH}?hold` }));
    expect((await client.fetch()).status).toBe(200);
    expectMatrixAnswer(await client.response(id), 504, 'M_UNKNOWN');
    expect((await client.fetch()).status).toBe(200);
  });

  test('a request body that stops: 408 or a reset; upstream nothing is complete', async ({ stage }) => {
    const front = await stage.front(
      undefined,
      (config) => (config.limits.classes = { client: { request_idle: '500ms' } }),
    );
    const client = await connectH2(front);
    const id = await client.open(requestFields({ ':method': 'PUT' }, ['content-length', '10']), false);
    await client.send(data(id, 'hello'));
    const seen = await client.response(id);
    if (seen.status !== 0) expect(seen.status).toBe(408);
    else expect([ErrorCode.cancel, ErrorCode.internalError, ErrorCode.enhanceYourCalm]).toContain(seen.reset);
    await expectHonestService(front);
    expect(front.backend.requests.filter((one) => one.method === 'PUT' && one.complete)).toEqual([]);
  });
});
