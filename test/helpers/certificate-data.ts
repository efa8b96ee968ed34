/** Certificates as the exporter and the store get them, under a CA made for the occasion. */
import { parseCertificate, type CertificateData } from '../../src/base/certificate.ts';
import { createTestCa } from './test-certificates.ts';

/** Issues under one root; the chain is leaf and root. */
export interface DataIssuer {
  issue(names: readonly string[], days?: number): Promise<CertificateData>;
}

/** Makes a root and hands back what issues under it. */
export async function createDataIssuer(): Promise<DataIssuer> {
  const ca = await createTestCa();
  return {
    issue: async (names, days) => {
      const { cert, key } = await ca.issue(names, days);
      return parseCertificate(cert + ca.ca, key, 'acme');
    },
  };
}
