// Vectors: Matrix Appendices, "Cryptographic Test Vectors". The specification has none for requests: those marked "derived"
// were made with its key and checked with another implementation; Ed25519 signatures are deterministic.
import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { encodeBase64 } from '../../../src/matrix/base64.ts';
import { canonicalJson } from '../../../src/matrix/canonical-json.ts';
import { createSigningKey, signJson, signRequest, verifyJson } from '../../../src/matrix/signing.ts';
import { parseXMatrix } from '../../../src/matrix/x-matrix.ts';

const SEED = 'YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1';
const PUBLIC_KEY = 'XGX0JRS2Af3be3knz2fBiRbApjm2Dh61gXDJA8kcJNI';
const key = createSigningKey(SEED, 'ed25519:1');
const sha256 = (object: unknown): string => encodeBase64(createHash('sha256').update(canonicalJson(object)).digest());

describe('signJson', () => {
  it.for([
    [{}, 'K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ'],
    [{ one: 1, two: 'Two' }, 'KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw'],
  ] as const)('signs %j as the specification says', ([object, signature]) => {
    const signed = signJson(object, 'domain', key);
    expect(signed).toEqual({ ...object, signatures: { domain: { 'ed25519:1': signature } } });
    expect(verifyJson(signed, 'domain', 'ed25519:1', PUBLIC_KEY)).toBe(true);
  });

  // Events are hashed without their signatures, hashes and unsigned, then redacted, then signed.
  it('signs the minimal event of the specification', () => {
    const event = {
      room_id: '!x:domain',
      sender: '@a:domain',
      origin: 'domain',
      origin_server_ts: 1000000,
      type: 'X',
      content: {},
      prev_events: [],
      auth_events: [],
      depth: 3,
    };
    const hash = sha256(event);
    expect(hash).toBe('5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos');
    const signed = signJson({ ...event, hashes: { sha256: hash }, unsigned: { age_ts: 1000000 } }, 'domain', key);
    expect(signed.signatures).toEqual({
      domain: { 'ed25519:1': 'KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg' },
    });
    expect(signed.unsigned).toEqual({ age_ts: 1000000 });
  });

  it('signs the event with redactable content of the specification', () => {
    const event = {
      content: { body: 'Here is the message content' },
      event_id: '$0:domain',
      origin: 'domain',
      origin_server_ts: 1000000,
      type: 'm.room.message',
      room_id: '!r:domain',
      sender: '@u:domain',
    };
    const hash = sha256(event);
    expect(hash).toBe('onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g');
    const redacted = { ...event, content: {}, hashes: { sha256: hash }, unsigned: { age_ts: 1000000 } };
    expect(signJson(redacted, 'domain', key).signatures).toEqual({
      domain: { 'ed25519:1': 'Wm+VzmOUOz08Ds+0NTWb1d4CZrVsJSikkeRxh6aCcUwu6pNC78FunoD7KNWzqFn241eYHYMGCA5McEiVPdhzBA' },
    });
  });

  it('keeps the signatures of others and leaves the argument alone', () => {
    const object = Object.freeze({ a: 1, signatures: Object.freeze({ other: { 'ed25519:x': 'c2ln' } }) });
    const twice = signJson(signJson(object, 'domain', key), 'domain', createSigningKey(null, 'ed25519:2'));
    expect(twice.signatures.other).toEqual({ 'ed25519:x': 'c2ln' });
    expect(Object.keys(twice.signatures.domain ?? {})).toEqual(['ed25519:1', 'ed25519:2']);
    expect(object).toEqual({ a: 1, signatures: { other: { 'ed25519:x': 'c2ln' } } });
  });
});

describe('verifyJson', () => {
  const signed = signJson({ a: 1 }, 'domain', key);

  it('is true whatever stands in unsigned and in other signatures', () => {
    const changed = { ...signed, unsigned: { age: 5 }, signatures: { ...signed.signatures, b: { 'ed25519:1': '!' } } };
    expect(verifyJson(changed, 'domain', 'ed25519:1', PUBLIC_KEY)).toBe(true);
    expect(verifyJson(changed, 'domain', 'ed25519:1', `${PUBLIC_KEY}=`)).toBe(true);
  });

  it.for<[string, Record<string, unknown>, string, string, string]>([
    ['a changed value', { ...signed, a: 2 }, 'domain', 'ed25519:1', PUBLIC_KEY],
    ['an added value', { ...signed, b: 2 }, 'domain', 'ed25519:1', PUBLIC_KEY],
    ['another server', signed, 'other', 'ed25519:1', PUBLIC_KEY],
    ['another key id', signed, 'domain', 'ed25519:2', PUBLIC_KEY],
    ['another key', signed, 'domain', 'ed25519:1', createSigningKey().publicKey],
    ['a key that is none', signed, 'domain', 'ed25519:1', 'AAAA'],
    ['no signatures', { a: 1 }, 'domain', 'ed25519:1', PUBLIC_KEY],
    ['signatures of a wrong shape', { a: 1, signatures: [1] }, 'domain', 'ed25519:1', PUBLIC_KEY],
    [
      'a signature that is not base64',
      { a: 1, signatures: { domain: { 'ed25519:1': '*' } } },
      'domain',
      'ed25519:1',
      PUBLIC_KEY,
    ],
    ['a fraction, which nobody can have signed', { ...signed, a: 1.5 }, 'domain', 'ed25519:1', PUBLIC_KEY],
  ])('is false for %s', ([, object, server, keyId, publicKey]) => {
    expect(verifyJson(object, server, keyId, publicKey)).toBe(false);
  });
});

describe('signRequest', () => {
  const sigOf = (method: string, uri: string, content?: unknown): string => {
    const header = signRequest({ method, uri, origin: 'domain', destination: 'dest.example', content, key });
    const parsed = parseXMatrix(header);
    expect(parsed).toMatchObject({ origin: 'domain', destination: 'dest.example', key: 'ed25519:1' });
    return parsed?.sig ?? '';
  };

  it('derived: a request without a body', () => {
    expect(sigOf('GET', '/_matrix/federation/v1/version')).toBe(
      'XOTpTXYBoHdD8HXxAZsL1wvW0g1FDWwRwGZr/r7fau61fejuE4EYHI7nTOWeotZ1FqaQlAaizTvE3ktP7lZeCg',
    );
  });

  it('derived: escapes in the query', () => {
    expect(sigOf('GET', '/_matrix/federation/v1/query/directory?room_alias=%23test%3Adomain')).toBe(
      '/mQJW+AyX5ttN9gyMkrz4rF1ndKMORZEMkrU7yK/4vmjWtZjtOPahZzex97jEfyEFt52j2Y/jCtla33XNPEhBg',
    );
  });

  it('derived: a body', () => {
    expect(sigOf('PUT', '/_matrix/federation/v1/send/123', {})).toBe(
      'bXQlrJM+NVqQbZH+6z/bmKb15+/6RvrkQuN7ZPsP7f9Nocwl6lMYsVAeUArxEZTN9QcYY7Q9KkRsItokVjznBA',
    );
  });
});

describe('createSigningKey', () => {
  it('derives the public key', () => {
    expect(key.publicKey).toBe(PUBLIC_KEY);
  });

  it('makes a different key each time when it has no seed', () => {
    expect(createSigningKey().publicKey).not.toBe(createSigningKey().publicKey);
  });

  it('shows the private key neither in JSON nor to inspect', () => {
    const seedBytes = Buffer.from(SEED, 'base64');
    for (const shown of [JSON.stringify(key), inspect(key, { depth: 9, showHidden: true })]) {
      expect(shown).not.toContain(SEED.slice(0, 20));
      expect(shown).not.toContain(seedBytes.toString('hex').slice(0, 20));
    }
  });

  it.for([
    ['AAAA', 'ed25519:1'],
    ['*', 'ed25519:1'],
    [SEED, 'rsa:1'],
    [SEED, 'ed25519:'],
    [SEED, 'ed25519:a b'],
    [SEED, 'ed25519:1\n'],
  ] as const)('refuses seed %s with id %j', ([seed, keyId]) => {
    expect(() => createSigningKey(seed, keyId)).toThrow(expect.objectContaining({ code: 'SIGNING_KEY_INVALID' }));
  });
});
