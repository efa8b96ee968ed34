import { execFile } from 'node:child_process';
import { randomBytes, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer } from 'node:tls';
import { promisify } from 'node:util';
import { beforeEach, describe, expect, it } from 'vitest';
import type { CertificateData } from '../../../src/base/certificate.ts';
import type { PorticoError } from '../../../src/base/errors.ts';
import { MemoryStore } from '../../../src/store/memory-store.ts';
import { LocalCaSource } from '../../../src/tls/local-ca-source.ts';
import { LocalCa } from '../../../src/tls/local-ca.ts';
import { runCertificateSourceTests } from './certificate-source-conformance.ts';
import type { CertificateSourceFixture } from './certificate-source-conformance.ts';

const DAY = 86_400_000;
const START = Date.UTC(2026, 10, 21);

/** A clock that stands until it is set. */
class HandClock {
  time = START;
  now(): number {
    return this.time;
  }
  monotonic(): number {
    return this.time;
  }
}

let clock: HandClock;
let store: MemoryStore;

beforeEach(async () => {
  clock = new HandClock();
  store = new MemoryStore();
  await store.lock();
});

function open(): Promise<LocalCa> {
  return LocalCa.open({ store, clock, random: randomBytes });
}

function certificateOf(leaf: CertificateData): X509Certificate {
  return new X509Certificate(leaf.chain);
}

async function newFixture(): Promise<CertificateSourceFixture> {
  const ownClock = new HandClock();
  const ownStore = new MemoryStore();
  await ownStore.lock();
  const ca = await LocalCa.open({ store: ownStore, clock: ownClock, random: randomBytes });
  const names = ['a.example', '*.b.example', '192.0.2.1'];
  const source = new LocalCaSource({ ca, names, onProblem: (problem) => expect.unreachable(problem.message) });
  return {
    source,
    now: () => ownClock.now(),
    renew: async () => {
      ownClock.time += 61 * DAY;
      await source.refresh();
    },
    remove: () => Promise.resolve(),
  };
}

/** A store that may not be written to: no leaf can be kept. */
async function newBroken(): Promise<CertificateSourceFixture> {
  const ownStore = new MemoryStore();
  const lock = await ownStore.lock();
  const ca = await LocalCa.open({ store: ownStore, clock: new HandClock(), random: randomBytes });
  await lock.release();
  const source = new LocalCaSource({ ca, names: ['a.example'], onProblem: () => undefined });
  return { source, now: () => START, renew: () => Promise.resolve(), remove: () => Promise.resolve() };
}

runCertificateSourceTests('LocalCaSource', newFixture, newBroken);

describe('the CA', () => {
  it('is made once and found again', async () => {
    const first = await open();
    const again = await open();
    expect(again.caPem).toBe(first.caPem);
    expect(await store.list('')).toEqual(['local_ca/ca-key.pem', 'local_ca/ca.pem']);
  });

  it('is a CA for ten years, of leaves only', async () => {
    const certificate = new X509Certificate((await open()).caPem);
    expect(certificate.ca).toBe(true);
    expect(certificate.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
    expect(certificate.subject).toMatch(/^CN=Portico local CA [0-9a-f]{8}$/);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    const years = (certificate.validToDate.getTime() - certificate.validFromDate.getTime()) / (365.25 * DAY);
    expect(years).toBeCloseTo(10, 1);
    expect(certificate.validFromDate.getTime()).toBeLessThan(START);
  });

  it('has a name of its own, so that two can be trusted at once', async () => {
    const other = new MemoryStore();
    await other.lock();
    const second = await LocalCa.open({ store: other, clock, random: randomBytes });
    expect(new X509Certificate(second.caPem).subject).not.toBe(new X509Certificate((await open()).caPem).subject);
  });

  it('is made anew when the first start ended between key and certificate', async () => {
    await open();
    await store.delete('local_ca/ca.pem');
    expect((await open()).caPem).toContain('BEGIN CERTIFICATE');
  });

  it.for<[string, () => Promise<void>]>([
    ['its key is gone', () => store.delete('local_ca/ca-key.pem')],
    ['its key is damaged', () => store.put('local_ca/ca-key.pem', 'x')],
    ['its certificate is damaged', () => store.put('local_ca/ca.pem', 'x')],
    [
      'its halves do not belong together',
      async () => {
        const other = new MemoryStore();
        await other.lock();
        await LocalCa.open({ store: other, clock, random: randomBytes });
        await store.put('local_ca/ca-key.pem', (await other.get('local_ca/ca-key.pem')) ?? '');
      },
    ],
  ])('is not silently replaced when %s', async ([, damage]) => {
    await open();
    await damage();
    const before = await store.get('local_ca/ca.pem');
    await expect(open()).rejects.toMatchObject({
      code: 'LOCAL_CA_BROKEN',
      fix: expect.stringContaining('backup') as string,
    });
    expect(await store.get('local_ca/ca.pem')).toEqual(before);
  });
});

describe('a leaf', () => {
  it('is for its name only, for servers only, for ninety days', async () => {
    const leaf = await (await open()).leafFor('Matrix.Example');
    const certificate = certificateOf(leaf);
    expect(leaf.names).toEqual(['matrix.example']);
    expect(certificate.subject).toBeFalsy();
    expect(certificate.ca).toBe(false);
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    expect(leaf.notAfter - leaf.notBefore).toBe(90 * DAY);
    expect(leaf.notBefore).toBeLessThan(START);
  });

  it.for(['2001:db8::1', '192.0.2.1', '*.example', 'localhost', `${'long-label.'.repeat(20)}example`])(
    'for %s is kept and found again',
    async (name) => {
      const leaf = await (await open()).leafFor(name);
      expect(leaf.names).toEqual([name]);
      expect(await (await open()).leafFor(name)).toEqual(leaf);
      expect(await store.list('local_ca/leaves')).toHaveLength(1);
    },
  );

  it('is renewed when a third of its life is left, and not before', async () => {
    const ca = await open();
    const leaf = await ca.leafFor('a.example');
    clock.time = leaf.notAfter - 30 * DAY - 1;
    expect(await ca.leafFor('a.example')).toEqual(leaf);
    clock.time += 1;
    const renewed = await ca.leafFor('a.example');
    expect(renewed.id).not.toBe(leaf.id);
    expect(renewed.key).not.toBe(leaf.key);
  });

  it('is made anew when the clock was set back before its beginning', async () => {
    const ca = await open();
    const leaf = await ca.leafFor('a.example');
    clock.time -= 3 * DAY;
    expect((await ca.leafFor('a.example')).id).not.toBe(leaf.id);
  });

  it.for<[string, () => Promise<string>]>([
    ['damaged', () => Promise.resolve('half a file')],
    [
      'of another CA',
      async () => {
        const other = new MemoryStore();
        await other.lock();
        await (await LocalCa.open({ store: other, clock, random: randomBytes })).leafFor('a.example');
        return String(await other.get('local_ca/leaves/a.example.pem'));
      },
    ],
    [
      'of another name',
      async () => {
        await (await open()).leafFor('other.example');
        return String(await store.get('local_ca/leaves/other.example.pem'));
      },
    ],
  ])('that is %s is replaced', async ([, content]) => {
    const ca = await open();
    const stored = await content();
    await store.put('local_ca/leaves/a.example.pem', stored);
    const leaf = await ca.leafFor('a.example');
    expect(leaf.names).toEqual(['a.example']);
    expect(certificateOf(leaf).verify(new X509Certificate(ca.caPem).publicKey)).toBe(true);
    expect(String(await store.get('local_ca/leaves/a.example.pem'))).not.toBe(stored);
  });

  it('does not outlive the CA, and there is none after its end', async () => {
    const ca = await open();
    const end = new X509Certificate(ca.caPem).validToDate.getTime();
    clock.time = end - 10 * DAY;
    expect((await ca.leafFor('a.example')).notAfter).toBe(end);
    clock.time = end + 1;
    await expect(ca.leafFor('b.example')).rejects.toMatchObject({ code: 'LOCAL_CA_EXPIRED' });
  });

  it('has a serial number that is positive whatever the random bytes are', async () => {
    for (const byte of [0x00, 0x7f, 0x80, 0xff]) {
      const ca = await LocalCa.open({ store, clock, random: (size) => Buffer.alloc(size, byte) });
      const { serialNumber } = certificateOf(await ca.leafFor(`x${String(byte)}.example`));
      expect(serialNumber).toMatch(/^[4-7][0-9A-F]{31}$/);
    }
  });
});

describe('renewal by itself', () => {
  it('that fails keeps the certificate in use and tells why', async () => {
    const own = new MemoryStore();
    const lock = await own.lock();
    const ca = await LocalCa.open({ store: own, clock, random: randomBytes });
    const problems: PorticoError[] = [];
    const source = new LocalCaSource({ ca, names: ['a.example'], onProblem: (problem) => problems.push(problem) });
    let told = 0;
    source.onChange(() => told++);
    const before = await source.certificateFor('a.example');
    clock.time += 61 * DAY;
    await lock.release();
    await source.refresh();
    expect(problems.map(({ code }) => code)).toEqual(['STORE_NOT_LOCKED']);
    expect(problems[0]?.message).toContain('a.example');
    expect(await source.certificateFor('a.example')).toEqual(before);
    await own.lock();
    await source.refresh();
    expect(told).toBe(1);
    expect((await source.certificateFor('a.example'))?.id).not.toBe(before?.id);
    source.close();
  });

  it('renew makes a new one at once, by the exact name or its wildcard, and tells it', async () => {
    const ca = await open();
    const source = new LocalCaSource({ ca, names: ['a.example', '*.b.example'], onProblem: () => undefined });
    let told = 0;
    source.onChange(() => told++);
    const before = await source.certificateFor('a.example');
    const wild = await source.certificateFor('x.b.example');
    expect(await source.renew('A.example')).toBe(true);
    expect((await source.certificateFor('a.example'))?.id).not.toBe(before?.id);
    expect(await source.renew('y.b.example')).toBe(true);
    expect((await source.certificateFor('x.b.example'))?.id).not.toBe(wild?.id);
    expect(told).toBe(2);
    expect(await source.renew('other.example')).toBe(false);
    expect(told).toBe(2);
    // It lasts: the next start finds the new one.
    const again = new LocalCaSource({ ca: await open(), names: ['a.example'], onProblem: () => undefined });
    expect(await again.certificateFor('a.example')).toEqual(await source.certificateFor('a.example'));
    again.close();
    source.close();
  });

  it('happens without being asked', async () => {
    const ca = await open();
    const source = new LocalCaSource({ ca, names: ['a.example'], onProblem: () => undefined, intervalMs: 5 });
    await source.certificateFor('a.example');
    const changed = new Promise<void>((resolve) => {
      source.onChange(resolve);
    });
    clock.time += 61 * DAY;
    await changed;
    source.close();
  });
});

describe('other programs', () => {
  it('accept the chain: openssl', async () => {
    clock.time = Date.now();
    const ca = await open();
    const directory = await mkdtemp(join(tmpdir(), 'portico-ca-'));
    try {
      await writeFile(join(directory, 'ca.pem'), ca.caPem);
      for (const [name, flag] of [
        ['a.example', '-verify_hostname'],
        ['192.0.2.1', '-verify_ip'],
        ['2001:db8::1', '-verify_ip'],
      ] as const) {
        const file = join(directory, 'leaf.pem');
        await writeFile(file, (await ca.leafFor(name)).chain);
        const args = [
          'verify',
          '-x509_strict',
          '-purpose',
          'sslserver',
          flag,
          name,
          '-CAfile',
          join(directory, 'ca.pem'),
          file,
        ];
        const { stdout } = await promisify(execFile)('openssl', args);
        expect(stdout).toContain('OK');
      }
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });

  it('accept the chain: a TLS client that trusts the CA, for the name and the address', async () => {
    clock.time = Date.now();
    const ca = await open();
    for (const [name, options] of [
      ['a.example', { servername: 'a.example' }],
      ['127.0.0.1', {}],
    ] as const) {
      const leaf = await ca.leafFor(name);
      const server = createServer({ cert: leaf.chain, key: leaf.key }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      const client = connect({ port, host: '127.0.0.1', ca: ca.caPem, ...options });
      await once(client, 'secureConnect');
      expect(client.authorized).toBe(true);
      client.destroy();
      server.close();
    }
  });
});
