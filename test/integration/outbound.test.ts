/** Connections to servers that do not behave: each ends in time, with a code that says what happened. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { PorticoError } from '../../src/base/errors.ts';
import { createTrust, dial, trustProblem } from '../../src/delegation/outbound/dial.ts';
import type { DialSetting } from '../../src/delegation/outbound/dial.ts';
import { get, getOn } from '../../src/delegation/outbound/get.ts';
import { createTestCa } from '../helpers/test-certificates.ts';

const ca = await createTestCa();
const pair = await ca.issue(['a.test', '127.0.0.1']);
const closers: (() => void)[] = [];

afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket.on('error', () => {}));
  });
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A TLS server that writes this as soon as a request comes, and then does nothing or ends. */
const tlsServer = (answer: (socket: Socket) => void) =>
  listen(
    createTlsServer(pair, (socket) => {
      socket.on('error', () => {});
      socket.once('data', () => answer(socket));
    }).on('tlsClientError', () => {}),
  );

const setting = (changes: Partial<DialSetting> = {}): DialSetting => ({
  clock: systemClock,
  trust: createTrust(ca.ca),
  allowPrivate: true,
  timeoutMs: 5000,
  ...changes,
});

const ask = (port: number, changes: Partial<DialSetting> = {}, signal?: AbortSignal) =>
  get(
    { address: '127.0.0.1', port, sni: 'a.test', host: 'a.test', path: '/x', certificateName: 'a.test', maxBytes: 100 },
    setting(changes),
    signal,
  );

describe('get', () => {
  it('reads a response', async () => {
    const port = await tlsServer((socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}'));
    const { status, body } = await ask(port);
    expect([status, body.toString()]).toEqual([200, '{}']);
  });

  it.for<[string, string, (socket: Socket) => void]>([
    ['closes at once', 'HTTP_FAILED', (socket) => socket.destroy()],
    ['speaks something else', 'HTTP_FAILED', (socket) => socket.end('SSH-2.0-OpenSSH_10\r\n')],
    ['breaks off in the head', 'HTTP_FAILED', (socket) => socket.end('HTTP/1.1 200 OK\r\nConte')],
    ['breaks off in the body', 'HTTP_FAILED', (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{')],
    ['has a head without end', 'HTTP_FAILED', (socket) => socket.write(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}`)],
    [
      'has a body without end',
      'HTTP_TOO_LARGE',
      (socket) => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n${'x'.repeat(101)}`),
    ],
  ])('a server that %s: %s', async ([, code, answer]) => {
    const port = await tlsServer(answer);
    await expect(ask(port)).rejects.toMatchObject({ code });
  });

  it.for<[string, (socket: Socket) => void]>([
    ['says nothing', () => {}],
    ['stops in the body', (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{')],
    ['sends early hints only', (socket) => socket.write('HTTP/1.1 103 Early Hints\r\n\r\n')],
  ])('a server that %s is given up', async ([, answer]) => {
    const port = await tlsServer(answer);
    await expect(ask(port, { timeoutMs: 300 })).rejects.toMatchObject({ code: 'HTTP_TIMEOUT' });
  });

  it('ends with the signal', async () => {
    const port = await tlsServer(() => {});
    await expect(ask(port, {}, AbortSignal.timeout(200))).rejects.toMatchObject({ code: 'HTTP_TIMEOUT' });
    await expect(ask(port, {}, AbortSignal.abort())).rejects.toMatchObject({ code: 'DIAL_TIMEOUT' });
    const target = { address: '127.0.0.1', port, sni: 'a.test' };
    const request = { ...target, host: 'a.test', path: '/', maxBytes: 100 };
    const late = getOn(await dial(target, setting()), request, setting(), AbortSignal.abort());
    await expect(late).rejects.toMatchObject({ code: 'HTTP_TIMEOUT' });
  });
});

describe('dial', () => {
  const to = (port: number, changes: Partial<DialSetting> = {}) =>
    dial({ address: '127.0.0.1', port, sni: 'a.test' }, setting(changes));

  it('a server that accepts and says nothing', async () => {
    const port = await listen(createServer());
    await expect(to(port, { timeoutMs: 200 })).rejects.toMatchObject({
      code: 'DIAL_TIMEOUT',
      message: expect.stringContaining('handshake'),
    });
  });

  it.for<[string, (socket: Socket) => void]>([
    ['plain HTTP', (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['a close', (socket) => socket.end()],
    ['a reset', (socket) => socket.resetAndDestroy()],
  ])('%s instead of a handshake', async ([, answer]) => {
    const port = await listen(createServer((socket) => socket.once('data', () => answer(socket))));
    await expect(to(port)).rejects.toMatchObject({ code: 'TLS_FAILED' });
  });

  it('nobody there', async () => {
    const server = createServer();
    const port = await listen(server);
    server.close();
    await expect(to(port)).rejects.toMatchObject({ code: 'DIAL_FAILED' });
  });

  it('no private address unless it is allowed, and none that a name was turned into', async () => {
    const port = await tlsServer(() => {});
    await expect(to(port, { allowPrivate: false })).rejects.toMatchObject({ code: 'TARGET_PRIVATE' });
    const reach = () => ({ address: '127.0.0.1', port });
    const far = dial({ address: '198.41.0.4', port: 443, sni: null }, setting({ allowPrivate: false, reach }));
    await expect(far).rejects.toMatchObject({ code: 'TARGET_PRIVATE' });
    await expect(dial({ address: 'localhost', port, sni: null }, setting())).rejects.toThrow(TypeError);
  });

  it('no more connections than the budget has', async () => {
    const port = await tlsServer(() => {});
    const beforeDial = () => {
      throw new PorticoError('REQUEST_BUDGET', 'No more.');
    };
    await expect(to(port, { beforeDial })).rejects.toMatchObject({ code: 'REQUEST_BUDGET' });
  });

  it.for([
    ['TLSv1.3', 'TLSv1.2', false],
    ['TLSv1.2', 'TLSv1.2', true],
    ['TLSv1.2', 'TLSv1.3', false],
  ] as const)('a server with %s only, asked with %s only: %s', async ([served, asked, fine]) => {
    const server = createTlsServer({ ...pair, minVersion: served, maxVersion: served }).on('tlsClientError', () => {});
    const port = await listen(server);
    const dialled = dial({ address: '127.0.0.1', port, sni: 'a.test', onlyVersion: asked }, setting());
    if (!fine) return expect(dialled).rejects.toMatchObject({ code: 'TLS_FAILED' });
    const { socket, seen } = await dialled;
    socket.destroy();
    expect(seen.version).toBe(asked);
  });

  it('says which protocol was chosen', async () => {
    const port = await listen(createTlsServer({ ...pair, ALPNProtocols: ['h2', 'http/1.1'] }));
    for (const [offered, chosen] of [
      [['h2', 'http/1.1'], 'h2'],
      [['http/1.1'], 'http/1.1'],
    ] as const) {
      const { socket, seen } = await dial({ address: '127.0.0.1', port, sni: null, alpn: offered }, setting());
      socket.destroy();
      expect(seen.alpn).toBe(chosen);
    }
  });

  it('shows what it saw: version, chain, names, trust', async () => {
    const port = await tlsServer(() => {});
    const { socket, seen } = await to(port);
    socket.destroy();
    expect(seen).toMatchObject({ version: 'TLSv1.3', chainProblem: null });
    expect(seen.chain[0]).toMatchObject({ subject: 'a.test', names: ['a.test', '127.0.0.1'] });
    expect(trustProblem(seen, 'a.test')).toBeNull();
    expect(trustProblem(seen, '127.0.0.1')).toBeNull();
    expect(trustProblem(seen, 'b.test')).toMatch(/for a\.test, 127\.0\.0\.1, not for b\.test/);
    const stranger = await to(port, { trust: createTrust(null) });
    stranger.socket.destroy();
    expect(trustProblem(stranger.seen, 'a.test')).toMatch(/not trusted/);
  });
});
