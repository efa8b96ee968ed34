/** What an ACME server must check of a signed request (RFC 8555 §6.2), with node:crypto alone. */
import { createHash, createHmac, createPublicKey, verify } from 'node:crypto';
import type { JsonWebKey } from 'node:crypto';

/** A JWS as it came, decoded. */
export interface Jws {
  readonly header: {
    readonly alg?: string;
    readonly url?: string;
    readonly nonce?: string;
    readonly kid?: string;
    readonly jwk?: JsonWebKey;
  };
  /** Null for POST-as-GET. */
  readonly payload: unknown;
  readonly signed: string;
  readonly signature: Buffer;
}

export function decodeJws(body: unknown): Jws {
  const { protected: head, payload, signature } = body as Record<string, string>;
  if (head === undefined || payload === undefined || signature === undefined) throw new Error('no flattened JWS');
  return {
    header: JSON.parse(Buffer.from(head, 'base64url').toString()) as Jws['header'],
    payload: payload === '' ? null : JSON.parse(Buffer.from(payload, 'base64url').toString()),
    signed: `${head}.${payload}`,
    signature: Buffer.from(signature, 'base64url'),
  };
}

export function isSignedBy(jws: Jws, jwk: JsonWebKey): boolean {
  const expected = jwk.kty === 'EC' ? 'ES256' : 'RS256';
  if (jws.header.alg !== expected) return false;
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  return verify('sha256', Buffer.from(jws.signed), { key, dsaEncoding: 'ieee-p1363' }, jws.signature);
}

export function isMacOf(jws: Jws, key: Buffer): boolean {
  const mac = createHmac('sha256', key).update(jws.signed).digest();
  return jws.header.alg === 'HS256' && mac.equals(jws.signature);
}

/** RFC 7638. */
export function thumbprint(jwk: JsonWebKey): string {
  const members =
    jwk.kty === 'EC' ? { crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y } : { e: jwk.e, kty: jwk.kty, n: jwk.n };
  return createHash('sha256').update(JSON.stringify(members)).digest('base64url');
}
