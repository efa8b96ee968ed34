/**
 * Answers for `/.well-known/matrix/*` of one site, made once: CORS on every status, strong ETag, Cache-Control, and 404 with
 * `M_NOT_FOUND` for a document the site does not have, which makes peers go on to SRV and clients ignore it.
 * Source: Matrix v1.19, S-S "Resolving server names" step 3, C-S "Well-known URIs"; RFC 9110 §13.1.2 for If-None-Match.
 */
import { createHash } from 'node:crypto';
import type { WellKnownData } from '../delegation/well-known-data.ts';
import { corsFields } from '../matrix/cors.ts';
import { REFUSALS } from '../policy/refusals.ts';
import type { AnswerRoute, RefuseRoute } from './route.ts';

/** The discovery answers of one site. */
export interface Discovery {
  /**
   * @param path - at or below `/.well-known/matrix`
   * @param method - one that is relayed
   */
  answer(method: string, path: string, ifNoneMatch: string | null): AnswerRoute | RefuseRoute;
}

interface Document {
  readonly etag: string;
  readonly found: AnswerRoute;
  readonly notModified: AnswerRoute;
}

/**
 * Prepares the answers.
 * @param site - server name, for the log
 */
export function createDiscovery(site: string, data: WellKnownData): Discovery {
  const documents = new Map<string, Document>();
  const bodies: readonly [string, string | null][] = [
    ['/.well-known/matrix/server', data.server],
    ['/.well-known/matrix/client', data.client],
    ['/.well-known/matrix/support', data.support],
    ['/.well-known/matrix/policy_server', data.policyServer],
  ];
  for (const [path, body] of bodies) {
    if (body !== null) documents.set(path, createDocument(site, path, body, data.maxAgeSeconds));
  }
  const base = { site, requestClass: 'discovery' } as const;
  const preflight: AnswerRoute = Object.freeze({
    ...base,
    kind: 'answer',
    rule: 'discovery: OPTIONS',
    answer: Object.freeze({ status: 204, fields: corsFields('/.well-known/matrix'), body: '' }),
  });
  const wrongMethod: RefuseRoute = Object.freeze({
    ...base,
    kind: 'refuse',
    rule: 'discovery: only GET, HEAD and OPTIONS',
    refusal: REFUSALS.METHOD_NOT_ALLOWED,
    matrix: true,
  });
  const missing: RefuseRoute = Object.freeze({
    ...base,
    kind: 'refuse',
    rule: 'discovery: no such document',
    refusal: REFUSALS.DOCUMENT_NOT_FOUND,
    matrix: true,
  });

  return {
    answer: (method, path, ifNoneMatch) => {
      if (method === 'OPTIONS') return preflight;
      if (method !== 'GET' && method !== 'HEAD') return wrongMethod;
      const document = documents.get(path);
      if (document === undefined) return missing;
      return ifNoneMatch !== null && matchesEtag(ifNoneMatch, document.etag) ? document.notModified : document.found;
    },
  };
}

function createDocument(site: string, path: string, body: string, maxAgeSeconds: number): Document {
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
  const shared = ['Cache-Control', `public, max-age=${String(maxAgeSeconds)}`, 'ETag', etag, ...corsFields(path)];
  const base = { site, requestClass: 'discovery', kind: 'answer' } as const;
  return {
    etag,
    found: Object.freeze({
      ...base,
      rule: `discovery: ${path}`,
      answer: Object.freeze({
        status: 200,
        fields: Object.freeze(['Content-Type', 'application/json', ...shared]),
        body,
      }),
    }),
    notModified: Object.freeze({
      ...base,
      rule: `discovery: ${path}, not modified`,
      answer: Object.freeze({ status: 304, fields: Object.freeze(shared), body: '' }),
    }),
  };
}

/** Weak comparison, as If-None-Match asks for (RFC 9110 §13.1.2). */
function matchesEtag(ifNoneMatch: string, etag: string): boolean {
  if (ifNoneMatch.trim() === '*') return true;
  return ifNoneMatch.split(',').some((candidate) => candidate.trim().replace(/^W\//, '') === etag);
}
