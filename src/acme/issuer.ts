/** Authorities: what names them in the store, which one is asked next, and where an order can be tried out first. */
import { createHash } from 'node:crypto';
import { PorticoError } from '../base/errors.ts';
import { AcmeProblem } from './problem.ts';
import { isAboutTheName } from './problem-fix.ts';

/** One authority with its settings, secrets already read. */
export interface AcmeIssuer {
  /** `[a-z0-9.-]+`, from the directory URL ({@link issuerIdOf}): names its account and orders in the store. */
  readonly id: string;
  /** For people: `letsencrypt`, or the URL. */
  readonly name: string;
  readonly directoryUrl: string;
  /** Trusted for the authority's own TLS instead of Node's own list; null: that. */
  readonly caPem: string | null;
  /** External account binding (RFC 8555 §7.3.4); the key is what the authority gave, decoded. */
  readonly eab: { readonly kid: string; readonly hmacKey: Buffer } | null;
  readonly email: string | null;
}

/** Authorities that most stores will hold, by a name that a person who looks there understands. */
const KNOWN: ReadonlyMap<string, string> = new Map([
  ['https://acme-v02.api.letsencrypt.org/directory', 'letsencrypt'],
  ['https://acme-staging-v02.api.letsencrypt.org/directory', 'letsencrypt-staging'],
  ['https://acme.zerossl.com/v2/DV90', 'zerossl'],
  ['https://dv.acme-v02.api.pki.goog/directory', 'google'],
]);
const MAX_PLAIN = 100;

/**
 * A name for the store: `letsencrypt`, or of another directory its host, path and a part of its hash,
 * `ca.example.net-acme-directory-1f2e3d4c5b6a`. Different directories never share one.
 * @param directoryUrl - a valid https URL
 */
export function issuerIdOf(directoryUrl: string): string {
  const url = new URL(directoryUrl);
  const known = KNOWN.get(url.href);
  if (known !== undefined) return known;
  const plain = (url.host + url.pathname)
    .toLowerCase()
    .replaceAll(/[^a-z0-9.]+|\.{2,}/g, '-')
    .replaceAll(/^[.-]+|[.-]+$/g, '');
  const tag = createHash('sha256').update(url.href).digest('hex').slice(0, 12);
  return `${plain === '' ? 'ca' : plain.slice(0, MAX_PLAIN)}-${tag}`;
}

/** The authority for people, where no config gives it a name: `letsencrypt`, or the directory's URL. */
export function issuerNameOf(directoryUrl: string): string {
  return KNOWN.get(new URL(directoryUrl).href) ?? directoryUrl;
}

/** Directory URLs with the directory of the same authority's staging environment. */
const STAGING: ReadonlyMap<string, string> = new Map([
  ['https://acme-v02.api.letsencrypt.org/directory', 'https://acme-staging-v02.api.letsencrypt.org/directory'],
]);

/**
 * The staging environment of an authority, where failures cost nothing.
 * @returns null when it has none, or is one itself. External account bindings are not taken along: they belong to one environment.
 */
export function stagingIssuer(issuer: AcmeIssuer): AcmeIssuer | null {
  const directoryUrl = STAGING.get(issuer.directoryUrl);
  if (directoryUrl === undefined) return null;
  return {
    ...issuer,
    id: issuerIdOf(directoryUrl),
    name: `${issuer.name}-staging`,
    directoryUrl,
    caPem: null,
    eab: null,
  };
}

/** Codes of failures that lie with the authority or the way to it. */
const AUTHORITY_CODES = new Set([
  'ACME_UNREACHABLE',
  'ACME_DIRECTORY_INVALID',
  'ACME_RESPONSE_INVALID',
  'ACME_PROFILE_UNKNOWN',
  'ACME_CHAIN_REFUSED',
  'ACME_ORDER_STUCK',
  'ACME_CHALLENGE_NOT_OFFERED',
  'ACME_ACCOUNT_BROKEN',
]);

/** True when the next authority may issue where this one did not; false when the cause lies with the name or this machine. */
export function mayTryNextIssuer(error: unknown): boolean {
  if (error instanceof AcmeProblem) return !isAboutTheName(error);
  return error instanceof PorticoError && AUTHORITY_CODES.has(error.code);
}
