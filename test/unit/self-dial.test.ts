import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import type { CertificateData } from '../../src/base/certificate.ts';
import { dialForLeaf, selfDial, selfDialTargets } from '../../src/self-dial.ts';
import type { SelfDialResult, SelfDialTarget } from '../../src/self-dial.ts';
import { issueChallengeCertificate } from '../../src/tls/issue-challenge.ts';
import { createCertificateIndex } from '../../src/tls/select.ts';

function certificate(id: string, names: string[], notAfter = 1): CertificateData {
  return { id, names, chain: '', key: '', notBefore: 0, notAfter, source: 'acme' };
}

const https = { role: 'https', host: '::', port: 443 } as const;
const federation = { role: 'federation', host: '192.0.2.1', port: 8448 } as const;
const http = { role: 'http', host: '0.0.0.0', port: 80 } as const;

describe('selfDialTargets', () => {
  it('each name on each TLS listener, at an address that can be connected to', () => {
    const one = certificate('one', ['a.example', 'b.example']);
    const targets = selfDialTargets([one], createCertificateIndex([one], 'a.example'), [https, federation, http]);
    expect(targets).toEqual([
      { host: '::1', port: 443, servername: 'a.example', expected: 'one' },
      { host: '192.0.2.1', port: 8448, servername: 'a.example', expected: 'one' },
      { host: '::1', port: 443, servername: 'b.example', expected: 'one' },
      { host: '192.0.2.1', port: 8448, servername: 'b.example', expected: 'one' },
    ]);
    const v4 = [{ ...https, host: '0.0.0.0' }];
    expect(selfDialTargets([one], createCertificateIndex([one], ''), v4)[0]?.host).toBe('127.0.0.1');
  });

  it('a wildcard by a name below it; not a name for which another certificate is preferred', () => {
    const wild = certificate('wild', ['*.example', 'a.example']);
    const better = certificate('better', ['a.example'], 2);
    const targets = selfDialTargets([wild], createCertificateIndex([wild, better], 'x.example'), [https]);
    expect(targets.map(({ servername }) => servername)).toEqual(['portico-self-dial.example']);
  });

  it('an address only where its certificate is that of clients without SNI', () => {
    const address = certificate('address', ['192.0.2.1']);
    const name = certificate('name', ['a.example']);
    const all = [address, name];
    expect(selfDialTargets([address], createCertificateIndex(all, 'a.example'), [https])).toEqual([]);
    expect(selfDialTargets([address], createCertificateIndex(all, '192.0.2.1'), [https])).toEqual([
      { host: '::1', port: 443, servername: null, expected: 'address' },
    ]);
  });
});

describe('selfDial', () => {
  const targets: SelfDialTarget[] = Array.from({ length: 9 }, (_, index) => ({
    host: '127.0.0.1',
    port: 443,
    servername: `n${index}.example`,
    expected: `id-${index}`,
  }));
  const idOf = ({ servername }: SelfDialTarget) => `id-${/\d+/.exec(servername ?? '')?.[0]}`;

  it('tells match, mismatch and failure, each with its place', async () => {
    const results: SelfDialResult[] = [];
    await selfDial(targets.slice(0, 3), {
      dial: async (target) => {
        if (target === targets[1]) return 'another';
        if (target === targets[2]) throw Object.assign(new Error('no'), { code: 'ECONNREFUSED' });
        return idOf(target);
      },
      report: (result) => results.push(result),
      signal: new AbortController().signal,
      concurrency: 1,
      pauseMs: 0,
    });
    expect(results.map(({ outcome }) => outcome)).toEqual(['match', 'mismatch', 'failed']);
    expect(results[1]?.problem).toMatchObject({
      code: 'SELF_DIAL_MISMATCH',
      message: expect.stringContaining('127.0.0.1:443 for n1.example serves the certificate another'),
    });
    expect(results[2]?.problem).toMatchObject({
      code: 'SELF_DIAL_FAILED',
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it('has no more than so many under way, and misses none', async () => {
    let open = 0;
    let most = 0;
    const results: SelfDialResult[] = [];
    await selfDial(targets, {
      dial: async (target) => {
        most = Math.max(most, ++open);
        await new Promise((resolve) => setImmediate(resolve));
        open--;
        return idOf(target);
      },
      report: (result) => results.push(result),
      signal: new AbortController().signal,
      concurrency: 3,
      pauseMs: 0,
    });
    expect(most).toBe(3);
    expect(results).toHaveLength(targets.length);
    expect(new Set(results.map(({ outcome }) => outcome))).toEqual(new Set(['match']));
  });

  it('a dial that hangs is given up after its time', async () => {
    const results: SelfDialResult[] = [];
    await selfDial(targets.slice(0, 1), {
      dial: (_target, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error));
        }),
      report: (result) => results.push(result),
      signal: new AbortController().signal,
      timeoutMs: 20,
    });
    expect(results).toMatchObject([{ outcome: 'failed' }]);
  });

  it('ends with its signal, and then reports nothing', async () => {
    const abort = new AbortController();
    let dials = 0;
    await selfDial(targets, {
      dial: (_target, signal) =>
        new Promise((_resolve, reject) => {
          dials++;
          signal.addEventListener('abort', () => reject(signal.reason as Error));
          if (dials === 2) abort.abort();
        }),
      report: () => expect.unreachable(),
      signal: abort.signal,
    });
    expect(dials).toBe(2);
  });
});

describe('dialForLeaf', () => {
  const closers: (() => void)[] = [];
  afterEach(() => {
    for (const close of closers.splice(0)) close();
  });
  const signal = AbortSignal.timeout(20_000);

  it('tells the fingerprint of the leaf for a name, and without one', async () => {
    const own = await issueChallengeCertificate('a.example', 'x', Date.now(), randomBytes);
    const fallback = await issueChallengeCertificate('b.example', 'x', Date.now(), randomBytes);
    const server = createServer({ cert: fallback.certificate, key: fallback.key });
    server.addContext('a.example', { cert: own.certificate, key: own.key });
    server.on('tlsClientError', () => undefined);
    server.listen(0, '127.0.0.1');
    closers.push(() => server.close());
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const target = { host: '127.0.0.1', port, expected: '' };
    const idOf = (pem: string) => new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase();
    expect(await dialForLeaf({ ...target, servername: 'a.example' }, signal)).toBe(idOf(own.certificate));
    expect(await dialForLeaf({ ...target, servername: null }, signal)).toBe(idOf(fallback.certificate));
  });

  it('rejects where nobody listens, where the connection is closed, and when it is aborted', async () => {
    const server = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      if (hang) {
        socket.resume();
        return;
      }
      socket.destroy();
    });
    let hang = false;
    server.listen(0, '127.0.0.1');
    closers.push(() => server.close());
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const target = { host: '127.0.0.1', port, servername: 'a.example', expected: '' };
    await expect(dialForLeaf(target, signal)).rejects.toThrow();
    hang = true;
    await expect(dialForLeaf(target, AbortSignal.timeout(50))).rejects.toThrow();
    await expect(dialForLeaf(target, AbortSignal.abort())).rejects.toThrow();
    server.close();
    await once(server, 'close');
    await expect(dialForLeaf(target, signal)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});
