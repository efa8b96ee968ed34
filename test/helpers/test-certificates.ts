/** A throw-away CA of the tests' own, for upstreams that speak TLS: good, expired and wrongly named certificates. */
import 'reflect-metadata';
import {
  BasicConstraintsExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
  cryptoProvider,
} from '@peculiar/x509';
import { webcrypto } from 'node:crypto';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY = 86_400_000;

/** Chain and key, both PEM. */
export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
}

/** Issues certificates under one root. */
export interface TestCa {
  /** The root, PEM. */
  readonly ca: string;
  /** A leaf for these DNS names and IP literals; `days` from now it ends, negative: it has ended. */
  issue(names: readonly string[], days?: number): Promise<TestCertificate>;
}

async function pemOfKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key)).toString('base64');
  return `-----BEGIN PRIVATE KEY-----\n${(der.match(/.{1,64}/g) ?? []).join('\n')}\n-----END PRIVATE KEY-----\n`;
}

/** Makes a root and hands back what issues under it. */
export async function createTestCa(): Promise<TestCa> {
  cryptoProvider.set(webcrypto as never);
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const root = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=Test upstream CA',
    serialNumber: '01',
    notBefore: new Date(Date.now() - 400 * DAY),
    notAfter: new Date(Date.now() + 30 * DAY),
    keys: keys as never,
    signingAlgorithm: ALGORITHM,
    extensions: [new BasicConstraintsExtension(true, undefined, true)],
  });
  let serial = 1;
  return {
    ca: root.toString('pem'),
    issue: async (names, days = 30) => {
      const leafKeys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
      serial += 1;
      const leaf = await X509CertificateGenerator.create({
        subject: `CN=${names[0] ?? 'none'}`,
        issuer: root.subject,
        serialNumber: serial.toString(16).padStart(2, '0'),
        notBefore: new Date(Date.now() - 300 * DAY),
        notAfter: new Date(Date.now() + days * DAY),
        publicKey: leafKeys.publicKey as never,
        signingKey: keys.privateKey as never,
        signingAlgorithm: ALGORITHM,
        extensions: [
          new SubjectAlternativeNameExtension(
            names.map((name) => ({ type: /^[\d.]+$|:/.test(name) ? ('ip' as const) : ('dns' as const), value: name })),
          ),
        ],
      });
      return { cert: leaf.toString('pem'), key: await pemOfKey(leafKeys.privateKey) };
    },
  };
}
