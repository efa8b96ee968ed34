/** Self-signed certificates made at once, without waiting for anything, so that tests can hold the clock still. */
import { generateKeyPairSync, sign } from 'node:crypto';
import { isIP } from 'node:net';

const KEYS = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const KEY_PEM = KEYS.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const SPKI = KEYS.publicKey.export({ type: 'spki', format: 'der' });

/** ecdsa-with-SHA256 (RFC 5758 §3.2) and subjectAltName (RFC 5280 §4.2.1.6). */
const ECDSA_SHA256 = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const SUBJECT_ALT_NAME = [0x06, 0x03, 0x55, 0x1d, 0x11];

function der(tag: number, ...parts: (Uint8Array | readonly number[])[]): Buffer {
  const body = Buffer.concat(parts.map((part) => Uint8Array.from(part)));
  const length =
    body.length < 128
      ? [body.length]
      : body.length < 256
        ? [0x81, body.length]
        : [0x82, body.length >> 8, body.length & 0xff];
  return Buffer.concat([Uint8Array.from([tag, ...length]), body]);
}

function time(at: number): Buffer {
  return der(0x18, Buffer.from(`${new Date(at).toISOString().replaceAll(/[-:T]|\..*/g, '')}Z`));
}

function generalName(name: string): Buffer {
  if (isIP(name) === 4) return der(0x87, name.split('.').map(Number));
  if (isIP(name) === 6) throw new Error('this helper knows no IPv6');
  return der(0x82, Buffer.from(name));
}

let serial = 0;

/**
 * @param names - DNS names, wildcards and IPv4 literals
 * @param notBefore - milliseconds since the epoch; seconds are kept
 */
export function instantCertificate(
  names: readonly string[],
  notBefore: number,
  notAfter: number,
): { readonly chain: string; readonly key: string } {
  serial += 1;
  const algorithm = der(0x30, ECDSA_SHA256);
  const extension = der(0x30, SUBJECT_ALT_NAME, der(0x04, der(0x30, ...names.map(generalName))));
  const body = der(
    0x30,
    der(0xa0, der(0x02, [2])),
    der(0x02, [0x01, serial >> 16, (serial >> 8) & 0xff, serial & 0xff]),
    algorithm,
    der(0x30),
    der(0x30, time(notBefore), time(notAfter)),
    der(0x30),
    SPKI,
    der(0xa3, der(0x30, extension)),
  );
  const signature = sign('sha256', body, KEYS.privateKey);
  const whole = der(0x30, body, algorithm, der(0x03, [0], signature)).toString('base64');
  const lines = whole.match(/.{1,64}/g) ?? [];
  return { chain: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`, key: KEY_PEM };
}
