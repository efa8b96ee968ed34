import 'reflect-metadata';
import { generateKeyPairSync, randomBytes, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  canonicalIp,
  coversName,
  parseCertificate,
  validityProblem,
  wildcardOf,
} from '../../../src/base/certificate.ts';
import { codeOf } from '../../../src/base/errors.ts';
import { issueCa, issueLeaf } from '../../../src/tls/issue.ts';
import type { IssuedCertificate } from '../../../src/tls/issue.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const VALIDITY = { notBefore: Date.UTC(2026, 0, 1), notAfter: Date.UTC(2027, 0, 1) };

let ca: IssuedCertificate;
let otherCa: IssuedCertificate;
let leaf: IssuedCertificate;

beforeAll(async () => {
  ca = await issueCa('Test CA', VALIDITY, randomBytes);
  otherCa = await issueCa('Test CA', VALIDITY, randomBytes);
  leaf = await issueLeaf(ca, ['Example.COM', '*.example.com', '2001:DB8::1', '192.0.2.1'], VALIDITY, randomBytes);
});

/** A self-signed certificate with extensions that no honest CA would write. */
async function oddCertificate(extensions: x509.Extension[], name = 'CN=odd'): Promise<IssuedCertificate> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    { name, serialNumber: '01', ...dates(), keys, signingAlgorithm: ALGORITHM, extensions },
    webcrypto,
  );
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { certificate: certificate.toString('pem'), key: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY') };
}

function dates(): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(VALIDITY.notBefore), notAfter: new Date(VALIDITY.notAfter) };
}

function codeThrownBy(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return codeOf(error);
  }
  return 'nothing thrown';
}

describe('parseCertificate', () => {
  it('gives names, dates and identity of the leaf', () => {
    const parsed = parseCertificate(leaf.certificate + ca.certificate, leaf.key, 'files');
    expect(parsed.names).toEqual(['example.com', '*.example.com', '2001:db8::1', '192.0.2.1']);
    expect(parsed.notBefore).toBe(VALIDITY.notBefore);
    expect(parsed.notAfter).toBe(VALIDITY.notAfter);
    expect(parsed.id).toMatch(/^[0-9a-f]{64}$/);
    expect(parsed.source).toBe('files');
    expect(parsed.chain.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
  });

  it('ignores text around the PEM blocks and Windows line ends', () => {
    const dirty = `subject=/CN=x\r\n${leaf.certificate.replaceAll('\n', '\r\n')}\r\nissuer\r\n${ca.certificate}junk`;
    const clean = parseCertificate(leaf.certificate + ca.certificate, leaf.key, 'files');
    expect(parseCertificate(dirty, leaf.key, 'files')).toEqual(clean);
  });

  it('does not take a name inside another kind of name for a DNS name', async () => {
    const odd = await oddCertificate([
      new x509.SubjectAlternativeNameExtension([
        { type: 'url', value: 'http://x/, DNS:evil1.example' },
        { type: 'dns', value: 'a.example, DNS:evil2.example' },
        { type: 'email', value: 'a@b, IP Address:192.0.2.66' },
        { type: 'dns', value: 'quote".example' },
        { type: 'dns', value: 'good.example' },
        { type: 'dns', value: 'a.*.example' },
        { type: 'dns', value: '*' },
      ]),
    ]);
    expect(parseCertificate(odd.certificate, odd.key, 'files').names).toEqual(['good.example']);
  });

  it('ignores the common name', async () => {
    const odd = await oddCertificate([], 'CN=example.com');
    expect(parseCertificate(odd.certificate, odd.key, 'files').names).toEqual([]);
  });

  it.for<[string, () => [string, string], string]>([
    ['an empty chain', () => ['', leaf.key], 'CERT_UNPARSABLE'],
    ['a key in place of the chain', () => [leaf.key, leaf.key], 'CERT_UNPARSABLE'],
    ['a cut certificate', () => [leaf.certificate.replace(/.{80}(?=\s+-----END)/s, ''), leaf.key], 'CERT_UNPARSABLE'],
    ['a bundle', () => [leaf.certificate.repeat(11), leaf.key], 'CERT_UNPARSABLE'],
    ['a megabyte', () => [leaf.certificate + '#'.repeat(1 << 20), leaf.key], 'CERT_UNPARSABLE'],
    ['an empty key', () => [leaf.certificate, ''], 'CERT_KEY_UNPARSABLE'],
    ['a certificate in place of the key', () => [leaf.certificate, leaf.certificate], 'CERT_KEY_UNPARSABLE'],
    ['an encrypted key', () => [leaf.certificate, encryptedKey()], 'CERT_KEY_UNPARSABLE'],
    ['a weak key', () => [leaf.certificate, privateKey('rsa', 1024)], 'CERT_KEY_UNSUPPORTED'],
    ['a key that cannot sign', () => [leaf.certificate, x25519Key()], 'CERT_KEY_UNSUPPORTED'],
    ['a key of another certificate', () => [leaf.certificate, otherCa.key], 'CERT_KEY_MISMATCH'],
    ['the issuer first', () => [ca.certificate + leaf.certificate, leaf.key], 'CERT_CHAIN_ORDER'],
    [
      'an issuer of the same kind of name that did not sign',
      () => [leaf.certificate + otherCa.certificate, leaf.key],
      'CERT_CHAIN_ORDER',
    ],
    ['the leaf twice', () => [leaf.certificate + leaf.certificate, leaf.key], 'CERT_CHAIN_ORDER'],
  ])('refuses %s', ([, input, code]) => {
    const [chain, key] = input();
    expect(codeThrownBy(() => parseCertificate(chain, key, 'files'))).toBe(code);
  });

  it('refuses an issuer with the right name and the wrong key', async () => {
    const name = new x509.X509Certificate(ca.certificate).subject;
    const impostor = await oddCertificate([new x509.BasicConstraintsExtension(true, 0, true)], name);
    const code = codeThrownBy(() => parseCertificate(leaf.certificate + impostor.certificate, leaf.key, 'files'));
    expect(code).toBe('CERT_CHAIN_ORDER');
  });

  it('refuses a certificate for clients only', async () => {
    const odd = await oddCertificate([new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth])]);
    expect(codeThrownBy(() => parseCertificate(odd.certificate, odd.key, 'files'))).toBe('CERT_NOT_FOR_SERVERS');
  });

  it('never puts the key into an error', () => {
    const secret = leaf.key.split('\n')[1] ?? '';
    expect(secret.length).toBeGreaterThan(40);
    for (const key of [leaf.key.slice(0, -40), leaf.key.replace('PRIVATE', 'PUBLIC'), leaf.key]) {
      try {
        parseCertificate(ca.certificate, key, 'files');
        expect.unreachable('the key does not belong to the CA');
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
        expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain(secret.slice(0, 20));
      }
    }
  });
});

describe('validityProblem', () => {
  it.for<[number, ReturnType<typeof validityProblem>]>([
    [VALIDITY.notBefore - 1, 'not_yet_valid'],
    [VALIDITY.notBefore, null],
    [VALIDITY.notAfter, null],
    [VALIDITY.notAfter + 1, 'expired'],
  ])('at %d: %s', ([now, problem]) => {
    expect(validityProblem(VALIDITY, now)).toBe(problem);
  });
});

describe('coversName', () => {
  const names = ['example.com', '*.example.com', '192.0.2.1', '2001:db8::1'];

  it.for<[string, boolean]>([
    ['example.com', true],
    ['EXAMPLE.com', true],
    ['a.example.com', true],
    ['*.example.com', true],
    ['a.b.example.com', false],
    ['com', false],
    ['xexample.com', false],
    ['example.com.evil', false],
    ['192.0.2.1', true],
    ['192.0.2.2', false],
    ['2001:db8:0:0::1', true],
    ['[2001:DB8::1]', true],
    ['2001:db8::2', false],
    ['', false],
  ])('%s: %s', ([name, covered]) => {
    expect(coversName(names, name)).toBe(covered);
  });

  it('does not let a wildcard cover an address', () => {
    expect(coversName(['*.0.2.1'], '192.0.2.1')).toBe(false);
  });
});

describe('wildcardOf and canonicalIp', () => {
  it('replaces the first label only', () => {
    expect(wildcardOf('a.b.c')).toBe('*.b.c');
    expect(wildcardOf('localhost')).toBe('*.');
  });

  it('writes an address in one way', () => {
    expect(canonicalIp('2001:DB8:0:0:0:0:0:1')).toBe('2001:db8::1');
    expect(canonicalIp('127.0.0.1')).toBe('127.0.0.1');
    expect(canonicalIp('127.1')).toBeNull();
    expect(canonicalIp('fe80::1%eth0')).toBeNull();
    expect(canonicalIp('[::1]')).toBeNull();
  });
});

function privateKey(kind: 'rsa', modulusLength: number): string {
  return generateKeyPairSync(kind, { modulusLength }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function x25519Key(): string {
  return generateKeyPairSync('x25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function encryptedKey(): string {
  const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }).toString();
}
