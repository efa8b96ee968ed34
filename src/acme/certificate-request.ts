/** Keys of certificates, and the requests that are signed with them (RFC 2986, RFC 8555 §7.4). */
// The X.509 library needs the metadata API before it is loaded.
import 'reflect-metadata';
import { createPrivateKey, createPublicKey, generateKeyPair, webcrypto } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { Pkcs10CertificateRequestGenerator, SubjectAlternativeNameExtension } from '@peculiar/x509';
import type { JsonGeneralName } from '@peculiar/x509';
import { identifierOf } from './identifier.ts';

/** Kinds of certificate keys, as in the config. */
export type CertificateKeyType = 'ecdsa-p256' | 'ecdsa-p384' | 'rsa-2048' | 'rsa-4096';

const generate = promisify(generateKeyPair);

/**
 * Makes a key.
 * @returns PKCS #8, PEM
 */
export async function createCertificateKey(type: CertificateKeyType): Promise<string> {
  const { privateKey } = type.startsWith('rsa-')
    ? await generate('rsa', { modulusLength: Number(type.slice('rsa-'.length)) })
    : await generate('ec', { namedCurve: type === 'ecdsa-p384' ? 'P-384' : 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/**
 * Signs a request. Its names are in the subjectAltName only and its subject is empty: a common name holds 64 characters at
 * most, and no certificate for an address may have one.
 * @param names - DNS names, wildcards too, and IP literals
 * @param keyPem - as {@link createCertificateKey} makes it
 * @returns PEM
 */
export async function createCertificateRequest(names: readonly string[], keyPem: string): Promise<string> {
  const key = createPrivateKey(keyPem);
  const algorithm = algorithmOf(key);
  const request = await Pkcs10CertificateRequestGenerator.create(
    {
      keys: {
        privateKey: await webcrypto.subtle.importKey('pkcs8', der(key, 'pkcs8'), algorithm, false, ['sign']),
        publicKey: await webcrypto.subtle.importKey('spki', der(createPublicKey(keyPem), 'spki'), algorithm, true, [
          'verify',
        ]),
      },
      signingAlgorithm: algorithm,
      extensions: [new SubjectAlternativeNameExtension(names.map(generalName))],
    },
    webcrypto,
  );
  return `${request.toString('pem')}\n`;
}

type SigningAlgorithm = (webcrypto.EcKeyImportParams | webcrypto.RsaHashedImportParams) & { readonly hash: string };

function algorithmOf(key: KeyObject): SigningAlgorithm {
  if (key.asymmetricKeyType === 'rsa') return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  return key.asymmetricKeyDetails?.namedCurve === 'secp384r1'
    ? { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' }
    : { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
}

function der(key: KeyObject, type: 'pkcs8' | 'spki'): Buffer {
  return type === 'pkcs8' ? key.export({ type, format: 'der' }) : key.export({ type, format: 'der' });
}

function generalName(name: string): JsonGeneralName {
  const { type, value } = identifierOf(name);
  return { type, value };
}
