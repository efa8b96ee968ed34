/**
 * What an ACME validator sees: HTTP-01 answers for any Host (RFC 8555 §8.3), TLS-ALPN-01 handshakes (RFC 8737 §3, RFC 8738
 * §6), and that neither is there for anybody else.
 */
import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { connect } from 'node:tls';
import type { SecureVersion } from 'node:tls';
import { describe, expect } from 'vitest';
import { ChallengeBoard } from '../../src/acme/challenges/board.ts';
import { http01Solver } from '../../src/acme/challenges/http-01.ts';
import { tlsAlpn01Solver } from '../../src/acme/challenges/tls-alpn-01.ts';
import type { ChallengeTask } from '../../src/acme/challenge.ts';
import { identifierOf } from '../../src/acme/identifier.ts';
import { systemClock } from '../../src/base/clock.ts';
import { clientHello, sendHello, X25519 } from '../helpers/client-hello.ts';
import { eventually, within } from '../helpers/eventually.ts';
import { get, request, test } from '../helpers/stage.ts';
import type { Front, Stage } from '../helpers/stage.ts';
import type { ConfigInput } from '../helpers/portico.ts';

const TOKEN = 'evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr_oA';
const KEY_AUTHORIZATION = `${TOKEN}.nP1qzpXGymHBrUEepNY9HCsQk7K8KhOypzEt62jcerQ`;
const PATH = `/.well-known/acme-challenge/${TOKEN}`;
const ACME = 'acme-tls/1';
const signal = new AbortController().signal;

/** Portico before a recording backend, with the board it answers challenges from. */
async function stageFront(
  stage: Stage,
  configure?: (config: ConfigInput) => void,
): Promise<Front & { board: ChallengeBoard }> {
  const backend = await stage.backend();
  const board = new ChallengeBoard();
  const portico = await stage.portico({
    homeserver: backend.url,
    challenges: board,
    ...(configure === undefined ? {} : { configure }),
  });
  return { portico, backend, board, connect: (options) => stage.connect(portico, options) };
}

function task(type: ChallengeTask['type'], name: string): ChallengeTask {
  return {
    type,
    identifier: identifierOf(name),
    wildcard: false,
    token: TOKEN,
    keyAuthorization: KEY_AUTHORIZATION,
    accountUri: 'https://ca.test/account/1',
    issuerDomainNames: [],
  };
}

async function presentHttp01(board: ChallengeBoard): Promise<void> {
  await http01Solver(board).present(task('http-01', 'example.test'), signal);
}

async function presentTlsAlpn01(board: ChallengeBoard, name: string): Promise<() => Promise<void>> {
  const solver = tlsAlpn01Solver(board, { clock: systemClock, random: randomBytes });
  await solver.present(task('tls-alpn-01', name), signal);
  return () => solver.cleanUp(task('tls-alpn-01', name));
}

/** What a validator learns from one handshake. */
interface Seen {
  readonly alpn: string | false | null;
  readonly protocol: string | null;
  readonly certificate: X509Certificate;
  /** Application data that came, and whether the server ended the connection. */
  readonly data: string;
  readonly closed: boolean;
}

/** Shakes hands as a validator does (it verifies no chain), and waits for the server to close. */
function validate(
  port: number,
  servername: string,
  alpn: string[],
  version?: SecureVersion,
  groups?: string,
): Promise<Seen> {
  const opened = new Promise<Seen>((resolve, reject) => {
    const socket = connect({
      port,
      host: '127.0.0.1',
      servername,
      ALPNProtocols: alpn,
      rejectUnauthorized: false,
      ...(version === undefined ? {} : { minVersion: version, maxVersion: version }),
      ...(groups === undefined ? {} : { ecdhCurve: groups }),
    });
    let data = '';
    socket.on('data', (chunk: Buffer) => (data += chunk.toString('latin1')));
    socket.on('error', reject);
    socket.on('secureConnect', () => {
      const seen = {
        alpn: socket.alpnProtocol,
        protocol: socket.getProtocol(),
        certificate: new X509Certificate(socket.getPeerX509Certificate()!.raw),
      };
      socket.on('close', () => {
        resolve({ ...seen, data, closed: true });
      });
      socket.on('end', () => socket.end());
    });
  });
  return within(opened, 10_000, 'the validation');
}

function hasAcmeIdentifier(certificate: X509Certificate): boolean {
  const digest = createHash('sha256').update(KEY_AUTHORIZATION).digest('hex');
  return certificate.raw.toString('hex').includes(`06082b0601050507011f0101ff04220420${digest}`);
}

describe('HTTP-01', () => {
  test.for(['example.test', 'unknown.test', '192.0.2.7', '[2001:db8::7]', 'unknown.test:80', '127.0.0.1:8080'])(
    'Host %s on the http listener',
    async (host, { stage }) => {
      const front = await stageFront(stage);
      await presentHttp01(front.board);
      const client = await front.connect({ listener: 'http' });
      await client.send(get(PATH, host));
      const answer = await client.readResponse();
      expect(answer.status).toBe(200);
      expect(answer.body.toString()).toBe(KEY_AUTHORIZATION);
      expect(answer.field('content-type')).toBe('application/octet-stream');
      expect(answer.field('cache-control')).toBe('no-store');
      // The connection goes on.
      await client.send(get(PATH, host));
      expect((await client.readResponse()).status).toBe(200);
      expect(front.backend.text()).toBe('');
    },
  );

  test('on https and federation too, where a redirect of another web server leads', async ({ stage }) => {
    const front = await stageFront(stage, (config) => {
      config.listeners.push({ address: '127.0.0.1:0', role: 'federation', only: ['federation'] });
    });
    await presentHttp01(front.board);
    for (const listener of ['https', 'federation'] as const) {
      const client = await front.connect({ listener, servername: 'matrix.example.test' });
      for (const host of ['matrix.example.test', 'unknown.test', '192.0.2.7']) {
        await client.send(get(PATH, host));
        const answer = await client.readResponse();
        expect([answer.status, answer.body.toString()]).toEqual([200, KEY_AUTHORIZATION]);
      }
    }
    expect(front.backend.text()).toBe('');
  });

  test('over HTTP/2, which a validator that was redirected may speak', async ({ stage }) => {
    const front = await stageFront(stage);
    await presentHttp01(front.board);
    const session = connectHttp2(`https://127.0.0.1:${String(front.portico.https.port)}`, {
      ca: front.portico.ca,
      servername: 'example.test',
    });
    session.on('error', () => undefined);
    stage.onClose(() => {
      session.destroy();
    });
    const answer = await within(
      new Promise<[status: unknown, body: string]>((resolve, reject) => {
        const stream = session.request({ ':path': PATH, ':authority': 'unknown.test' });
        let status: unknown;
        let body = '';
        stream.on('response', (fields) => (status = fields[':status']));
        stream.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
        stream.on('error', reject);
        stream.on('end', () => {
          resolve([status, body]);
        });
      }),
      10_000,
      'the answer',
    );
    expect(answer).toEqual([200, KEY_AUTHORIZATION]);
  });

  test('HEAD has the size and no body; a query does not matter; POST is routed as any other', async ({ stage }) => {
    const front = await stageFront(stage);
    await presentHttp01(front.board);
    const client = await front.connect({ listener: 'http' });
    await client.send(request(`HEAD ${PATH} HTTP/1.1`, 'Host: unknown.test'));
    const head = await client.readResponse({ method: 'HEAD' });
    expect([head.status, head.field('content-length')]).toEqual([200, String(KEY_AUTHORIZATION.length)]);
    await client.send(get(`${PATH}?a=/../b`, 'unknown.test'));
    expect((await client.readResponse()).body.toString()).toBe(KEY_AUTHORIZATION);
    await client.send(request(`POST ${PATH} HTTP/1.1`, 'Host: example.test', 'Content-Length: 0'));
    expect((await client.readResponse()).status).toBe(308);
    await client.send(request(`POST ${PATH} HTTP/1.1`, 'Host: unknown.test', 'Content-Length: 0'));
    expect((await client.readResponse()).status).toBe(421);
  });

  test('an unknown token is routed as ever, and so is a known one after clean-up', async ({ stage }) => {
    const front = await stageFront(stage);
    const solver = http01Solver(front.board);
    await solver.present(task('http-01', 'example.test'), signal);
    await solver.cleanUp(task('http-01', 'example.test'));
    const http = await front.connect({ listener: 'http' });
    await http.send(get(PATH));
    const redirect = await http.readResponse();
    expect([redirect.status, redirect.field('location')]).toEqual([308, `https://example.test${PATH}`]);
    const https = await front.connect();
    await https.send(get(PATH));
    expect((await https.readResponse()).status).toBe(404);
  });

  test('a fallback to another web server keeps its own challenges', async ({ stage }) => {
    const other = await stage.backend();
    const front = await stageFront(stage, (config) => {
      config.sites[0].fallback = { proxy: other.url };
    });
    await presentHttp01(front.board);
    const client = await front.connect();
    for (const path of ['/.well-known/acme-challenge/theirs', '/.well-known/acme-challenge/th.eirs']) {
      await client.send(get(path));
      expect((await client.readResponse()).status).toBe(200);
      expect(other.text()).toContain(`GET ${path} HTTP/1.1`);
    }
    await client.send(get(PATH));
    expect((await client.readResponse()).body.toString()).toBe(KEY_AUTHORIZATION);
    expect(other.text()).not.toContain(TOKEN);
  });

  test.for([
    '/.well-known/acme-challenge/',
    '/.well-known/acme-challenge/../../x',
    '/.well-known/acme-challenge/../../../../etc/passwd',
    `/.well-known/acme-challenge/x/../${TOKEN}`,
    `/.well-known/acme-challenge//${TOKEN}`,
    `/.well-known/acme-challenge/${TOKEN}/`,
    `/.well-known/acme-challenge/%2e%2e%2f${TOKEN}`,
    `/.well-known/acme-challenge/a%2F${TOKEN}`,
    `/.well-known/acme-challenge/${TOKEN.slice(0, -1)}%41`,
    `/.well-known/acme-challenge/${TOKEN}.txt`,
    `/.well-known/acme-challenge/${'a'.repeat(129)}`,
    `/.well-known/acme-challenge/..\\..\\x`,
  ])('%s on the http listener: 404, short, whatever the Host', async (path, { stage }) => {
    const front = await stageFront(stage);
    await presentHttp01(front.board);
    for (const host of ['example.test', 'unknown.test']) {
      const client = await front.connect({ listener: 'http' });
      await client.send(get(path, host));
      const answer = await client.readResponse();
      expect(answer.status).toBe(404);
      expect(answer.body.length).toBeLessThan(200);
    }
    expect(front.backend.text()).toBe('');
  });

  test('a token of 10 KB is refused, and the next request is answered', async ({ stage }) => {
    const front = await stageFront(stage);
    await presentHttp01(front.board);
    const client = await front.connect({ listener: 'http' });
    await client.send(get(`/.well-known/acme-challenge/${'a'.repeat(10_240)}`, 'unknown.test'));
    expect([404, 414]).toContain((await client.readResponse()).status);
    const next = await front.connect({ listener: 'http' });
    await next.send(get(PATH, 'unknown.test'));
    expect((await next.readResponse()).status).toBe(200);
  });
});

describe('TLS-ALPN-01', () => {
  for (const version of ['TLSv1.3', 'TLSv1.2'] as const) {
    for (const listener of ['https', 'federation'] as const) {
      test.for([
        ['a name that has a certificate', 'example.test', 'example.test', 'DNS:example.test'],
        ['a name that has none yet', 'new.test', 'new.test', 'DNS:new.test'],
        ['an IPv4 address', '192.0.2.7', '7.2.0.192.in-addr.arpa', 'IP Address:192.0.2.7'],
        [
          'an IPv6 address',
          '2001:db8::7',
          `7.${'0.'.repeat(23)}8.b.d.0.1.0.0.2.ip6.arpa`,
          'IP Address:2001:DB8:0:0:0:0:0:7',
        ],
        ['SNI in capitals', 'new.test', 'NEW.test', 'DNS:new.test'],
      ] as const)(`%s on ${listener}, ${version}`, async ([, name, servername, san], { stage }) => {
        const front = await stageFront(stage);
        await presentTlsAlpn01(front.board, name);
        const seen = await validate(front.portico[listener].port, servername, [ACME], version);
        expect(seen).toMatchObject({ alpn: ACME, protocol: version, data: '', closed: true });
        expect(seen.certificate.subjectAltName).toBe(san);
        expect(hasAcmeIdentifier(seen.certificate)).toBe(true);
        await eventually(async () => {
          expect(await front.portico.metric('portico_tls_handshakes_in_progress')).toBe(0);
          expect(await front.portico.metric('portico_connections', `role="${listener}"`)).toBe(0);
        });
      });
    }

    test(`beside it, everybody else gets the certificate of the name, ${version}`, async ({ stage }) => {
      const front = await stageFront(stage);
      await presentTlsAlpn01(front.board, 'example.test');
      for (const alpn of [['h2', 'http/1.1'], ['http/1.1'], [ACME, 'http/1.1'], ['h2', ACME], undefined]) {
        const client = await front.connect({ ...(alpn === undefined ? {} : { alpn }), maxVersion: version });
        expect(client.tls.authorized).toBe(true);
        expect(client.tls.alpnProtocol).not.toBe(ACME);
        expect(hasAcmeIdentifier(new X509Certificate(client.tls.getPeerX509Certificate()!.raw))).toBe(false);
      }
    });

    test(`a session of before does not come into it, nor one of it into what follows, ${version}`, async ({
      stage,
    }) => {
      const front = await stageFront(stage);
      const first = await front.connect({ maxVersion: version });
      await first.send(get('/_matrix/client/versions'));
      await first.readResponse();
      const session = await eventually(() => {
        if (first.session === null) throw new Error('no ticket yet');
        return first.session;
      });
      await presentTlsAlpn01(front.board, 'example.test');
      const outcome = await new Promise<{ reused: boolean; alpn: unknown; tickets: number }>((resolve, reject) => {
        let tickets = 0;
        const socket = connect({
          port: front.portico.https.port,
          host: '127.0.0.1',
          servername: 'example.test',
          ALPNProtocols: [ACME],
          session,
          maxVersion: version,
          rejectUnauthorized: false,
        });
        socket.on('session', () => tickets++);
        socket.on('error', reject);
        socket.on('secureConnect', () => {
          const seen = { reused: socket.isSessionReused(), alpn: socket.alpnProtocol };
          socket.on('end', () => socket.end());
          socket.on('close', () => {
            resolve({ ...seen, tickets });
          });
        });
      });
      expect(outcome).toMatchObject({ reused: false, alpn: ACME });
      const again = await front.connect({ maxVersion: version, session });
      expect(again.tls.isSessionReused()).toBe(true);
    });
  }

  test('a validator that needs a HelloRetryRequest is answered as well', async ({ stage }) => {
    const front = await stageFront(stage);
    await presentTlsAlpn01(front.board, 'new.test');
    // The first group is the one a key share is sent for; the server does not speak it.
    const seen = await validate(front.portico.https.port, 'new.test', [ACME], 'TLSv1.3', 'secp521r1:prime256v1');
    expect(seen).toMatchObject({ alpn: ACME, protocol: 'TLSv1.3', data: '', closed: true });
    expect(hasAcmeIdentifier(seen.certificate)).toBe(true);
  });

  test('refused without a challenge, after its clean-up, and for another name; no ServerHello', async ({ stage }) => {
    const front = await stageFront(stage);
    const cleanUp = await presentTlsAlpn01(front.board, 'new.test');
    const hello = (name: string, alpn: string[]) =>
      sendHello(front.portico.https.port, clientHello({ serverNames: [Buffer.from(name)], alpn }));
    const alerts = async (name: string, alpn: string[]) => {
      const flight = await hello(name, alpn);
      expect(flight.serverHello).toBeNull();
      return flight.alert?.description;
    };
    expect((await hello('new.test', [ACME])).serverHello).not.toBeNull();
    expect(await alerts('example.test', [ACME])).toBe(120);
    expect(await alerts('other.new.test', [ACME])).toBe(112);
    for (const alpn of [[ACME, 'http/1.1'], ['h2', ACME], [ACME, ACME], ['http/1.1'], ['acme-tls/2'], ['ACME-TLS/1']]) {
      expect(await alerts('new.test', alpn)).toBe(112);
    }
    await cleanUp();
    expect(await alerts('new.test', [ACME])).toBe(112);
  });

  test('without SNI there is no challenge to be found', async ({ stage }) => {
    const front = await stageFront(stage);
    await presentTlsAlpn01(front.board, '127.0.0.1');
    for (const serverNames of [undefined, [Buffer.from('127.0.0.1')]]) {
      const flight = await sendHello(
        front.portico.https.port,
        clientHello({ alpn: [ACME], ...(serverNames === undefined ? {} : { serverNames }) }),
      );
      expect(flight.serverHello).toBeNull();
      expect(flight.alert?.description).toBe(120);
    }
  });

  test.for<readonly [string, string | null, string[]]>([
    ['asks for h2', 'new.test', ['h2']],
    ['adds h2', 'new.test', [ACME, 'h2']],
    ['asks for a name that is served', 'example.test', [ACME]],
    ['drops the name', null, [ACME]],
  ])('a second hello, after a HelloRetryRequest, that %s gets no certificate', async ([, name, alpn], { stage }) => {
    const front = await stageFront(stage);
    await presentTlsAlpn01(front.board, 'new.test');
    const one = { versions: [0x0304], groups: [X25519] };
    const first = clientHello({ ...one, serverNames: [Buffer.from('new.test')], alpn: [ACME], keyShare: false });
    const second = clientHello({
      ...one,
      ...(name === null ? {} : { serverNames: [Buffer.from(name)] }),
      alpn,
    });
    const socket = connectTcp({ port: front.portico.https.port, host: '127.0.0.1' });
    stage.onClose(() => socket.destroy());
    const types: number[] = [];
    let bytes = Buffer.alloc(0);
    let retried = false;
    const closed = new Promise<void>((resolve) => {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        resolve();
      });
      socket.on('end', () => socket.end());
    });
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      while (bytes.length >= 5 && bytes.length >= 5 + bytes.readUInt16BE(3)) {
        types.push(bytes.readUInt8(0));
        bytes = bytes.subarray(5 + bytes.readUInt16BE(3));
      }
      if (!retried && types.includes(22)) {
        retried = true;
        socket.write(second);
      }
    });
    socket.write(first);
    await within(closed, 10_000, 'the end of the connection');
    // The retry request, and perhaps a change_cipher_spec and an alert: no second ServerHello, and nothing encrypted.
    expect(types.filter((type) => type === 22)).toHaveLength(1);
    expect(types).not.toContain(23);
  });
});
