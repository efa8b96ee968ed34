import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import type { CertificateData } from '../../src/base/certificate.ts';
import { REQUEST_CLASSES } from '../../src/base/request-class.ts';
import type { Config } from '../../src/config/index.ts';
import type { Snapshot } from '../../src/proxy/snapshot.ts';
import { buildSnapshot, caFilePaths, certificateNames } from '../../src/snapshot.ts';
import { fakeFiles, goldenFiles } from './config/fake-files.ts';
import { configOf } from './config/load-yaml.ts';

const CA = '-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n';
const CA_FILES = new Map([['/etc/portico/ca.pem', CA]]);
const CERTIFICATE: CertificateData = {
  id: 'ab'.repeat(32),
  names: ['example.com', '*.example.com'],
  chain: 'chain',
  key: 'key',
  notBefore: 1,
  notAfter: 2,
  source: 'files',
};
const INPUT = { version: 7, certificates: [CERTIFICATE], ticketKey: { key: 'AAAA', activeFrom: 3 }, caFiles: CA_FILES };

/** The golden config with every key in use. */
const EVERYTHING = readFileSync(new URL('../golden/config/ok-everything.txt', import.meta.url), 'utf8').split(
  '----------\n',
)[0];

const SITE = 'sites:\n  - server_name: example.com\n    homeserver: http://127.0.0.1:8008\n';
const CERTIFICATES = 'certificates:\n  - names: [example.com]\n    local_ca: true\n';

async function snapshotOf(text: string): Promise<Snapshot> {
  return buildSnapshot({ ...INPUT, config: await configOf(text) });
}

/** Where a value is anything but plain data: null, boolean, finite number, string, list, map; undefined only as a value of a map. */
function notPlain(value: unknown, path = 'snapshot'): string[] {
  if (value === null || ['boolean', 'string', 'undefined'].includes(typeof value)) return [];
  if (typeof value === 'number') return Number.isFinite(value) ? [] : [path];
  if (typeof value !== 'object') return [path];
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== Array.prototype) return [path];
  if (Object.getOwnPropertySymbols(value).length > 0) return [path];
  return Object.entries(value).flatMap(([key, inner]) => notPlain(inner, `${path}.${key}`));
}

describe('buildSnapshot', () => {
  let config: Config;
  let snapshot: Snapshot;

  beforeAll(async () => {
    config = await configOf(EVERYTHING ?? '', fakeFiles(await goldenFiles()));
    snapshot = buildSnapshot({ ...INPUT, config });
  });

  it('is plain data, through and through', () => {
    expect(notPlain(snapshot)).toEqual([]);
  });

  it('crosses a process boundary unchanged', () => {
    expect(isDeepStrictEqual(structuredClone(snapshot), snapshot)).toBe(true);
    // JSON leaves out what is undefined, which means the same.
    expect(JSON.parse(JSON.stringify(snapshot))).toEqual(snapshot);
    expect(structuredClone(snapshot)).not.toBe(snapshot);
  });

  it('follows from its input alone, and leaves it as it was', () => {
    const before = structuredClone(snapshot);
    expect(buildSnapshot({ ...INPUT, config })).toEqual(before);
    expect(snapshot).toEqual(before);
  });

  it('carries what is given to it', () => {
    expect(snapshot).toMatchObject({ version: 7, certificates: [CERTIFICATE], ticketKey: { key: 'AAAA', activeFrom: 3 } });
    expect(snapshot).toMatchObject({ defaultName: 'example.com', minTlsVersion: 'TLSv1.3', trustedProxies: ['10.0.0.0/8'] });
  }); // prettier-ignore

  it('has the listeners, with the protocols of their roles', () => {
    expect(snapshot.listeners).toEqual([
      { host: undefined, port: 443, role: 'https', only: null, http2: true },
      { host: undefined, port: 8448, role: 'federation', only: 'federation', http2: false },
      { host: undefined, port: 80, role: 'http', only: null, http2: false },
      { host: '127.0.0.1', port: 0, role: 'https', only: null, http2: true },
      { host: '127.0.0.1', port: 0, role: 'federation', only: null, http2: false },
    ]);
  });

  it('has the upstreams of every kind, with the trust anchors in place of their paths', () => {
    const [first, second, third] = snapshot.sites;
    expect(first?.homeserver).toEqual({
      id: 'https://hs.internal', transport: 'tls', host: 'hs.internal', port: 443, socketPath: '', ca: CA,
    }); // prettier-ignore
    expect(first?.federation).toMatchObject({ transport: 'unix', host: '', port: 0, socketPath: '/run/synapse/fed.sock' });
    expect(second?.homeserver).toMatchObject({ transport: 'unix', socketPath: '/run/dendrite.sock', ca: null });
    expect(second?.federation).toBeNull();
    expect(second?.fallback).toMatchObject({ kind: 'proxy', upstream: { host: 'web.internal', port: 8443, ca: CA } });
    expect(third?.homeserver).toMatchObject({ transport: 'tcp', host: '::1', port: 8008, ca: null });
  }); // prettier-ignore

  it('has the sites with their names, openings and fallbacks', () => {
    const [first, second, third, fourth] = snapshot.sites;
    expect(first).toMatchObject({
      serverName: 'example.com',
      expose: [{ path: '/_synapse/admin', from: ['10.0.0.0/8', '2001:db8::/32', '192.0.2.7'] }],
      fallback: { kind: 'files', directory: '/etc/portico/www' },
    });
    expect(first?.hosts[0]).toBe('example.com');
    expect(first?.hosts).toEqual(expect.arrayContaining(['matrix.example.com', 'chat.example.com', '192.0.2.1']));
    expect(first?.wellKnown.maxAgeSeconds).toBe(12 * 3600);
    expect(second?.serverName).toBe('localhost:8449');
    expect(third?.fallback).toEqual({ kind: 'redirect', location: 'https://www.example.com/' });
    expect(fourth?.hosts).toContain('[2001:db8::1]');
  });

  it('has the limits of every class, in milliseconds and bytes', () => {
    expect(Object.keys(snapshot.limits.classes).sort()).toEqual([...REQUEST_CLASSES].sort());
    expect(snapshot.limits).toMatchObject({ connectMs: 500, maxHeadBytes: 32 * 1024 });
    expect(snapshot.limits.classes.sync).toMatchObject({ responseHeadMs: 300_000, maxConcurrent: 5000 });
    expect(snapshot.limits.classes.media_up).toMatchObject({ maxBodyBytes: 500 * 1024 * 1024, minRequestRate: 0 });
    const numbers = [snapshot.limits, ...Object.values(snapshot.limits.classes)].flatMap((limits) =>
      Object.entries(limits).filter(([key]) => key !== 'classes' && key !== 'maxConcurrent'),
    );
    expect(numbers.filter(([, value]) => typeof value !== 'number' || !Number.isSafeInteger(value))).toEqual([]);
  });

  it('needs every CA file that the config names', () => {
    expect(() => buildSnapshot({ ...INPUT, config, caFiles: new Map() })).toThrow('/etc/portico/ca.pem');
    expect(caFilePaths(config)).toEqual(['/etc/portico/ca.pem']);
  });

  it('asks for a certificate for every name once', () => {
    const names = certificateNames(config);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(
      expect.arrayContaining(['example.com', 'matrix.example.com', 'chat.example.com', '192.0.2.1', 'localhost', '2001:db8::1']),
    );
    expect(names.filter((name) => name.includes('[') || name !== name.toLowerCase())).toEqual([]);
  }); // prettier-ignore

  it('has no secret of the config but the keys that it is given', () => {
    const text = JSON.stringify(snapshot);
    for (const secret of ['tsig', 'hmac', 'admin@example.com\\"', '/var/lib/portico'])
      expect(text).not.toContain(secret);
  });
});

describe('buildSnapshot of the smallest config', () => {
  it('has defaults everywhere', async () => {
    const snapshot = await snapshotOf(SITE + CERTIFICATES);
    expect(notPlain(snapshot)).toEqual([]);
    expect(snapshot).toMatchObject({ defaultName: 'example.com', minTlsVersion: 'TLSv1.2', trustedProxies: [] });
    expect(snapshot.listeners.map(({ role }) => role).sort()).toEqual(['federation', 'http', 'https']);
    expect(snapshot.sites).toHaveLength(1);
    expect(snapshot.sites[0]).toMatchObject({ federation: null, expose: [], homeserver: { ca: null, port: 8008 } });
  });

  it('differs only in its version when nothing else does', async () => {
    const text = SITE + CERTIFICATES;
    const one = await snapshotOf(text);
    const two = buildSnapshot({ ...INPUT, version: 8, config: await configOf(text) });
    expect({ ...two, version: 7 }).toEqual(one);
  });
});
