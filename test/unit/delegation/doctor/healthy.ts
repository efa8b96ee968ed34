/** The evidence of a server with which everything is fine, for tests to spoil. */
import type {
  Attempt,
  DocumentSeen,
  Evidence,
  Expected,
  Failure,
  JsonReply,
  PlaceSeen,
} from '../../../../src/delegation/doctor/evidence.ts';
import type { CertificateSeen, TlsSeen } from '../../../../src/delegation/outbound/dial.ts';
import type { Resolution, Target } from '../../../../src/delegation/resolve/types.ts';
import type { WellKnownSeen } from '../../../../src/delegation/resolve/well-known.ts';
import { parseServerName } from '../../../../src/base/server-name.ts';
import { createSigningKey, signJson } from '../../../../src/matrix/signing.ts';
import type { SigningKey } from '../../../../src/matrix/signing.ts';

export const NOW = Date.parse('2026-12-01T12:00:00Z');
export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;
export const KEY = createSigningKey('YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1');
export const OTHER_KEY = createSigningKey();

export const good = <T>(value: T) => ({ ok: true, value }) as const satisfies Attempt<T>;
export const bad = (code: string, message: string, reason: string | null = null) =>
  ({ ok: false, failure: { code, message, reason } satisfies Failure }) as const;

/** A key document, signed unless another signer is given. */
export function keyDocument(changes: Record<string, unknown> = {}, key: SigningKey = KEY, signer: SigningKey = key) {
  const document = {
    server_name: 'example.com',
    valid_until_ts: NOW + DAY,
    verify_keys: { [key.keyId]: { key: key.publicKey } },
    old_verify_keys: {},
    ...changes,
  };
  return signJson(document, document.server_name, signer);
}

export function json(value: unknown, changes: Partial<JsonReply> = {}): JsonReply {
  return {
    status: 200,
    contentType: 'application/json',
    cors: '*',
    server: 'Synapse/1.163.0',
    location: null,
    json: value,
    text: value === undefined ? '' : JSON.stringify(value).slice(0, 200),
    ms: 7,
    ...changes,
  };
}

export function leaf(changes: Partial<CertificateSeen> = {}): CertificateSeen {
  return {
    subject: 'example.com',
    issuer: 'Intermediate',
    sha256: 'ZmluZ2VycHJpbnQ',
    names: ['example.com'],
    notBefore: NOW - 30 * DAY,
    notAfter: NOW + 60 * DAY,
    ...changes,
  };
}

export function tls(changes: Partial<TlsSeen> = {}, certificate: Partial<CertificateSeen> = {}): TlsSeen {
  const issuer = leaf({ subject: 'Intermediate', issuer: 'Root', names: [] });
  return {
    version: 'TLSv1.3',
    cipher: 'TLS_AES_128_GCM_SHA256',
    alpn: 'http/1.1',
    chain: [leaf(certificate), issuer],
    chainProblem: null,
    ms: 9,
    ...changes,
  };
}

export const TARGET: Target = {
  addresses: ['198.41.0.4', '2001:503:ba3e::2:30'],
  port: 8448,
  host: 'example.com',
  sni: 'example.com',
  certificateName: 'example.com',
  addressName: 'example.com',
  srv: null,
};

export const VERSION = { server: { name: 'Synapse', version: '1.163.0' } };

export function place(address = '198.41.0.4', changes: Partial<PlaceSeen> = {}): PlaceSeen {
  return {
    target: TARGET,
    address,
    port: 8448,
    tls: good(tls()),
    keys: good(json(keyDocument())),
    version: good(json(VERSION)),
    otherHost: { host: 'example.com:8448', reply: good(json(VERSION)) },
    withoutSni: good(tls()),
    tls12: good(tls({ version: 'TLSv1.2' })),
    http2: false,
    canary: null,
    otherPort: { port: 443, keys: good(json(keyDocument())) },
    ...changes,
  };
}

export const DEAD = bad('DIAL_FAILED', '198.41.0.4 port 8448: ECONNREFUSED.', 'ECONNREFUSED');
/** What there is of a place that does not even accept. */
export const NOTHING = {
  keys: null,
  version: null,
  otherHost: null,
  withoutSni: null,
  tls12: null,
  http2: null,
  canary: null,
};

export function document(path: string, value: unknown, changes: Partial<DocumentSeen> = {}): DocumentSeen {
  const url = `https://example.com/.well-known/matrix/${path}`;
  return { url, hops: [{ url, status: 200, cors: '*' }], status: 200, json: value, failure: null, ...changes };
}

export const CLIENT = { 'm.homeserver': { base_url: 'https://example.com' } };
export const SUPPORT = { contacts: [{ role: 'm.role.admin', email_address: 'admin@example.com' }] };

export const WELL_KNOWN: WellKnownSeen = {
  outcome: 'absent',
  mServer: null,
  problem: 'status 404',
  problemCode: null,
  urls: ['https://example.com/.well-known/matrix/server'],
  status: 404,
  contentType: 'application/json',
  expiresAt: NOW + HOUR,
};

export const EXPECTED: Expected = {
  delegation: 'none',
  mServer: null,
  client: CLIENT,
  support: SUPPORT,
  clientBaseUrl: 'https://example.com',
};

const serverName = parseServerName('example.com');
if (serverName === null) throw new Error('not a server name');

export const RESOLUTION: Resolution = {
  serverName,
  step: '6',
  targets: [TARGET],
  delegated: null,
  wellKnown: WELL_KNOWN,
  tried: [],
  warnings: [],
  error: null,
};

export const HEALTHY: Evidence = {
  name: RESOLUTION.serverName,
  now: NOW,
  allowPrivate: false,
  resolution: RESOLUTION,
  places: [place(), place('2001:503:ba3e::2:30')],
  overruledSrv: [],
  serverDocuments: [
    { address: '198.41.0.4', says: good('status 404') },
    { address: '2001:503:ba3e::2:30', says: good('status 404') },
  ],
  client: document('client', CLIENT),
  support: document('support', SUPPORT),
  versions: { url: 'https://example.com/_matrix/client/versions', reply: good(json({ versions: ['v1.19'] })) },
  expected: EXPECTED,
  exhausted: false,
  requests: 23,
};
