import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer } from 'node:tls';
import type { ConnectionOptions, Server, TLSSocket } from 'node:tls';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parseCertificate } from '../../../src/base/certificate.ts';
import type { CertificateData } from '../../../src/base/certificate.ts';
import { SecureContexts } from '../../../src/tls/contexts.ts';
import { issueCa, issueLeaf } from '../../../src/tls/issue.ts';
import type { IssuedCertificate } from '../../../src/tls/issue.ts';
import { ticketKeyBytes, tlsServerOptions } from '../../../src/tls/options.ts';
import type { MinTlsVersion } from '../../../src/tls/options.ts';
import { newTicketKey } from '../../../src/tls/ticket-keys.ts';
import { sendHello, X25519, X25519MLKEM768 } from '../../helpers/client-hello.ts';

const NAME = 'matrix.example';

let ca: IssuedCertificate;
let certificate: CertificateData;
const servers: Server[] = [];

beforeAll(async () => {
  const validity = { notBefore: Date.now() - 3_600_000, notAfter: Date.now() + 86_400_000 };
  ca = await issueCa('Test CA', validity, randomBytes);
  const leaf = await issueLeaf(ca, [NAME], validity, randomBytes);
  certificate = parseCertificate(leaf.certificate, leaf.key, 'local_ca');
});

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function serve(minVersion: MinTlsVersion = 'TLSv1.2', key = newTicketKey(randomBytes, 0)): Promise<Server> {
  const contexts = new SecureContexts();
  const server = createServer(
    {
      ...tlsServerOptions(minVersion, key),
      SNICallback: (name, done) => {
        done(null, name === NAME ? contexts.get(certificate, minVersion) : undefined);
      },
    },
    (socket) => {
      socket.on('error', () => undefined);
      socket.pipe(socket);
    },
  );
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  servers.push(server);
  return server;
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

async function dial(server: Server, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ port: portOf(server), host: '127.0.0.1', servername: NAME, ca: ca.certificate, ...options });
  await once(socket, 'secureConnect');
  return socket;
}

/** The whole first flight of Node's own client. */
async function recordHello(options: ConnectionOptions): Promise<Buffer> {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const client = connect({
    port: (server.address() as AddressInfo).port,
    host: '127.0.0.1',
    servername: NAME,
    ...options,
  });
  client.on('error', () => undefined);
  const [socket] = await accepted;
  let hello = Buffer.alloc(0);
  while (hello.length < 5 || hello.length < 5 + hello.readUInt16BE(3)) {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    hello = Buffer.concat([hello, chunk]);
  }
  socket.destroy();
  client.destroy();
  server.close();
  return hello;
}

describe('versions', () => {
  it.for(['TLSv1.2', 'TLSv1.3'] as const)('%s is served', async (version) => {
    const socket = await dial(await serve(), { minVersion: version, maxVersion: version });
    expect(socket.getProtocol()).toBe(version);
    expect(socket.authorized).toBe(true);
    socket.destroy();
  });

  it.for(['TLSv1', 'TLSv1.1'] as const)('%s is refused with an alert', async (version) => {
    const options = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    await expect(dial(await serve(), options)).rejects.toMatchObject({ code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' });
  });

  it('TLS 1.2 is refused when 1.3 is the least', async () => {
    const dialled = dial(await serve('TLSv1.3'), { maxVersion: 'TLSv1.2' });
    await expect(dialled).rejects.toMatchObject({ code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' });
  });
});

describe('ciphers', () => {
  it.for<[string, ConnectionOptions, string]>([
    ['AES-128 for a client that asks for AES-256 first, TLS 1.3', {}, 'TLS_AES_128_GCM_SHA256'],
    [
      'the same, TLS 1.2',
      { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256' },
      'ECDHE-ECDSA-AES128-GCM-SHA256',
    ],
    [
      'ChaCha20 for a client without AES hardware',
      { ciphers: 'TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256' },
      'TLS_CHACHA20_POLY1305_SHA256',
    ],
  ])('%s', async ([, options, name]) => {
    const socket = await dial(await serve(), options);
    expect(socket.getCipher().name).toBe(name);
    socket.destroy();
  });

  it.for(['AES128-SHA', 'ECDHE-ECDSA-AES128-SHA256', 'DHE-RSA-AES128-GCM-SHA256'])('%s is refused', async (ciphers) => {
    const dialled = dial(await serve(), { maxVersion: 'TLSv1.2', ciphers: `${ciphers}:@SECLEVEL=0` });
    await expect(dialled).rejects.toMatchObject({ code: 'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE' });
  });
});

describe('groups', () => {
  it.for<[string, ConnectionOptions]>([
    ['Node with its defaults', {}],
    ['a client that asks for it first', { ecdhCurve: 'X25519MLKEM768:X25519' }],
  ])('the post-quantum one for %s, without another round trip', async ([, options]) => {
    const { serverHello } = await sendHello(portOf(await serve()), await recordHello(options));
    expect(serverHello).toMatchObject({ group: X25519MLKEM768, isRetryRequest: false });
  });

  it('X25519 at once, without another round trip, for one that does not', async () => {
    const flight = await sendHello(portOf(await serve()), await recordHello({ ecdhCurve: 'X25519:P-256' }));
    expect(flight.serverHello).toMatchObject({ group: X25519, isRetryRequest: false });
  });

  it.for(['prime256v1', 'secp384r1', 'X25519MLKEM768'])('%s alone', async (ecdhCurve) => {
    const socket = await dial(await serve(), { ecdhCurve });
    expect(socket.authorized).toBe(true);
    socket.destroy();
  });
});

describe('renegotiation', () => {
  it('is refused by an alert, in TLS 1.2 where it exists', async () => {
    const socket = await dial(await serve(), { maxVersion: 'TLSv1.2' });
    const refused = new Promise<Error | null>((resolve) => {
      socket.once('error', resolve);
      socket.renegotiate({}, resolve);
    });
    expect(await refused).toMatchObject({ code: 'ERR_SSL_NO_RENEGOTIATION' });
    socket.destroy();
  });
});

describe('a name without certificate', () => {
  it.for<[string, string]>([
    ['unknown', 'elsewhere.example'],
    ['absent', ''],
  ])('%s: no signature, an alert', async ([, servername]) => {
    const dialled = dial(await serve(), { servername });
    await expect(dialled).rejects.toMatchObject({ code: 'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE' });
  });
});

describe('session tickets', () => {
  /** Connects, waits for a ticket, and leaves. */
  async function ticketFrom(server: Server, maxVersion: 'TLSv1.2' | 'TLSv1.3'): Promise<Buffer> {
    const socket = connect({
      port: portOf(server),
      host: '127.0.0.1',
      servername: NAME,
      ca: ca.certificate,
      maxVersion,
    });
    const [session] = (await once(socket, 'session')) as [Buffer];
    socket.destroy();
    return session;
  }

  it.for(['TLSv1.2', 'TLSv1.3'] as const)('%s: resume on every server with the same key', async (maxVersion) => {
    const key = newTicketKey(randomBytes, 0);
    const session = await ticketFrom(await serve('TLSv1.2', key), maxVersion);
    const socket = await dial(await serve('TLSv1.2', { ...key }), { session, maxVersion });
    expect(socket.isSessionReused()).toBe(true);
    socket.destroy();
  });

  it.for(['TLSv1.2', 'TLSv1.3'] as const)('%s: a ticket of an older key means a full handshake', async (maxVersion) => {
    const server = await serve();
    const session = await ticketFrom(server, maxVersion);
    server.setTicketKeys(ticketKeyBytes(newTicketKey(randomBytes, 0)));
    const socket = await dial(server, { session, maxVersion });
    expect(socket.isSessionReused()).toBe(false);
    expect(socket.authorized).toBe(true);
    socket.destroy();
  });
});
