import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { CertificateData } from '../../src/base/certificate.ts';
import { systemClock } from '../../src/base/clock.ts';
import { PorticoError } from '../../src/base/errors.ts';
import { collectCertificates, openSources, renewCertificate } from '../../src/certificates.ts';
import { MemoryStore } from '../../src/store/memory-store.ts';
import type { CertificateSource } from '../../src/tls/certificate-source.ts';
import { configOf } from './config/load-yaml.ts';

function certificate(id: string): CertificateData {
  return { id, names: [], chain: '', key: '', notBefore: 0, notAfter: 1, source: 'files' };
}

/** A source with fixed answers by name, and what it was asked. */
function source(answers: Record<string, CertificateData | Error>): CertificateSource & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    kind: 'files',
    asked,
    certificateFor: async (name) => {
      asked.push(name);
      const answer = answers[name];
      if (answer instanceof Error) throw answer;
      return answer ?? null;
    },
    onChange: () => undefined,
    close: () => undefined,
  };
}

describe('collectCertificates', () => {
  it('has one certificate for each name, in the order of the names', async () => {
    const one = source({ 'a.example': certificate('a'), 'b.example': certificate('b') });
    const found = await collectCertificates(['b.example', 'a.example'], [one]);
    expect(found.map(({ id }) => id)).toEqual(['b', 'a']);
  });

  it('has a certificate of many names once', async () => {
    const both = certificate('both');
    const one = source({ 'a.example': both, 'b.example': both });
    expect(await collectCertificates(['a.example', 'b.example'], [one])).toEqual([both]);
  });

  it('takes the first answer: null passes a name on, a value does not', async () => {
    const first = source({ 'a.example': certificate('first') });
    const second = source({ 'a.example': certificate('second'), 'b.example': certificate('b') });
    const found = await collectCertificates(['a.example', 'b.example'], [first, second]);
    expect(found.map(({ id }) => id)).toEqual(['first', 'b']);
    expect(first.asked).toEqual(['a.example', 'b.example']);
    expect(second.asked).toEqual(['b.example']);
  });

  it('does not paper over a broken certificate with one of another source', async () => {
    const broken = new PorticoError('CERT_KEY_MISMATCH', 'broken');
    const second = source({ 'a.example': certificate('second') });
    await expect(collectCertificates(['a.example'], [source({ 'a.example': broken }), second])).rejects.toBe(broken);
    expect(second.asked).toEqual([]);
  });

  it('says which name nobody answers for', async () => {
    const names = ['a.example', 'b.example'];
    for (const sources of [[], [source({ 'a.example': certificate('a') }), source({})]]) {
      const name = sources.length === 0 ? 'a.example' : 'b.example';
      await expect(collectCertificates(names, sources)).rejects.toMatchObject({
        code: 'CERT_NO_SOURCE',
        message: expect.stringContaining(name),
        fix: expect.stringMatching(/./),
      });
    }
  });

  it('has nothing for nobody', async () => {
    expect(await collectCertificates([], [source({})])).toEqual([]);
  });
});

describe('openSources', () => {
  it('opens the local CA for names that ask for it, and gives what covers them', async () => {
    const config = await configOf(
      'sites:\n  - server_name: a.example\n    homeserver: http://127.0.0.1:8008\n' +
        'certificates:\n  - names: [a.example]\n    local_ca: true\n',
    );
    const store = new MemoryStore();
    await store.lock();
    const opened = await openSources({ config, store, clock: systemClock, onProblem: (problem) => { throw problem; } }); // prettier-ignore
    try {
      expect(opened.sources.map(({ kind }) => kind)).toEqual(['local_ca']);
      expect(opened.localCaPem).toMatch(/^-----BEGIN CERTIFICATE-----/);
      const [found] = await collectCertificates(['a.example'], opened.sources);
      expect(found?.names).toContain('a.example');
      const unknown = `${randomBytes(4).toString('hex')}.example`;
      await expect(collectCertificates([unknown], opened.sources)).rejects.toMatchObject({ code: 'CERT_NO_SOURCE' });
    } finally {
      opened.close();
    }
  });
});

describe('renewCertificate', () => {
  it('asks the source of the name, and no other', async () => {
    const renewed: string[] = [];
    const renewing = (kind: 'local_ca' | 'acme', mine: string): CertificateSource => ({
      ...source({}),
      kind,
      renew: async (name) => {
        renewed.push(`${kind} ${name}`);
        return name === mine;
      },
    });
    const all = [
      source({ 'f.example': certificate('f') }),
      renewing('local_ca', 'l.example'),
      renewing('acme', 'a.example'),
    ];
    expect(await renewCertificate('a.example', all)).toBe('acme');
    expect(await renewCertificate('l.example', all)).toBe('local_ca');
    expect(renewed).toEqual(['local_ca a.example', 'acme a.example', 'local_ca l.example']);
  });

  it('refuses names that others renew, and names of nobody', async () => {
    const files = source({ 'f.example': certificate('f') });
    await expect(renewCertificate('f.example', [files])).rejects.toMatchObject({ code: 'RENEW_NOT_OURS' });
    await expect(renewCertificate('x.example', [files])).rejects.toMatchObject({ code: 'RENEW_NAME_UNKNOWN' });
    await expect(renewCertificate('x.example', [])).rejects.toMatchObject({ code: 'RENEW_NAME_UNKNOWN' });
  });
});
