/**
 * Ed25519 signatures on JSON and on requests (Matrix Appendices, "Signing JSON"; Matrix S-S "Request Authentication").
 */
import { createPrivateKey, createPublicKey, randomBytes, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { PorticoError } from '../base/errors.ts';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { canonicalJson } from './canonical-json.ts';
import { formatXMatrix } from './x-matrix.ts';

/** A server's signing key. The private part is a KeyObject, which neither logs nor JSON show. */
export interface SigningKey {
  /** `ed25519:` and a version of letters, digits and `_`. */
  readonly keyId: string;
  /** As in `verify_keys`: unpadded base64. */
  readonly publicKey: string;
  readonly privateKey: KeyObject;
}

/** A JSON object that can be signed. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** What is signed of a federation request. */
export interface RequestToSign {
  /** Upper case. */
  readonly method: string;
  /** From `/_matrix/` on, with the query, byte for byte as it will be sent. */
  readonly uri: string;
  /** Server name of the sender, before any delegation. */
  readonly origin: string;
  /** Server name of the receiver, before any delegation. */
  readonly destination: string;
  /** The parsed JSON body; undefined when the request has none. */
  readonly content?: unknown;
  readonly key: SigningKey;
}

const SEED_BYTES = 32;
/** DER around a raw Ed25519 key (RFC 8410 §7 and §4). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/**
 * Makes a signing key.
 * @param seed - 32 bytes in base64, as in Synapse's signing key file; null for a fresh random key
 * @throws PorticoError `SIGNING_KEY_INVALID` for a bad seed or key id
 */
export function createSigningKey(seed: string | null = null, keyId = 'ed25519:1'): SigningKey {
  const raw = seed === null ? randomBytes(SEED_BYTES) : decodeBase64(seed);
  if (raw?.length !== SEED_BYTES) throw keyInvalid('the seed is not 32 bytes of base64');
  if (!/^ed25519:\w+$/.test(keyId) || keyId.endsWith('\n')) throw keyInvalid(`"${keyId}" is not a key id`);
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, raw]), format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return { keyId, publicKey: encodeBase64(spki.subarray(SPKI_PREFIX.length)), privateKey };
}

/**
 * A copy of the object with our signature beside those it already has. `signatures` and `unsigned` are not signed.
 * @throws PorticoError `MATRIX_JSON_INVALID`
 */
export function signJson<T extends JsonObject>(
  object: T,
  serverName: string,
  key: SigningKey,
): T & { signatures: Record<string, Record<string, string>> } {
  const signature = encodeBase64(sign(null, signedBytes(object), key.privateKey));
  const others = asObject(object.signatures) ?? {};
  const ours = asObject(others[serverName]) ?? {};
  // The values are the signer's to judge; a malformed signature of somebody else stays what it was.
  const signatures = { ...others, [serverName]: { ...ours, [key.keyId]: signature } };
  return { ...object, signatures } as T & { signatures: Record<string, Record<string, string>> };
}

/**
 * True when the object carries a valid signature of this server with this key; false in every other case.
 * @param publicKey - base64, as in `verify_keys`
 */
export function verifyJson(object: JsonObject, serverName: string, keyId: string, publicKey: string): boolean {
  const signature = asObject(asObject(object.signatures)?.[serverName])?.[keyId];
  const bytes = typeof signature === 'string' ? decodeBase64(signature) : null;
  const raw = decodeBase64(publicKey);
  if (bytes === null || raw?.length !== SEED_BYTES) return false;
  let signed: Buffer;
  try {
    signed = signedBytes(object);
  } catch {
    return false; // What has no canonical spelling cannot have been signed.
  }
  const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: 'der', type: 'spki' });
  return verify(null, signed, key, bytes);
}

/**
 * The value of the Authorization field for a federation request.
 * @throws PorticoError `MATRIX_JSON_INVALID`, `X_MATRIX_INVALID`
 * @internal
 */
export function signRequest({ method, uri, origin, destination, content, key }: RequestToSign): string {
  const request = { method, uri, origin, destination, ...(content === undefined ? {} : { content }) };
  const sig = encodeBase64(sign(null, signedBytes(request), key.privateKey));
  return formatXMatrix({ origin, destination, key: key.keyId, sig });
}

function signedBytes(object: JsonObject): Buffer {
  const signed = Object.entries(object).filter(([name]) => name !== 'signatures' && name !== 'unsigned');
  return Buffer.from(canonicalJson(Object.fromEntries(signed)));
}

function asObject(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

function keyInvalid(why: string): PorticoError {
  return new PorticoError('SIGNING_KEY_INVALID', `The signing key cannot be used: ${why}.`, {
    fix: 'Give a line as in a homeserver\'s signing key file: "ed25519 VERSION SEED".',
  });
}
