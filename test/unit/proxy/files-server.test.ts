import { mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startFilesServer, type FilesServer } from '../../../src/proxy/files-server.ts';

let root: string;
let server: FilesServer;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'files-test-'));
  const files: Record<string, string> = {
    'secret.txt': 'SECRET outside',
    'www/index.html': '<h1>home</h1>',
    'www/app.js': 'console.log(1)',
    'www/digits.txt': '0123456789',
    'www/a b.txt': 'space',
    'www/sub/index.html': '<h1>sub</h1>',
    'www/empty/.keep': '',
    'www/.htpasswd': 'SECRET dot',
    'www/.git/config': 'SECRET git',
    'www/sub/.hidden': 'SECRET sub',
    'www/.well-known/security.txt': 'Contact: x',
    'www/.well-known/.hidden': 'SECRET wk',
    'www-private/x.txt': 'SECRET sibling',
  };
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), text);
  }
  await symlink('digits.txt', join(root, 'www/link.txt'));
  server = await startFilesServer({ directory: join(root, 'www') });
});

afterAll(async () => {
  await server.close();
  await rm(root, { recursive: true, force: true });
});

interface Got {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

function get(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Got> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { socketPath: server.upstream.socketPath, path, headers, method, agent: false },
      (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (body += chunk));
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
        });
        response.on('error', reject);
      },
    );
    asked.on('error', reject);
    asked.end();
  });
}

/** Sends bytes that node's client would not, and reads to the end. */
function raw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(server.upstream.socketPath);
    let got = '';
    socket.setEncoding('latin1');
    socket.on('data', (chunk) => (got += String(chunk)));
    socket.on('error', reject);
    socket.on('close', () => {
      resolve(got);
    });
    socket.write(text);
  });
}

describe('files', () => {
  it.each([
    ['/', '<h1>home</h1>', 'text/html; charset=utf-8'],
    ['/index.html?v=1', '<h1>home</h1>', 'text/html; charset=utf-8'],
    ['/app.js', 'console.log(1)', 'text/javascript; charset=utf-8'],
    ['/a%20b.txt', 'space', 'text/plain; charset=utf-8'],
    ['/sub/', '<h1>sub</h1>', 'text/html; charset=utf-8'],
    ['/link.txt', '0123456789', 'text/plain; charset=utf-8'],
    ['/.well-known/security.txt', 'Contact: x', 'text/plain; charset=utf-8'],
  ])('%s', async (path, body, type) => {
    const got = await get(path);
    expect(got).toMatchObject({ status: 200, body });
    expect(got.headers).toMatchObject({
      'content-type': type,
      'x-content-type-options': 'nosniff',
      'accept-ranges': 'bytes',
    });
  });

  it('answers HEAD without a body', async () => {
    expect(await get('/digits.txt', {}, 'HEAD')).toMatchObject({
      status: 200,
      body: '',
      headers: { 'content-length': '10' },
    });
  });

  it.each([
    ['bytes=2-4', 206, '234', 'bytes 2-4/10'],
    ['bytes=-3', 206, '789', 'bytes 7-9/10'],
    ['bytes=20-', 416, null, 'bytes */10'],
    ['lines=1-2', 200, '0123456789', undefined],
  ])('Range %s: %i', async (range, status, body, contentRange) => {
    const got = await get('/digits.txt', { range });
    expect(got.status).toBe(status);
    expect(got.headers['content-range']).toBe(contentRange);
    if (body !== null) expect(got.body).toBe(body);
  });

  it('answers 304 to what the client has, 412 to what it does not', async () => {
    const { etag } = (await get('/digits.txt')).headers;
    expect(etag).toBeTypeOf('string');
    expect(await get('/digits.txt', { 'if-none-match': String(etag) })).toMatchObject({ status: 304, body: '' });
    expect((await get('/digits.txt', { 'if-match': '"other"' })).status).toBe(412);
  });

  it('redirects a directory to its slash, and nowhere else', async () => {
    expect(await get('/sub')).toMatchObject({ status: 301, headers: { location: '/sub/' } });
    const elsewhere = (await get('//evil.example/..')).headers.location;
    expect(elsewhere ?? '/').toMatch(/^\/(?!\/)/);
  });
});

describe('what is not there', () => {
  it('is JSON, or a page for browsers', async () => {
    const json = await get('/missing');
    expect(json.status).toBe(404);
    expect(JSON.parse(json.body)).toMatchObject({ errcode: 'M_NOT_FOUND' });
    const page = await get('/missing', { accept: 'text/html', 'x-request-id': 'abc' });
    expect(page).toMatchObject({ status: 404, headers: { 'content-type': 'text/html; charset=utf-8' } });
    expect(page.body).toContain('abc');
    expect(page.headers.etag).toBeUndefined();
  });

  it('is no listing of a directory', async () => {
    expect((await get('/empty/')).status).toBe(404);
  });

  it.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])('%s is 405', async (method) => {
    expect(await get('/', {}, method)).toMatchObject({
      status: 405,
      headers: { allow: 'GET, HEAD', connection: 'close' },
    });
  });

  it.each([
    '/../secret.txt', '/%2e%2e/secret.txt', '/..%2fsecret.txt', '/..%5csecret.txt', '/..\\secret.txt', '/sub/../../secret.txt', '/sub/%2e%2e/%2e%2e/secret.txt',
    '/%252e%252e/secret.txt', '/..;/secret.txt', '//../secret.txt', '/./../secret.txt', '/../www-private/x.txt', '/%2e%2e%2fwww-private%2fx.txt',
    '/.htpasswd', '/%2ehtpasswd', '/.git/config', '/sub/.hidden', '/./.htpasswd', '/.well-known/.hidden', '/.well-known/../.htpasswd', '/.well-known/%2e%2e/.htpasswd',
    '/.well-known/..%2f.htpasswd', '/.well-known//.hidden', '/x%00', '/digits.txt%00.html', '/%', '/%ff', '/c:/secret.txt',
  ])('gives away nothing for %s', async (path) => {
    const answer = await raw(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 (?:400|404) /);
    expect(answer).not.toContain('SECRET');
  }); // prettier-ignore
});

describe('the socket', () => {
  it('lies where only this user can reach it', async () => {
    const { mode } = await stat(dirname(server.upstream.socketPath));
    expect(mode & 0o777).toBe(0o700);
  });

  it('is an upstream like any other, and goes with the server', async () => {
    const other = await startFilesServer({ directory: join(root, 'www') });
    expect(other.upstream).toMatchObject({ transport: 'unix', host: '', port: 0, ca: null });
    expect(other.upstream.socketPath).not.toBe(server.upstream.socketPath);
    const open = connect(other.upstream.socketPath);
    const closed = new Promise<void>((resolve) => {
      open.on('close', () => {
        resolve();
      });
    });
    await new Promise<void>((resolve) => {
      open.on('connect', () => {
        resolve();
      });
    });
    await other.close();
    await closed;
    await expect(stat(dirname(other.upstream.socketPath))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
