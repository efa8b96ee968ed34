/**
 * The whole program with a real CA and a real DNS server: `portico run` gets its certificates, renews them, and serves all the
 * while; and the case that this program was made for, the certificate of a base domain whose web site is elsewhere.
 */
import type { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { startHonestBackend } from '../helpers/honest-backend.ts';
import { runCliProcess } from '../integration/cli-process.ts';
import { eventually } from '../helpers/eventually.ts';
import { describePeers } from './harness/describe-peers.ts';
import { freePorts } from './harness/free-ports.ts';
import { startKnot, type Knot } from './harness/knot.ts';
import { Pebble, type PebbleOptions } from './harness/pebble.ts';
import { Service } from './harness/service.ts';
import { webRequest } from './harness/web-request.ts';
import { REPOSITORY } from './install/place.ts';

/** The base domains' own web server has an address of its own; both are this machine. */
const OTHER_ADDRESS = '127.0.0.2';
const ISSUE_LIMIT_MS = 60_000;

let directory: string;
let knot: Knot;
let pebble: Pebble;
let federationPort: number;
let metricsPort: number;
let homeserver: Awaited<ReturnType<typeof startHonestBackend>>;
let portico: Service | null = null;
let other: Server | null = null;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'portico-acme-run-'));
});

afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') {
    process.stderr.write(
      `${portico?.describeLog(60) ?? ''}\n${pebble.describeLogs()}\n${knot.service.describeLog(30)}\n`,
    );
  }
  await portico?.stop();
  portico = null;
  other?.close();
  other = null;
  await pebble.stop();
  await knot.stop();
  await homeserver.close();
  rmSync(directory, { recursive: true, force: true });
});

async function startPeers(options: Partial<PebbleOptions> = {}): Promise<void> {
  [federationPort = 0, metricsPort = 0] = await freePorts(2);
  homeserver = await startHonestBackend();
  knot = await startKnot({
    'plain.test': '@ 60 IN A 127.0.0.1\n',
    'wild.test': '@ 60 IN A 127.0.0.1\n',
    'elsewhere.test': [
      `@ 60 IN A ${OTHER_ADDRESS}`,
      'matrix 60 IN A 127.0.0.1',
      `_matrix-fed._tcp 60 IN SRV 10 0 ${federationPort} matrix.elsewhere.test.`,
      '',
    ].join('\n'),
  });
  const { address, port } = knot.server;
  pebble = await Pebble.start({
    directory: join(directory, 'pebble'),
    authzReusePercent: 0,
    dnsServer: `${address}:${port}`,
    ...options,
  });
}

function writeConfig(config: { sites: unknown[]; certificates?: unknown[]; acme?: Record<string, unknown> }): string {
  const dns = `${knot.server.address}:${knot.server.port}`;
  const key = knot.keys['hmac-sha256'];
  const caFile = join(directory, 'directory-ca.pem');
  writeFileSync(caFile, pebble.tlsCaPem);
  const file = join(directory, 'portico.yaml');
  writeFileSync(
    file,
    stringify({
      listeners: [
        { address: `127.0.0.1:${pebble.tlsPort}`, role: 'https' },
        { address: `127.0.0.1:${federationPort}`, role: 'federation' },
        { address: `127.0.0.1:${pebble.httpPort}`, role: 'http' },
      ],
      sites: config.sites,
      certificates: config.certificates ?? [],
      acme: {
        agree_to_terms: true,
        directory: pebble.directoryUrl,
        ca_file: caFile,
        dns: {
          rfc2136: { server: dns, key_name: key.name, algorithm: key.algorithm, secret: key.secret },
          resolvers: [dns],
        },
        ...config.acme,
      },
      store: { path: join(directory, 'store') },
      metrics: { listen: `127.0.0.1:${metricsPort}` },
      dns: { servers: [dns] },
      log: { level: 'debug' },
    }),
  );
  return file;
}

async function startPortico(file: string): Promise<void> {
  portico = await Service.start({
    name: 'Portico',
    command: process.execPath,
    args: [process.env.PORTICO_MAIN ?? join(REPOSITORY, 'src', 'main.ts'), 'run', '--config', file],
    cwd: directory,
    startLimitMs: 60_000,
    isReady: async () => {
      const base = `http://127.0.0.1:${metricsPort}`;
      return (await webRequest({ base, path: '/health/ready', timeoutMs: 5000 })).status === 200;
    },
  });
}

/** The leaf that is served for a name, verified against the CA's root; throws what a peer would meet. */
function dial(name: string, port: number, root: string): Promise<X509Certificate> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername: name, ca: root, timeout: 10_000 }, () => {
      const leaf = socket.getPeerX509Certificate();
      socket.destroy();
      if (leaf === undefined) reject(new Error('no certificate'));
      else resolve(leaf);
    });
    socket.on('timeout', () => socket.destroy(new Error('no handshake within 10 s')));
    socket.on('error', reject);
  });
}

/** Lines of Portico's log that say this. */
function logLines(msg: string): Record<string, unknown>[] {
  const lines = portico?.log ?? '';
  return lines.split('\n').flatMap((line) => {
    if (!line.startsWith('{')) return [];
    const entry = JSON.parse(line) as Record<string, unknown>;
    return entry.msg === msg ? [entry] : [];
  });
}

/** The challenge by which a name was shown. */
function validatedBy(name: string): unknown {
  return logLines('ACME order: validated').find((entry) => entry.name === name)?.challenge;
}

async function metric(line: RegExp): Promise<string | null> {
  const { body } = await webRequest({ base: `http://127.0.0.1:${metricsPort}`, path: '/metrics', timeoutMs: 5000 });
  return line.exec(body.toString())?.[1] ?? null;
}

describePeers(['pebble', 'knot'], 'portico run with ACME', () => {
  it('reaches three certificates by three challenges from one start, and renews by what the CA suggests', async () => {
    // By its dates alone a certificate of these would be renewed after 200 s, longer than this test may take.
    await startPeers({ profiles: { minutes: { description: 'some minutes', validityPeriod: 400 } } });
    const root = await pebble.root(0);
    // The base domain's web server leads validators to a host of ours, which HTTP-01 follows.
    other = createServer((request, response) => {
      response
        .writeHead(302, { location: `http://matrix.elsewhere.test:${pebble.httpPort}${request.url ?? '/'}` })
        .end();
    }).listen(pebble.httpPort, OTHER_ADDRESS);
    const file = writeConfig({
      sites: [
        { server_name: 'plain.test', homeserver: homeserver.url },
        { server_name: 'one.wild.test', homeserver: homeserver.url },
        {
          server_name: 'elsewhere.test',
          homeserver: homeserver.url,
          delegation: 'srv',
          base_domain: 'elsewhere',
          hosts: ['matrix.elsewhere.test'],
        },
      ],
      certificates: [{ names: ['*.wild.test'], acme: true }],
      acme: { challenges: ['tls-alpn-01', 'http-01', 'dns-01'], profile: 'minutes' },
    });
    await startPortico(file);
    const names = ['plain.test', 'one.wild.test', 'elsewhere.test', 'matrix.elsewhere.test'];
    for (const name of names) {
      await eventually(() => dial(name, pebble.tlsPort, root), ISSUE_LIMIT_MS);
      // The same certificate where peers come to.
      const [https, federation] = await Promise.all([
        dial(name, pebble.tlsPort, root),
        dial(name, federationPort, root),
      ]);
      expect(federation.fingerprint256).toBe(https.fingerprint256);
    }
    expect([validatedBy('plain.test'), validatedBy('elsewhere.test'), validatedBy('*.wild.test')]).toEqual([
      'tls-alpn-01',
      'http-01',
      'dns-01',
    ]);
    // Nothing is left in DNS, and no key is readable by others.
    expect(await knot.ask('_acme-challenge.wild.test', 'TXT')).toEqual([]);
    const stored = join(directory, 'store', 'acme', 'certificates');
    expect(readdirSync(stored)).toHaveLength(4);

    // The account gets a new key, and goes on ordering with it.
    const keyOf = (): unknown => {
      const [issuer = ''] = readdirSync(join(directory, 'store', 'acme')).filter((each) => each.startsWith('127.'));
      return JSON.parse(readFileSync(join(directory, 'store', 'acme', issuer, 'account.json'), 'utf8')).key;
    };
    const oldKey = keyOf();
    const rolled = await runCliProcess(['certs', 'rollover', '--json', '--config', file]);
    expect([rolled.code, rolled.stderr]).toEqual([0, '']);
    expect(JSON.parse(rolled.stdout).accounts).toHaveLength(1);
    expect(keyOf()).not.toBe(oldKey);

    // The CA suggests a window that has passed; it is asked after each start.
    const before = await dial('plain.test', pebble.tlsPort, root);
    const leaf = before.toString();
    await portico?.stop();
    await pebble.suggestRenewal(leaf, new Date(Date.now() - 10_000), new Date(Date.now() - 5_000));
    await startPortico(file);
    // Served from the first second.
    expect((await dial('plain.test', pebble.tlsPort, root)).fingerprint256).toBe(before.fingerprint256);
    await eventually(async () => {
      expect((await dial('plain.test', pebble.tlsPort, root)).fingerprint256).not.toBe(before.fingerprint256);
    }, ISSUE_LIMIT_MS);
    expect(logLines('ordering a certificate').map((entry) => [entry.names, entry.replaces])).toEqual([
      [['plain.test'], true],
    ]);
    await eventually(async () => {
      expect(await metric(/^portico_self_dials_total\{outcome="match"\} (\d+)$/m)).not.toBe('0');
    }, ISSUE_LIMIT_MS);
    expect(await metric(/^portico_self_dials_total\{outcome="mismatch"\} (\d+)$/m)).toBe('0');
  });

  it(
    'renews short-lived certificates while a client keeps connecting, without one failed handshake',
    { timeout: 240_000 },
    async () => {
      await startPeers({ profiles: { brief: { description: 'half a minute', validityPeriod: 30 } } });
      const root = await pebble.root(0);
      const file = writeConfig({
        sites: [{ server_name: 'plain.test', homeserver: homeserver.url }],
        acme: { challenges: ['http-01'], profile: 'brief' },
      });
      await startPortico(file);
      await eventually(() => dial('plain.test', pebble.tlsPort, root), ISSUE_LIMIT_MS);
      const seen = new Set<string>();
      let handshakes = 0;
      // The CA's window may put each renewal off until a sixth of the half minute is left.
      const end = performance.now() + 2 * ISSUE_LIMIT_MS;
      while (seen.size < 4 && performance.now() < end) {
        const leaf = await dial('plain.test', pebble.tlsPort, root);
        seen.add(leaf.fingerprint256);
        handshakes++;
      }
      expect(seen.size).toBeGreaterThanOrEqual(4);
      expect(handshakes).toBeGreaterThan(seen.size);
      // The profile is kept on renewal.
      expect(new Set(logLines('certificate obtained').map((entry) => entry.profile))).toEqual(new Set(['brief']));
    },
  );

  it.for(['dns-01', 'dns-persist-01', 'http-01'] as const)(
    'gets the certificate of a base domain that is elsewhere by %s, and peers verify it at the SRV target',
    async (challenge) => {
      await startPeers();
      const root = await pebble.root(0);
      const asked: string[] = [];
      other = createServer((request, response) => {
        asked.push(request.url ?? '');
        response
          .writeHead(301, { location: `http://matrix.elsewhere.test:${pebble.httpPort}${request.url ?? '/'}` })
          .end();
      }).listen(pebble.httpPort, OTHER_ADDRESS);
      await startPortico(
        writeConfig({
          sites: [
            {
              server_name: 'elsewhere.test',
              homeserver: homeserver.url,
              delegation: 'srv',
              base_domain: 'elsewhere',
              hosts: ['matrix.elsewhere.test'],
            },
          ],
          acme: { challenges: [challenge] },
        }),
      );
      const [record = ''] = await knot.ask('_matrix-fed._tcp.elsewhere.test', 'SRV');
      const [, , port, target] = record.split(' ');
      expect([Number(port), target]).toEqual([federationPort, 'matrix.elsewhere.test.']);
      expect(await knot.ask('elsewhere.test', 'A')).toEqual([OTHER_ADDRESS]);
      // A peer goes to the SRV target, and says and wants the base domain there.
      const leaf = await eventually(() => dial('elsewhere.test', federationPort, root), ISSUE_LIMIT_MS);
      expect(leaf.subjectAltName).toBe('DNS:elsewhere.test');
      expect(validatedBy('elsewhere.test')).toBe(challenge);
      expect(asked.length > 0).toBe(challenge === 'http-01');
      const answer = await webRequest({
        base: `https://127.0.0.1:${federationPort}`,
        path: '/_matrix/federation/v1/version',
        headers: { host: 'elsewhere.test' },
        servername: 'elsewhere.test',
        ca: root,
        timeoutMs: 10_000,
      });
      expect(answer.status).toBe(200);
    },
  );
});
