import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { planCertificate } from '../../../src/acme/planned-certificates.ts';
import { readStoredCertificates, writeStoredCertificate } from '../../../src/acme/stored-certificates.ts';
import type { StoredCertificate } from '../../../src/acme/stored-certificates.ts';
import { parseCertificate } from '../../../src/base/certificate.ts';
import type { PorticoError } from '../../../src/base/errors.ts';
import { MemoryStore } from '../../../src/store/memory-store.ts';
import { instantCertificate } from '../../helpers/instant-certificate.ts';

const START = Date.UTC(2026, 10, 28);
const { chain, key } = instantCertificate(['a.example'], START, START + 1000);
const certificate = parseCertificate(chain, key, 'acme');
const textOrNull = fc.option(fc.string(), { nil: null });

let store: MemoryStore;

beforeEach(async () => {
  store = new MemoryStore();
  await store.lock();
});

describe('a stored certificate', () => {
  it('comes back as it went in', async () => {
    const shape = fc.record({
      id: fc.uniqueArray(fc.domain(), { minLength: 1 }).map((names) => planCertificate(names).id),
      certificate: fc.constant(certificate),
      issuer: textOrNull,
      issuerName: textOrNull,
      profile: textOrNull,
      askedProfile: textOrNull,
      configuredProfile: textOrNull,
      obtainedAt: fc.nat(),
      certificateUrl: textOrNull,
      importedFrom: textOrNull,
    });
    await fc.assert(
      fc.asyncProperty(shape, async (one) => {
        await writeStoredCertificate(store, one);
        const { found } = await readStoredCertificates(store, (problem) => {
          throw problem;
        });
        expect(found.get(one.id)).toEqual(one);
      }),
    );
  });

  it('that is cut off at any place is left out and told, without its key', async () => {
    const one: StoredCertificate = {
      id: 'a.example',
      certificate,
      issuer: 'letsencrypt',
      issuerName: 'letsencrypt',
      profile: null,
      askedProfile: null,
      configuredProfile: null,
      obtainedAt: START,
      certificateUrl: null,
      importedFrom: null,
    };
    await writeStoredCertificate(store, one);
    const place = 'acme/certificates/a.example/certificate.json';
    const text = (await store.get(place))?.toString() ?? '';
    for (let length = 0; length < text.length - 2; length += 7) {
      await store.put(place, text.slice(0, length));
      const problems: PorticoError[] = [];
      const { found, unreadable } = await readStoredCertificates(store, (problem) => problems.push(problem));
      expect([found.size, unreadable?.size]).toEqual([0, 0]);
      expect(problems.map(({ code }) => code)).toEqual(['ACME_CERTIFICATE_DAMAGED']);
      expect(problems[0]?.message).not.toContain('PRIVATE');
    }
  });
});
