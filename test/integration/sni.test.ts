/** Which certificate a ClientHello gets, and that an unknown name gets none: refused before any signature is made. */
import { X509Certificate } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { describe, expect } from 'vitest';
import { clientHello, sendHello } from '../helpers/client-hello.ts';
import type { RawClient } from '../helpers/raw-client.ts';
import { get, test } from '../helpers/stage.ts';

const UNRECOGNIZED_NAME = 112;

function namesOf(client: RawClient): string[] {
  const certificate = new X509Certificate(client.tls.getPeerCertificate(true).raw);
  return (certificate.subjectAltName ?? '').split(', ').map((name) => name.replace(/^(DNS|IP Address):/, ''));
}

describe('a name that is served', () => {
  for (const listener of ['https', 'federation'] as const) {
    for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
      test.for<readonly [sni: string, verify: string]>([
        ['example.test', 'example.test'],
        ['matrix.example.test', 'matrix.example.test'],
        ['other.test', 'other.test'],
        ['EXAMPLE.Test', 'example.test'],
        ['example.test.', 'example.test'],
        ['one.wild.test', 'one.wild.test'],
        ['TWO.wild.test', 'two.wild.test'],
      ])(`%s on ${listener}, ${maxVersion}`, async ([servername, verifyName], { stage }) => {
        const front = await stage.front();
        const client = await front.connect({ listener, servername, verifyName, maxVersion });
        expect(client.tls.authorized).toBe(true);
        expect(client.tls.getProtocol()).toBe(maxVersion);
        await client.send(get('/_matrix/client/versions', verifyName));
        expect((await client.readResponse()).status).toBe(200);
      });
    }
  }

  test('an SRV site presents the base domain’s certificate on every listener', async ({ stage }) => {
    const front = await stage.front(undefined, (config) => {
      config.sites[0].delegation = 'srv';
    });
    for (const listener of ['https', 'federation'] as const) {
      const client = await front.connect({ listener, servername: 'example.test' });
      expect(namesOf(client)).toContain('example.test');
    }
  });
});

describe('a name that is not served: fatal unrecognized_name, no ServerHello', () => {
  const names = [
    'unknown.test',
    'test',
    'xexample.test',
    'example.test.evil',
    'sub.example.test',
    'wild.test',
    'a.b.wild.test',
    '*.wild.test',
    '*',
    'example..test',
    '.example.test',
    'example.test..',
    'exam_ple.test',
    '-example.test',
    'example.test\0',
    'example.test\0.evil.test',
    'ex\xc3\xa4mple.test',
    '\xff\xfe',
    'a b.test',
    'example.test:443',
    `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(62)}`,
    'a.'.repeat(127),
    'x'.repeat(254),
    'x'.repeat(5000),
  ];
  for (const versions of [[0x0304, 0x0303], [0x0303]]) {
    test.for(names)(`%j (versions ${versions.map((one) => one.toString(16)).join()})`, async (name, { stage }) => {
      const front = await stage.front();
      const flight = await sendHello(
        front.portico.https.port,
        clientHello({ serverNames: [Buffer.from(name, 'latin1')], versions }),
      );
      expect(flight.serverHello).toBeNull();
      expect(flight.alert).toEqual({ level: 2, description: UNRECOGNIZED_NAME });
      expect(flight.closed).toBe(true);
      expect(flight.bytes.toString('latin1')).not.toContain('example.test');
    });
  }

  test.for<readonly [name: string, serverNames: readonly Buffer[]]>([
    ['an empty name', [Buffer.alloc(0)]],
    ['an empty list', []],
    ['two names', [Buffer.from('example.test'), Buffer.from('other.test')]],
    ['the same name twice', [Buffer.from('example.test'), Buffer.from('example.test')]],
  ])('%s: a fatal alert, no ServerHello', async ([, serverNames], { stage }) => {
    const front = await stage.front();
    const flight = await sendHello(front.portico.https.port, clientHello({ serverNames }));
    expect(flight.serverHello).toBeNull();
    expect(flight.alert?.level).toBe(2);
    expect([50, UNRECOGNIZED_NAME]).toContain(flight.alert?.description);
    expect(flight.closed).toBe(true);
  });

  test('a real client is told by the alert', async ({ stage }) => {
    const front = await stage.front();
    await expect(front.connect({ servername: 'unknown.test' })).rejects.toMatchObject({
      code: expect.stringMatching(/UNRECOGNIZED_NAME/) as unknown,
    });
  });

  test('500 random names leave no trace in metrics or store, and the door still opens', async ({ stage }) => {
    const front = await stage.front();
    const before = await readdir(front.portico.storePath, { recursive: true });
    for (let round = 0; round < 20; round += 1) {
      await Promise.all(
        Array.from({ length: 25 }, (_, index) =>
          sendHello(
            front.portico.https.port,
            clientHello({ serverNames: [Buffer.from(`scan-${String(round)}-${String(index)}.test`)] }),
          ),
        ),
      );
    }
    const metrics = await front.portico.metrics();
    expect(metrics).not.toContain('scan-');
    expect(await front.portico.metric('portico_tls_handshake_failures_total', 'reason="SNI_UNKNOWN"')).toBe(500);
    expect(await front.portico.metric('portico_tls_handshakes_in_progress')).toBe(0);
    expect(await readdir(front.portico.storePath, { recursive: true })).toEqual(before);
    const client = await front.connect();
    await client.send(get('/_matrix/client/versions'));
    expect((await client.readResponse()).status).toBe(200);
  });
});

describe('no name, or an IP literal: the certificate of tls.default_name', () => {
  for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
    test(`no SNI, ${maxVersion}: by default the first site's`, async ({ stage }) => {
      const front = await stage.front();
      const client = await front.connect({ servername: null, verifyName: 'example.test', maxVersion });
      expect(namesOf(client)).toContain('example.test');
    });

    test(`no SNI, ${maxVersion}: as configured`, async ({ stage }) => {
      const front = await stage.front(undefined, (config) => {
        config.tls = { default_name: 'other.test' };
      });
      for (const listener of ['https', 'federation'] as const) {
        const client = await front.connect({ listener, servername: null, verifyName: 'other.test', maxVersion });
        expect(namesOf(client)).toContain('other.test');
      }
    });
  }

  test.for(['127.0.0.1', '::1', '192.0.2.1'])('SNI %s', async (address, { stage }) => {
    const front = await stage.front();
    const flight = await sendHello(
      front.portico.https.port,
      // TLS 1.2 sends the certificate in the clear.
      clientHello({ serverNames: [Buffer.from(address)], versions: [0x0303] }),
    );
    expect(flight.alert).toBeNull();
    expect(flight.serverHello).not.toBeNull();
  });

  test('an IP-literal site presents its own certificate without SNI', async ({ stage }) => {
    const front = await stage.front(undefined, (config) => {
      config.sites[1].server_name = '127.0.0.1';
      config.certificates[1] = { names: ['127.0.0.1'], local_ca: true };
      config.tls = { default_name: '127.0.0.1' };
    });
    const client = await front.connect({ listener: 'federation', servername: null, verifyName: '127.0.0.1' });
    expect(namesOf(client)).toContain('127.0.0.1');
    await client.send(get('/_matrix/federation/v1/version', `127.0.0.1:${String(front.portico.federation.port)}`));
    expect((await client.readResponse()).status).toBe(200);
  });
});
