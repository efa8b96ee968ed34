/** Orders, authorizations and challenges as an authority sends them (RFC 8555 §7.1), read leniently and bounded. */
import { PorticoError } from '../base/errors.ts';
import type { ChallengeType } from './challenge.ts';
import { httpsUrl } from './directory.ts';
import type { AcmeIdentifier } from './identifier.ts';
import { readProblem } from './problem.ts';
import type { AcmeProblem } from './problem.ts';

/** RFC 8555 §7.1.3. An unknown status is kept as it is and counts as one that may still change. */
export interface AcmeOrder {
  readonly url: string;
  readonly status: string;
  readonly authorizations: readonly string[];
  readonly finalize: string;
  /** Only when `valid`. */
  readonly certificate: string | null;
  readonly error: AcmeProblem | null;
  /** What the authority will use; null when it knows no profiles. */
  readonly profile: string | null;
}

/** RFC 8555 §7.1.4. */
export interface AcmeAuthorization {
  readonly url: string;
  readonly status: string;
  readonly identifier: AcmeIdentifier;
  readonly wildcard: boolean;
  /** Those that Portico knows and can answer; others are left out. */
  readonly challenges: readonly AcmeChallenge[];
}

/** RFC 8555 §8. */
export interface AcmeChallenge {
  readonly type: ChallengeType;
  readonly url: string;
  readonly status: string;
  /** Base64url; empty for dns-persist-01. */
  readonly token: string;
  /** dns-persist-01 only. */
  readonly issuerDomainNames: readonly string[];
  readonly error: AcmeProblem | null;
}

const MAX_AUTHORIZATIONS = 100;
const MAX_CHALLENGES = 32;
const MAX_ISSUER_NAMES = 10;
/** RFC 8555 §8.3: base64url, at least 128 bits. The upper bound is ours: a token becomes a path and a DNS record. */
const TOKEN = /^[A-Za-z0-9_-]{16,512}$/;
const WITH_TOKEN: readonly string[] = ['http-01', 'tls-alpn-01', 'dns-01'] satisfies ChallengeType[];

/**
 * @param body - parsed JSON of any shape
 * @throws PorticoError `ACME_RESPONSE_INVALID`
 */
export function readOrder(body: unknown, url: string): AcmeOrder {
  if (!isRecord(body) || typeof body.status !== 'string') throw unreadable('order', 'it has no status');
  const finalize = httpsUrl(body.finalize);
  if (finalize === null) throw unreadable('order', 'it has no https address to finalize it');
  const listed = Array.isArray(body.authorizations) ? body.authorizations.slice(0, MAX_AUTHORIZATIONS) : [];
  const authorizations = listed.map(httpsUrl).filter((address) => address !== null);
  if (authorizations.length !== listed.length) throw unreadable('order', 'an authorization in it is no https address');
  return {
    url,
    status: body.status,
    authorizations,
    finalize,
    certificate: httpsUrl(body.certificate),
    error: isRecord(body.error) ? readProblem(body.error, { status: 0, retryAfterMs: null }) : null,
    profile: typeof body.profile === 'string' ? body.profile : null,
  };
}

/**
 * @param body - parsed JSON of any shape
 * @throws PorticoError `ACME_RESPONSE_INVALID`
 */
export function readAuthorization(body: unknown, url: string): AcmeAuthorization {
  if (!isRecord(body) || typeof body.status !== 'string') throw unreadable('authorization', 'it has no status');
  const { identifier } = body;
  if (!isRecord(identifier) || typeof identifier.value !== 'string' || !isKind(identifier.type)) {
    throw unreadable('authorization', 'it has no identifier that was asked for');
  }
  const about: AcmeIdentifier = { type: identifier.type, value: identifier.value.toLowerCase() };
  const listed: unknown[] = Array.isArray(body.challenges) ? body.challenges.slice(0, MAX_CHALLENGES) : [];
  return {
    url,
    status: body.status,
    identifier: about,
    wildcard: body.wildcard === true,
    challenges: listed.flatMap((challenge) => readChallenge(challenge, about)),
  };
}

/** Nothing for a challenge that Portico does not know, or that lacks what it needs to be answered. */
function readChallenge(value: unknown, about: AcmeIdentifier): AcmeChallenge[] {
  if (!isRecord(value)) return [];
  const url = httpsUrl(value.url);
  if (url === null) return [];
  const status = typeof value.status === 'string' ? value.status : 'pending';
  const error = isRecord(value.error)
    ? readProblem(value.error, { status: 0, retryAfterMs: null, identifier: about })
    : null;
  if (value.type === 'dns-persist-01') {
    const names: unknown = value['issuer-domain-names'];
    const issuerDomainNames = Array.isArray(names)
      ? names.filter((name) => typeof name === 'string').slice(0, MAX_ISSUER_NAMES)
      : [];
    if (issuerDomainNames.length === 0) return [];
    return [{ type: 'dns-persist-01', url, status, token: '', issuerDomainNames, error }];
  }
  if (!hasToken(value.type) || typeof value.token !== 'string' || !TOKEN.test(value.token)) return [];
  return [{ type: value.type, url, status, token: value.token, issuerDomainNames: [], error }];
}

function hasToken(type: unknown): type is Exclude<ChallengeType, 'dns-persist-01'> {
  return typeof type === 'string' && WITH_TOKEN.includes(type);
}

function isKind(type: unknown): type is AcmeIdentifier['type'] {
  return type === 'dns' || type === 'ip';
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unreadable(what: string, why: string): PorticoError {
  return new PorticoError('ACME_RESPONSE_INVALID', `An ${what} of the certificate authority cannot be read: ${why}.`, {
    fix: 'Portico tries again; if it stays, the fault is with the authority.',
  });
}
