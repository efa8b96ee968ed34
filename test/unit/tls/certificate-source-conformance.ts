/** What every certificate source must do: see the contract in src/tls/certificate-source.ts. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { coversName, validityProblem } from '../../../src/base/certificate.ts';
import type { CertificateData } from '../../../src/base/certificate.ts';
import { PorticoError } from '../../../src/base/errors.ts';
import type { CertificateSource } from '../../../src/tls/certificate-source.ts';

/** A source that answers for `a.example`, `*.b.example` and `192.0.2.1`, and the means to change what it has. */
export interface CertificateSourceFixture {
  readonly source: CertificateSource;
  /** The time by which the source judges, in milliseconds since the epoch. */
  now(): number;
  /** Gives every certificate that was handed out a successor, and lets the source find out. */
  renew(): Promise<void>;
  remove(): Promise<void>;
}

/** @param newBroken - null for a source that never throws: it has something to serve, or says that it is pending */
export function runCertificateSourceTests(
  name: string,
  newFixture: () => Promise<CertificateSourceFixture>,
  newBroken: (() => Promise<CertificateSourceFixture>) | null,
): void {
  const ask = async ({ source }: CertificateSourceFixture, wanted: string): Promise<CertificateData> => {
    const answer = await source.certificateFor(wanted);
    if (answer === null || answer === 'pending') throw new Error(`expected a certificate, got ${String(answer)}`);
    return answer;
  };

  describe(`${name} as a certificate source`, () => {
    let fixture: CertificateSourceFixture;

    beforeEach(async () => {
      fixture = await newFixture();
    });

    afterEach(async () => {
      fixture.source.close();
      await fixture.remove();
    });

    it.for(['a.example', 'x.b.example', '192.0.2.1'])('has a usable certificate for %s', async (wanted) => {
      const certificate = await ask(fixture, wanted);
      expect(coversName(certificate.names, wanted)).toBe(true);
      expect(certificate.source).toBe(fixture.source.kind);
      expect(validityProblem(certificate, fixture.now())).toBeNull();
    });

    it.for(['b.example', 'x.y.b.example', 'x.a.example', 'elsewhere.example', '192.0.2.2', '::1', 'example', ''])(
      'says that %j is not its own',
      async (unwanted) => {
        expect(await fixture.source.certificateFor(unwanted)).toBeNull();
      },
    );

    it('gives plain data', async () => {
      const certificate = await ask(fixture, 'a.example');
      expect(structuredClone(certificate)).toEqual(certificate);
    });

    it('gives the same certificate to all who ask, also at once', async () => {
      const answers = await Promise.all(Array.from({ length: 5 }, () => ask(fixture, 'a.example')));
      answers.push(await ask(fixture, 'a.example'));
      expect(new Set(answers.map((certificate) => certificate.id)).size).toBe(1);
    });

    it('tells of a successor, and then gives that one', async () => {
      const before = await ask(fixture, 'a.example');
      let told = 0;
      fixture.source.onChange(() => told++);
      fixture.source.onChange(() => told++);
      await fixture.renew();
      expect(told).toBe(2);
      const after = await ask(fixture, 'a.example');
      expect(after.id).not.toBe(before.id);
    });

    it('tells nothing once it is closed', async () => {
      await fixture.source.certificateFor('a.example');
      let told = 0;
      fixture.source.onChange(() => told++);
      fixture.source.close();
      await fixture.renew();
      expect(told).toBe(0);
    });

    it('may be closed twice', () => {
      fixture.source.close();
      fixture.source.close();
    });
  });

  if (newBroken === null) return;
  describe(`${name} with something broken`, () => {
    it('throws for its own names, and still knows which are not', async () => {
      const fixture = await newBroken();
      try {
        await expect(fixture.source.certificateFor('a.example')).rejects.toBeInstanceOf(PorticoError);
        expect(await fixture.source.certificateFor('elsewhere.example')).toBeNull();
      } finally {
        fixture.source.close();
        await fixture.remove();
      }
    });
  });
}
