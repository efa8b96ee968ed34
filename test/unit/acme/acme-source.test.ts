import { afterEach, describe, expect, it, vi } from 'vitest';
import { AcmeSource } from '../../../src/acme/acme-source.ts';
import { collectCertificates } from '../../../src/certificates.ts';
import type { CertificateSource } from '../../../src/tls/certificate-source.ts';
import { runCertificateSourceTests } from '../tls/certificate-source-conformance.ts';
import type { CertificateSourceFixture } from '../tls/certificate-source-conformance.ts';
import { newBench, START } from './manager-bench.ts';

async function newFixture(): Promise<CertificateSourceFixture> {
  vi.useFakeTimers({ now: START });
  const bench = await newBench();
  bench.sets = [['a.example'], ['*.b.example'], ['192.0.2.1']];
  bench.dnsNames = new Set(['*.b.example']);
  const manager = await bench.start();
  await bench.pass(1000);
  return {
    source: new AcmeSource(manager),
    now: () => Date.now(),
    renew: async () => {
      await manager.renewNow('a.example');
      await bench.pass(1000);
    },
    remove: async () => {
      await manager.close();
      vi.useRealTimers();
    },
  };
}

runCertificateSourceTests('AcmeSource', newFixture, null);

describe('a source that is pending', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  const other: CertificateSource = {
    kind: 'files',
    certificateFor: async (name) => {
      if (name === 'a.example') throw new Error('asked for a name that is pending');
      return null;
    },
    onChange: () => undefined,
    close: () => undefined,
  };

  it('keeps its names to itself, and the others may still have none', async () => {
    vi.useFakeTimers({ now: START });
    const bench = await newBench();
    bench.sets = [['a.example']];
    const source = new AcmeSource(await bench.openOnly());
    expect(await collectCertificates(['a.example'], [source, other])).toEqual([]);
    await expect(collectCertificates(['a.example', 'z.example'], [source, other])).rejects.toMatchObject({
      code: 'CERT_NO_SOURCE',
    });
    await bench.manager?.close();
  });
});
