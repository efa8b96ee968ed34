/** The rest of a site: status, redirect, files or another upstream; and what must never leak out of it. */
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { answer, response } from '../helpers/recording-backend.ts';
import { expectMatrixError, get, request, test } from '../helpers/stage.ts';
import type { Front, Stage } from '../helpers/stage.ts';

const HOST = 'Host: example.test';

async function filesFront(stage: Stage): Promise<Front> {
  const root = await stage.directory();
  const directory = join(root, 'public');
  await mkdir(join(directory, 'sub'), { recursive: true });
  await mkdir(join(directory, '.well-known'), { recursive: true });
  await writeFile(join(root, 'secret.txt'), 'TOP SECRET');
  await writeFile(join(directory, 'index.html'), '<h1>Hello</h1>');
  await writeFile(join(directory, 'data.txt'), '0123456789');
  await writeFile(join(directory, 'sub', 'index.html'), 'sub page');
  await writeFile(join(directory, '.htpasswd'), 'TOP SECRET');
  await writeFile(join(directory, '.well-known', 'assetlinks.json'), '[]');
  await writeFile(join(directory, 'large.bin'), Buffer.alloc(3_000_000, 7));
  return stage.front(undefined, (config) => {
    config.sites[0].fallback = { files: directory };
  });
}

describe('files', () => {
  test('serves files, index pages, HEAD, ETag and ranges', async ({ stage }) => {
    const front = await filesFront(stage);
    const client = await front.connect();
    await client.send(get('/'));
    const page = await client.readResponse();
    expect(page.status).toBe(200);
    expect(page.field('content-type')).toMatch(/^text\/html/);
    expect(page.body.toString()).toBe('<h1>Hello</h1>');

    await client.send(get('/data.txt?query'));
    const file = await client.readResponse();
    expect(file.body.toString()).toBe('0123456789');
    const etag = file.field('etag') ?? '';
    expect(etag).not.toBe('');

    await client.send(get('/data.txt', 'example.test', `If-None-Match: ${etag}`));
    expect((await client.readResponse()).status).toBe(304);

    await client.send(get('/data.txt', 'example.test', 'Range: bytes=2-4'));
    const range = await client.readResponse();
    expect(range.status).toBe(206);
    expect(range.body.toString()).toBe('234');
    expect(range.field('content-range')).toBe('bytes 2-4/10');

    await client.send(get('/data.txt', 'example.test', 'Range: bytes=20-'));
    expect((await client.readResponse()).status).toBe(416);

    await client.send(request('HEAD /data.txt HTTP/1.1', HOST));
    const head = await client.readResponse({ method: 'HEAD' });
    expect(head.field('content-length')).toBe('10');

    await client.send(get('/sub/'));
    expect((await client.readResponse()).body.toString()).toBe('sub page');

    await client.send(get('/large.bin'));
    expect((await client.readResponse()).body).toHaveLength(3_000_000);

    await client.send(get('/missing.txt'));
    expect((await client.readResponse()).status).toBe(404);

    await client.send(get('/.well-known/assetlinks.json'));
    expect((await client.readResponse()).body.toString()).toBe('[]');
    expect(front.backend.text()).toBe('');
  });

  test.for([
    '/../secret.txt',
    '/sub/../../secret.txt',
    '/%2e%2e/secret.txt',
    '/%2e%2e%2fsecret.txt',
    '/..%2fsecret.txt',
    '/..%5csecret.txt',
    '/..\\secret.txt',
    '/sub/..;/../secret.txt',
    '/%252e%252e/secret.txt',
    '/.htpasswd',
    '/%2ehtpasswd',
    '/sub/../.htpasswd',
    '/.well-known/../.htpasswd',
    '/data.txt%00.html',
    '//etc/passwd',
    '/%2fetc/passwd',
    '/sub/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd',
  ])('%s leaves no way out', async (target, { stage }) => {
    const front = await filesFront(stage);
    const client = await front.connect();
    await client.send(get(target));
    const seen = await client.readResponse();
    expect(seen.status).toBeGreaterThanOrEqual(400);
    expect(seen.status).toBeLessThan(500);
    expect(seen.body.toString()).not.toMatch(/TOP SECRET|root:/);
  });

  test('a redirect to a directory stays on this host', async ({ stage }) => {
    const front = await filesFront(stage);
    const client = await front.connect();
    for (const target of ['/sub', '//evil.test/..', '//evil.test', '/\\evil.test']) {
      await client.send(get(target));
      const location = (await client.readResponse()).field('location');
      if (location !== undefined) expect(location, target).toMatch(/^\/(?![/\\])|^https:\/\/example\.test\//);
    }
  });

  test('only GET and HEAD', async ({ stage }) => {
    const front = await filesFront(stage);
    const client = await front.connect();
    await client.send(request('POST /data.txt HTTP/1.1', HOST, 'Content-Length: 2') + '{}');
    expect((await client.readResponse()).status).toBe(405);
  });

  test('Matrix paths are not files', async ({ stage }) => {
    const front = await filesFront(stage);
    const client = await front.connect();
    await client.send(get('/_matrix/client/versions'));
    expect((await client.readResponse()).json()).toEqual({});
    await client.send(get('/_synapse/admin/x'));
    expectMatrixError(await client.readResponse(), 403, 'M_FORBIDDEN');
    await client.send(get('/.well-known/matrix/server'));
    expectMatrixError(await client.readResponse(), 404, 'M_NOT_FOUND');
  });

  test('a symbolic link is the administrator’s choice; a dangling one is 404', async ({ stage }) => {
    const root = await stage.directory();
    await symlink('/nowhere', join(root, 'dangling'));
    const front = await stage.front(undefined, (config) => {
      config.sites[0].fallback = { files: root };
    });
    const client = await front.connect();
    await client.send(get('/dangling'));
    expect((await client.readResponse()).status).toBe(404);
  });
});

describe('other fallbacks', () => {
  test('status', async ({ stage }) => {
    const front = await stage.front(undefined, (config) => {
      config.sites[0].fallback = { status: 410 };
    });
    const client = await front.connect();
    await client.send(get('/'));
    expect((await client.readResponse()).status).toBe(410);
    expect(front.backend.text()).toBe('');
  });

  test('redirect', async ({ stage }) => {
    const front = await stage.front(undefined, (config) => {
      config.sites[0].fallback = { redirect: 'https://www.example.test/' };
    });
    const client = await front.connect();
    await client.send(get('/any/path?x'));
    const seen = await client.readResponse();
    expect([301, 302, 303, 307, 308]).toContain(seen.status);
    expect(seen.field('location')).toBe('https://www.example.test/');
    // Matrix paths are not redirected.
    await client.send(get('/_matrix/client/versions'));
    expect((await client.readResponse()).status).toBe(200);
  });

  test('proxy: everything else goes there, byte for byte; Matrix does not', async ({ stage }) => {
    const site = await stage.backend(answer(response(200, 'the site', ['Content-Type: text/plain'])));
    const front = await stage.front(undefined, (config) => {
      config.sites[0].fallback = { proxy: site.url };
    });
    const client = await front.connect();
    await client.send(get('/a%2Fb//c/../d?x=1', 'example.test', 'X-Forwarded-For: 1.2.3.4'));
    expect((await client.readResponse()).body.toString()).toBe('the site');
    expect(site.requests[0]?.target).toBe('/a%2Fb//c/../d?x=1');
    expect(site.requests[0]?.values('x-forwarded-for')).toEqual(['127.0.0.1']);
    await client.send(get('/_matrix/client/versions'));
    expect((await client.readResponse()).json()).toEqual({});
    await client.send(get('/_synapse/admin/x'));
    expectMatrixError(await client.readResponse(), 403, 'M_FORBIDDEN');
    await client.send(request('POST /form HTTP/1.1', HOST, 'Content-Length: 5') + 'hello');
    expect((await client.readResponse()).status).toBe(200);
    expect(site.requests[1]?.body.toString()).toBe('hello');
    expect(site.executed().some((line) => line.includes('_matrix') || line.includes('_synapse'))).toBe(false);
  });

  test('is per site', async ({ stage }) => {
    const front = await stage.front(undefined, (config) => {
      config.sites[0].fallback = { status: 410 };
    });
    const client = await front.connect({ servername: 'other.test' });
    await client.send(get('/', 'other.test'));
    expect((await client.readResponse()).status).toBe(404);
  });
});
