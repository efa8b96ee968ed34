/** The signing half of the fake CA: one intermediate, certified by two roots, so that there is an alternate chain. */
import 'reflect-metadata';
import { createHash, randomBytes, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const HOUR = 3_600_000;

/** What a leaf says; the rest is as usual. */
export interface LeafOptions {
  readonly names: readonly string[];
  readonly publicKey: webcrypto.CryptoKey;
  readonly notBefore?: number;
  readonly notAfter?: number;
}

/** A leaf with the name that RFC 9773 gives it, made from what was put into it and not by parsing. */
export interface SignedLeaf {
  readonly pem: string;
  readonly certId: string;
}

export class Signer {
  readonly #keys: webcrypto.CryptoKeyPair;
  readonly #name = 'CN=Fake Intermediate';
  readonly #keyId: Buffer;
  /** Of the intermediate, by the common name of the root above it; the first is the default. */
  readonly intermediates: ReadonlyMap<string, string>;

  private constructor(keys: webcrypto.CryptoKeyPair, keyId: Buffer, intermediates: ReadonlyMap<string, string>) {
    this.#keys = keys;
    this.#keyId = keyId;
    this.intermediates = intermediates;
  }

  static async create(roots: readonly string[]): Promise<Signer> {
    const keys = await generateKeys();
    const spki = Buffer.from(await webcrypto.subtle.exportKey('spki', keys.publicKey));
    const keyId = createHash('sha1').update(spki).digest();
    const intermediates = new Map<string, string>();
    for (const root of roots) {
      const rootKeys = await generateKeys();
      const certificate = await x509.X509CertificateGenerator.create(
        {
          serialNumber: serial(),
          subject: 'CN=Fake Intermediate',
          issuer: `CN=${root}`,
          notBefore: new Date(Date.now() - HOUR),
          notAfter: new Date(Date.now() + 24 * 365 * HOUR),
          publicKey: keys.publicKey,
          signingKey: rootKeys.privateKey,
          signingAlgorithm: ALGORITHM,
          extensions: [
            new x509.BasicConstraintsExtension(true, 0, true),
            new x509.SubjectKeyIdentifierExtension(keyId.toString('hex')),
          ],
        },
        webcrypto,
      );
      intermediates.set(root, pem(certificate));
    }
    return new Signer(keys, keyId, intermediates);
  }

  async sign({ names, publicKey, notBefore, notAfter }: LeafOptions): Promise<SignedLeaf> {
    const serialNumber = serial();
    const certificate = await x509.X509CertificateGenerator.create(
      {
        serialNumber,
        subject: '',
        issuer: this.#name,
        notBefore: new Date(notBefore ?? Date.now() - HOUR),
        notAfter: new Date(notAfter ?? Date.now() + 24 * 90 * HOUR),
        publicKey,
        signingKey: this.#keys.privateKey,
        signingAlgorithm: ALGORITHM,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
          new x509.AuthorityKeyIdentifierExtension(this.#keyId.toString('hex')),
          new x509.SubjectAlternativeNameExtension(
            names.map((name) => ({ type: /^[\d.]+$|:/.test(name) ? ('ip' as const) : ('dns' as const), value: name })),
            true,
          ),
        ],
      },
      webcrypto,
    );
    const certId = `${this.#keyId.toString('base64url')}.${Buffer.from(serialNumber, 'hex').toString('base64url')}`;
    return { pem: pem(certificate), certId };
  }
}

export async function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

/** Reads a request, checks its own signature, and says what it asks for. */
export async function readRequest(
  der: Buffer,
): Promise<{ readonly names: string[]; readonly publicKey: webcrypto.CryptoKey; readonly subject: string } | null> {
  const request = new x509.Pkcs10CertificateRequest(der);
  if (!(await request.verify(webcrypto))) return null;
  const extension = request.getExtension('2.5.29.17') as x509.SubjectAlternativeNameExtension | null;
  const names = extension?.names.items.map(({ value }) => value) ?? [];
  return { names, publicKey: await request.publicKey.export(webcrypto), subject: request.subject };
}

/** With a leading zero byte, where a careless reading of RFC 9773 goes wrong. */
function serial(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0] ?? 0) | 0x80;
  return `00${bytes.toString('hex')}`;
}

function pem(certificate: x509.X509Certificate): string {
  return `${certificate.toString('pem')}\n`;
}
