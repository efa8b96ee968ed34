import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { AuthorityKeyIdentifierExtension, X509CertificateGenerator } from '@peculiar/x509';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ariCertId, readRenewalInfo } from '../../../src/acme/ari.ts';
import { PorticoError } from '../../../src/base/errors.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const NOW = Date.UTC(2026, 0, 1);

async function certificate(serialNumber: string, keyId: string | null): Promise<string> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const made = await X509CertificateGenerator.createSelfSigned(
    {
      serialNumber,
      keys,
      signingAlgorithm: ALGORITHM,
      extensions: keyId === null ? [] : [new AuthorityKeyIdentifierExtension(keyId)],
    },
    webcrypto,
  );
  return `${made.toString('pem')}\n`;
}

describe('ariCertId', () => {
  const keyId = '69885b6b8746404'.concat('1e1b37b847ba0ae2cde01c8d4');

  it('is as in the example of RFC 9773 §4.1', async () => {
    expect(ariCertId(await certificate('0087654321', keyId))).toBe('aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE');
  });

  it('has no zero byte where the number is positive without', async () => {
    expect(ariCertId(await certificate('7f01', keyId))).toBe('aYhba4dGQEHhs3uEe6CuLN4ByNQ.fwE');
  });

  it('is that of the first certificate of a chain', async () => {
    const chain = (await certificate('01', keyId)) + (await certificate('02', keyId));
    expect(ariCertId(`text before\n${chain}`)).toBe('aYhba4dGQEHhs3uEe6CuLN4ByNQ.AQ');
  });

  it('is null without authority key identifier, and for what is no certificate', async () => {
    expect(ariCertId(await certificate('01', null))).toBeNull();
    expect(ariCertId('')).toBeNull();
    expect(ariCertId('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')).toBeNull();
  });
});

describe('readRenewalInfo', () => {
  const answer = (body: unknown, headers = {}, status = 200): Parameters<typeof readRenewalInfo>[0] => ({
    status,
    headers,
    body: JSON.stringify(body),
  });

  it('takes over the window, the page and the wait as they were sent', () => {
    const body = {
      suggestedWindow: { start: '2026-02-03T04:05:06Z', end: '2026-02-02T00:00:00+02:00' },
      explanationURL: 'https://ca.example/why',
    };
    expect(readRenewalInfo(answer(body, { 'retry-after': '99999999' }), NOW)).toEqual({
      start: Date.UTC(2026, 1, 3, 4, 5, 6),
      end: Date.UTC(2026, 1, 1, 22),
      explanationUrl: 'https://ca.example/why',
      receivedAt: NOW,
      retryAfterMs: 99_999_999_000,
    });
  });

  it('is null for an unknown certificate, whatever else the answer says', () => {
    expect(readRenewalInfo(answer('<html>', {}, 404), NOW)).toBeNull();
  });

  it('leaves out a page that no browser should be sent to', () => {
    const suggestedWindow = { start: '2026-02-03T04:05:06Z', end: '2026-02-04T04:05:06Z' };
    const info = readRenewalInfo(answer({ suggestedWindow, explanationURL: 'javascript:alert(1)' }), NOW);
    expect(info?.explanationUrl).toBeNull();
  });

  it('gives two dates or refuses, whatever the authority sends', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (body) => {
        try {
          const info = readRenewalInfo(answer({ suggestedWindow: body }), NOW);
          return info !== null && Number.isFinite(info.start) && Number.isFinite(info.end);
        } catch (error) {
          return error instanceof PorticoError && error.code === 'ACME_ARI_INVALID';
        }
      }),
    );
  });
});
