/** The TLS handshake: what is offered, what is refused, and what silent, slow, broken or numerous clients cannot do. */
import { connect as connectTcp, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { describe, expect } from 'vitest';
import { X25519, X25519MLKEM768, clientHello, sendHello } from '../helpers/client-hello.ts';
import { eventually, within } from '../helpers/eventually.ts';
import { connectRaw } from '../helpers/raw-client.ts';
import { get, request, test } from '../helpers/stage.ts';
import type { Front, Stage } from '../helpers/stage.ts';

const NAME = [Buffer.from('example.test')];
const PATH = '/_matrix/client/versions';

async function expectServing(front: Front): Promise<void> {
  const client = await front.connect();
  await client.send(get(PATH));
  expect((await client.readResponse()).status).toBe(200);
  client.destroy();
}

/** A bare TCP connection; resolves its `closed` when the server ended it. */
function bare(stage: Stage, port: number): { socket: Socket; closed: Promise<string> } {
  const socket = connectTcp({ port, host: '127.0.0.1', noDelay: true });
  stage.onClose(() => socket.destroy());
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  const closed = new Promise<string>((resolve) => {
    socket.on('error', () => undefined);
    socket.on('close', () => {
      resolve(Buffer.concat(chunks).toString('latin1'));
    });
  });
  return { socket, closed };
}

describe('versions, ciphers and groups', () => {
  test('TLS 1.3 is preferred, with AES-128-GCM first', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect({ ciphers: 'TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256' });
    expect(client.tls.getProtocol()).toBe('TLSv1.3');
    expect(client.tls.getCipher().standardName).toBe('TLS_AES_128_GCM_SHA256');
  });

  test('TLS 1.2 with forward secrecy and AES-128-GCM', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect({ maxVersion: 'TLSv1.2' });
    expect(client.tls.getProtocol()).toBe('TLSv1.2');
    expect(client.tls.getCipher().standardName).toBe('TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256');
  });

  test.for([
    'AES128-GCM-SHA256',
    'ECDHE-ECDSA-AES128-SHA',
    'ECDHE-ECDSA-AES128-SHA256',
    'DHE-RSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-AES128-CCM',
  ])('the cipher %s is refused', async (ciphers, { stage }) => {
    const front = await stage.front();
    await expect(front.connect({ maxVersion: 'TLSv1.2', ciphers: `${ciphers}:@SECLEVEL=0` })).rejects.toThrow();
  });

  test('min_version 1.3 refuses TLS 1.2', async ({ stage }) => {
    const front = await stage.front(undefined, (config) => {
      config.tls = { min_version: '1.3' };
    });
    await expect(front.connect({ maxVersion: 'TLSv1.2' })).rejects.toThrow();
    await expectServing(front);
  });

  test.for([
    ['SSL 3.0', 0x0300],
    ['TLS 1.0', 0x0301],
    ['TLS 1.1', 0x0302],
  ] as const)('%s: refused with an alert', async ([, version], { stage }) => {
    const front = await stage.front();
    const flight = await sendHello(
      front.portico.https.port,
      clientHello({ serverNames: NAME, legacyVersion: version, versions: [] }),
    );
    expect(flight.serverHello).toBeNull();
    // protocol_version; OpenSSL says handshake_failure to what it never learnt.
    expect(flight.alert?.level).toBe(2);
    expect([70, 40]).toContain(flight.alert?.description);
    expect(flight.closed).toBe(true);
  });

  test('an SSLv2 hello: closed without a ServerHello', async ({ stage }) => {
    const front = await stage.front();
    const hello = Buffer.from('802e0100020015000000100100800300800700c0060040020080040080' + '00'.repeat(20), 'hex');
    const flight = await sendHello(front.portico.https.port, hello);
    expect(flight.serverHello).toBeNull();
    expect(flight.closed).toBe(true);
    await expectServing(front);
  });

  test('X25519MLKEM768 is taken, and preferred to X25519', async ({ stage }) => {
    const front = await stage.front();
    const only = await sendHello(
      front.portico.https.port,
      clientHello({ serverNames: NAME, groups: [X25519MLKEM768], keyShare: false }),
    );
    expect(only.serverHello).toMatchObject({ isRetryRequest: true, group: X25519MLKEM768 });
    const both = await sendHello(
      front.portico.https.port,
      clientHello({ serverNames: NAME, groups: [X25519, X25519MLKEM768], keyShare: false }),
    );
    expect(both.serverHello).toMatchObject({ isRetryRequest: true, group: X25519MLKEM768 });
  });

  test('X25519 alone is taken', async ({ stage }) => {
    const front = await stage.front();
    const flight = await sendHello(front.portico.https.port, clientHello({ serverNames: NAME, groups: [X25519] }));
    expect(flight.serverHello).toMatchObject({ isRetryRequest: false, group: X25519 });
  });

  test('a post-quantum hello in three segments, and one byte at a time', async ({ stage }) => {
    const front = await stage.front();
    for (const cut of [
      (first: Buffer) => [first.subarray(0, 500), first.subarray(500, 1000), first.subarray(1000)],
      (first: Buffer) => Array.from(first, (_, index) => first.subarray(index, index + 1)),
    ]) {
      const relay = createServer((near) => {
        const far = connectTcp({ port: front.portico.https.port, host: '127.0.0.1', noDelay: true });
        far.on('error', () => near.destroy());
        near.on('error', () => far.destroy());
        far.pipe(near);
        near.once('data', (first: Buffer) => {
          near.pause();
          void (async () => {
            for (const piece of cut(first)) {
              far.write(piece);
              await new Promise((resolve) => setImmediate(resolve));
            }
            near.pipe(far);
          })();
        });
      });
      await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', () => { resolve(); })); // prettier-ignore
      stage.onClose(() => relay.close());
      const client = await connectRaw({
        port: (relay.address() as AddressInfo).port,
        ca: front.portico.ca,
        servername: 'example.test',
      });
      stage.onClose(() => {
        client.destroy();
      });
      await client.send(get(PATH));
      expect((await client.readResponse()).status).toBe(200);
    }
  });
});

describe('ALPN', () => {
  test.for<readonly [name: string, alpn: readonly string[]]>([
    ['http/1.1', ['http/1.1']],
    ['h2 and http/1.1 on the federation listener', ['h2', 'http/1.1']],
    ['unknown ones before it', ['spdy/3', 'x', 'http/1.1']],
    ['a thousand entries', [...Array.from({ length: 1000 }, (_, index) => `p${String(index)}`), 'http/1.1']],
  ])('%s: http/1.1', async ([, alpn], { stage }) => {
    const front = await stage.front();
    const client = await front.connect({ listener: 'federation', alpn });
    expect(client.tls.alpnProtocol).toBe('http/1.1');
    await client.send(get(PATH));
    expect((await client.readResponse()).status).toBe(200);
  });

  test('no ALPN at all is HTTP/1.1', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    expect(client.tls.alpnProtocol).toBe(false);
    await client.send(get(PATH));
    expect((await client.readResponse()).status).toBe(200);
  });

  test.for<readonly [name: string, alpn: readonly string[], description: readonly number[]]>([
    ['unknown only', ['spdy/3'], [120]],
    ['acme-tls/1 without a challenge', ['acme-tls/1'], [120, 112]],
    ['acme-tls/1 mixed with an unknown one', ['acme-tls/1', 'x'], [120]],
    ['an empty list', [], [50]],
    ['an empty name', [''], [50]],
  ])('%s: a fatal alert, no application data', async ([, alpn, descriptions], { stage }) => {
    const front = await stage.front();
    const flight = await sendHello(front.portico.federation.port, clientHello({ serverNames: NAME, alpn }));
    expect(flight.serverHello).toBeNull();
    expect(flight.alert?.level).toBe(2);
    expect(descriptions).toContain(flight.alert?.description);
    await expectServing(front);
  });
});

describe('the wrong protocol', () => {
  test('plain HTTP on a TLS port: 400 in text, closed', async ({ stage }) => {
    const front = await stage.front();
    for (const listener of ['https', 'federation'] as const) {
      for (const bytes of [
        get('/'),
        request('POST / HTTP/1.1', 'Host: example.test', 'Content-Length: 100000') + 'x'.repeat(100_000),
      ]) {
        const client = await connectRaw({ port: front.portico[listener].port });
        stage.onClose(() => {
          client.destroy();
        });
        await client.send(bytes);
        const seen = await client.readResponse();
        expect(seen.status).toBe(400);
        expect(seen.field('content-type')).toMatch(/^text\/plain/);
        expect(seen.body.toString()).toMatch(/HTTPS/);
        expect((await client.readUntilClose()).toString()).toBe('');
      }
    }
    expect(front.backend.text()).toBe('');
  });

  test('TLS on the http port: 400, closed', async ({ stage }) => {
    const front = await stage.front();
    const client = await connectRaw({ port: front.portico.http.port });
    stage.onClose(() => {
      client.destroy();
    });
    await client.send(clientHello({ serverNames: NAME }));
    const rest = (await client.readUntilClose()).toString('latin1');
    expect(rest).toMatch(/^HTTP\/1\.1 400 /);
    await expectServing(front);
  });

  test.for<readonly [string, Buffer]>([
    ['random bytes', Buffer.from('9a3f0077bc41de5500010203040506070809', 'hex')],
    ['an SSH banner', Buffer.from('SSH-2.0-OpenSSH_9.9\r\n')],
    ['a record of length zero', Buffer.from('1603010000', 'hex')],
    ['a record that is too long', Buffer.from('160301ffff01', 'hex')],
    ['a hello whose length lies', Buffer.from('16030100050100ffffff', 'hex')],
    ['an alert first', Buffer.from('15030100020100', 'hex')],
    ['application data first', Buffer.from('1703030001ff', 'hex')],
    ['a PROXY protocol line', Buffer.from('PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n')],
  ])('%s on a TLS port: closed, nothing else', async ([, bytes], { stage }) => {
    const front = await stage.front(undefined, (config) => {
      config.limits = { handshake: '500ms' };
    });
    const flight = await sendHello(front.portico.https.port, bytes);
    expect(flight.serverHello).toBeNull();
    expect(flight.closed).toBe(true);
    await expectServing(front);
    expect(front.portico.log.filter((line) => /"level":(50|60)/.test(line))).toEqual([]);
  });
});

describe('silent, slow and broken clients', () => {
  const quick = (config: { limits: Record<string, unknown> }): void => {
    config.limits = { handshake: '400ms', keep_alive: '400ms' };
  };

  test('connects and sends nothing: dropped, on every listener', async ({ stage }) => {
    const front = await stage.front(undefined, quick);
    for (const listener of ['https', 'federation', 'http'] as const) {
      const { closed } = bare(stage, front.portico[listener].port);
      expect(await within(closed, 10_000, `closing on ${listener}`)).toBe('');
    }
    await expectServing(front);
  });

  test('drips a ClientHello: dropped at the time-out, however steady', async ({ stage }) => {
    const front = await stage.front(undefined, quick);
    const { socket, closed } = bare(stage, front.portico.https.port);
    const hello = clientHello({ serverNames: NAME });
    let at = 0;
    const drip = setInterval(() => {
      if (at < hello.length) socket.write(hello.subarray(at, ++at));
    }, 30);
    try {
      await within(closed, 10_000, 'closing');
    } finally {
      clearInterval(drip);
    }
    expect(at).toBeLessThan(hello.length);
    await expectServing(front);
  });

  test('stops after its ClientHello: dropped', async ({ stage }) => {
    const front = await stage.front(undefined, quick);
    const { socket, closed } = bare(stage, front.portico.https.port);
    socket.write(clientHello({ serverNames: NAME }));
    await within(closed, 10_000, 'closing');
    await expectServing(front);
    await eventually(async () => {
      expect(await front.portico.metric('portico_tls_handshakes_in_progress')).toBe(0);
    });
  });

  test('resets at every stage of the handshake, a hundred times: nothing is left behind', async ({ stage }) => {
    const front = await stage.front();
    const hello = clientHello({ serverNames: NAME });
    for (let round = 0; round < 100; round += 1) {
      const { socket, closed } = bare(stage, front.portico.https.port);
      await new Promise<void>((resolve) => socket.once('connect', () => { resolve(); })); // prettier-ignore
      const part = round % 4;
      if (part > 0) socket.write(hello.subarray(0, part === 1 ? 40 : hello.length));
      if (part === 3) await new Promise((resolve) => socket.once('data', resolve));
      socket.resetAndDestroy();
      await closed;
    }
    await expectServing(front);
    await eventually(async () => {
      expect(await front.portico.metric('portico_tls_handshakes_in_progress')).toBe(0);
      expect(await front.portico.metric('portico_connections', 'role="https"')).toBe(0);
    });
    expect(front.portico.log.filter((line) => /"level":(50|60)/.test(line))).toEqual([]);
  });

  test('leaves without close_notify after its answer: nothing breaks', async ({ stage }) => {
    const front = await stage.front();
    for (let round = 0; round < 5; round += 1) {
      const client = await front.connect();
      await client.send(get(PATH));
      expect((await client.readResponse()).status).toBe(200);
      client.endWithoutCloseNotify();
      await client.closed();
    }
    await expectServing(front);
  });

  test('garbage after the handshake: closed, and nothing reached the homeserver', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect();
    client.tcp.write(Buffer.from('1703030010' + 'ab'.repeat(16), 'hex'));
    await client.closed();
    expect(front.backend.text()).toBe('');
    await expectServing(front);
  });

  test('renegotiation is refused', async ({ stage }) => {
    const front = await stage.front();
    const client = await front.connect({ maxVersion: 'TLSv1.2' });
    const outcome = await new Promise<string>((resolve) => {
      client.socket.once('close', () => {
        resolve('refused');
      });
      client.socket.once('error', () => {
        resolve('refused');
      });
      client.tls.renegotiate({ rejectUnauthorized: true }, (error) => {
        resolve(error === null ? 'renegotiated' : 'refused');
      });
      // A server that ignores the request is as good as one that refuses it; a new handshake would have come by now.
      setTimeout(() => {
        resolve('ignored');
      }, 2_000);
    });
    expect(['refused', 'ignored']).toContain(outcome);
    await expectServing(front);
  });
});

describe('many handshakes at once', () => {
  test('beyond the cap they are closed; below it again they are served', async ({ stage }) => {
    const front = await stage.front(undefined, (config) => {
      config.limits = { max_handshakes: 3, handshake: '3s' };
    });
    const hello = clientHello({ serverNames: NAME });
    const stuck = Array.from({ length: 3 }, () => bare(stage, front.portico.https.port));
    for (const { socket } of stuck) {
      socket.write(hello);
      await new Promise((resolve) => socket.once('data', resolve));
    }
    await expect(front.connect()).rejects.toThrow();
    await eventually(async () => {
      expect(await front.portico.metric('portico_tls_handshake_failures_total', 'reason="HANDSHAKES"')).toBeGreaterThan(
        0,
      );
    });
    for (const { socket } of stuck) socket.destroy();
    await eventually(() => expectServing(front));
  });
});

describe('session resumption', () => {
  for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
    test(`a ticket resumes on another connection and another listener (${maxVersion})`, async ({ stage }) => {
      const front = await stage.front();
      const first = await front.connect({ maxVersion });
      await first.send(get(PATH));
      expect((await first.readResponse()).status).toBe(200);
      const session = await eventually(() => {
        if (first.session === null) throw new Error('no ticket yet');
        return first.session;
      });
      const again = await front.connect({ maxVersion, session });
      expect(again.tls.isSessionReused()).toBe(true);
      await again.send(get(PATH));
      expect((await again.readResponse()).status).toBe(200);
      const elsewhere = await front.connect({ maxVersion, session, listener: 'federation' });
      await elsewhere.send(get(PATH));
      expect((await elsewhere.readResponse()).status).toBe(200);
    });

    test(`a ticket of another key is a full handshake (${maxVersion})`, async ({ stage }) => {
      const old = await stage.front();
      const first = await old.connect({ maxVersion });
      await first.send(get(PATH));
      await first.readResponse();
      const session = await eventually(() => {
        if (first.session === null) throw new Error('no ticket yet');
        return first.session;
      });
      const front = await stage.front();
      const client = await front.connect({ maxVersion, session });
      expect(client.tls.isSessionReused()).toBe(false);
      expect(client.tls.authorized).toBe(true);
      await client.send(get(PATH));
      expect((await client.readResponse()).status).toBe(200);
    });

    test(`a resumed session does not carry over to another site (${maxVersion})`, async ({ stage }) => {
      const front = await stage.front();
      const first = await front.connect({ maxVersion });
      await first.send(get(PATH));
      await first.readResponse();
      const session = await eventually(() => {
        if (first.session === null) throw new Error('no ticket yet');
        return first.session;
      });
      const other = await front.connect({ maxVersion, session, servername: 'other.test' }).catch(() => null);
      // Refusing the handshake is fine; answering as the first site is not.
      if (other === null) return;
      await other.send(get(PATH, 'example.test'));
      expect((await other.readResponse()).status).toBe(421);
      await other.send(get(PATH, 'other.test'));
      expect((await other.readResponse()).status).toBe(200);
    });
  }
});
