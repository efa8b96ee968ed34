/** What a key document says, and whether it can be believed. Pure. Source: Matrix S-S API, Publishing keys. */
import { decodeBase64 } from '../../matrix/base64.ts';
import { verifyJson } from '../../matrix/signing.ts';
import type { JsonObject } from '../../matrix/signing.ts';

/** One announced key. */
export interface AnnouncedKey {
  /** `ed25519:VERSION` */
  readonly id: string;
  /** As in the document. */
  readonly key: string;
  /** 32 bytes of base64 under a well-formed id. */
  readonly wellFormed: boolean;
  /** The document is signed with it. */
  readonly signs: boolean;
}

/** A key document, read. */
export interface KeyDocument {
  readonly serverName: string | null;
  /** Those of algorithm ed25519. */
  readonly keys: readonly AnnouncedKey[];
  /** Milliseconds since the epoch. */
  readonly validUntil: number | null;
}

/** Reads a document; null when it is no JSON object. */
export function readKeyDocument(json: unknown): KeyDocument | null {
  if (!isObject(json)) return null;
  const serverName = typeof json.server_name === 'string' ? json.server_name : null;
  const validUntil = typeof json.valid_until_ts === 'number' ? json.valid_until_ts : null;
  const announced = isObject(json.verify_keys) ? Object.entries(json.verify_keys) : [];
  const keys = announced
    .filter(([id]) => id.startsWith('ed25519:'))
    .slice(0, 20)
    .map(([id, value]): AnnouncedKey => {
      const key = isObject(value) && typeof value.key === 'string' ? value.key : '';
      const wellFormed = /^ed25519:[A-Za-z0-9_]+$/.test(id) && decodeBase64(key)?.length === 32;
      return { id, key, wellFormed, signs: wellFormed && serverName !== null && verifyJson(json, serverName, id, key) };
    });
  return { serverName, keys, validUntil };
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
