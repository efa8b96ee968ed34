/**
 * Chooses the route of a request. Everything is prepared when the router is built, from one snapshot; a request is matched on a
 * copy of its target, which is never changed.
 *
 * The order, first match wins:
 *  1. method: CONNECT, TRACE and unknown ones are 405
 *  2. target: a path of visible ASCII, or `*` for OPTIONS; absolute form, `#` and `%00` are 400
 *  3. a body with GET or HEAD is 400
 *  4. ACME challenges that are under way, for any Host; on `http` listeners what cannot be one is 404
 *  5. Host leads to a site, or 400 / 421
 *  6. `http` listeners: everything else is sent on to https
 *  7. SNI and Host belong together, or 421
 *  8. the URI canary, for whoever holds a question of this process; before anything is read into its path, which is odd on purpose
 *  9. zone of the path; a path with readings in another zone is 403
 * 10. `/.well-known/matrix/*`: the discovery documents
 * 11. OPTIONS under `/_matrix` and `/_synapse/client`: 204 with CORS
 * 12. listeners with `only: [federation]`: what is not federation is 404
 * 13. `/_matrix/*` and `/_synapse/client/*`: the homeserver
 * 14. `expose`: the homeserver, for the clients it names
 * 15. other paths under `/_synapse` and `/_dendrite`: 403
 * 16. the site's fallback
 */
import type { RequestClass } from '../base/request-class.ts';
import { corsFields } from '../matrix/cors.ts';
import { createEndpointTable } from '../matrix/endpoint-trie.ts';
import type { Refusal } from '../policy/decision.ts';
import { REFUSALS, RELAYED_METHODS } from '../policy/refusals.ts';
import { decideSniHost } from '../policy/sni-host.ts';
import { isChallengeToken, type ChallengeResponder } from '../tls/challenge-responder.ts';
import { readPath, zoneOf, type PathReading, type Zone } from './exposure.ts';
import { createHostTable, parseAuthority } from './hosts.ts';
import type { AnswerRoute, ConnectionFacts, RefuseRoute, Route, Router } from './route.ts';
import { createSiteRoutes, isServerToServer, type SiteRoutes } from './site-routes.ts';
import type { Snapshot, UpstreamData } from './snapshot.ts';

/** What the router needs beside the snapshot. */
export interface RouterOptions {
  /** By directory: where the static files of each `files` fallback are served; see files-server.ts. */
  readonly filesUpstreams?: ReadonlyMap<string, UpstreamData>;
  /**
   * Knows the HTTP-01 challenges under way. Asked for any Host, since the name that is validated may not be a site's yet, and
   * on every role, since validators follow redirects of other web servers to https.
   */
  readonly challenges?: Pick<ChallengeResponder, 'http01'> | null;
  /** Answers URI canaries of this process; see {@link AnswerCanary}. */
  readonly canary?: AnswerCanary | null;
  /** Port that redirects to https name; default: that of the first `https` listener, 443 when there is none or it is 0. */
  readonly httpsPort?: number;
}

/**
 * The JSON for a request that is a URI canary of this process; null for every other request, which is then routed as usual, so
 * that strangers learn nothing. Called for each request: it must be quick to say no.
 */
export type AnswerCanary = (method: string, target: string) => string | null;

const METHODS: ReadonlySet<string> = new Set(RELAYED_METHODS);
/** Anything but visible ASCII, and `#`, which no target may hold (RFC 9112 §3.2). Connections have refused CR, LF and NUL before. */
// eslint-disable-next-line no-control-regex -- control characters are part of what it looks for
const NOT_IN_TARGET = /[\x00-\x20#\x7f-\uffff]/;
const ABSOLUTE = /^[A-Za-z][A-Za-z0-9+.-]*:/;
const CHALLENGES = '/.well-known/acme-challenge/';
const CHALLENGE = 'ACME challenge';
/** Redirects to https may be remembered for an hour, not for ever: ports and names change. */
const REDIRECT_CACHE = ['Cache-Control', 'public, max-age=3600'] as const;

/**
 * Builds the router of a snapshot.
 * @throws PorticoError `FILES_SERVER_MISSING` when `filesUpstreams` lacks a fallback's directory
 */
export function createRouter(snapshot: Snapshot, options: RouterOptions = {}): Router {
  const filesUpstreams = options.filesUpstreams ?? new Map<string, UpstreamData>();
  const sites = snapshot.sites.map((site) => createSiteRoutes(site, snapshot.limits.classes, filesUpstreams));
  const hosts = createHostTable(sites, snapshot.defaultName);
  const endpoints = createEndpointTable();
  const challenges = options.challenges ?? null;
  const canary = options.canary ?? null;
  const httpsPort = options.httpsPort ?? snapshot.listeners.find(({ role }) => role === 'https')?.port ?? 443;
  const httpsSuffix = httpsPort === 443 || httpsPort === 0 ? '' : `:${String(httpsPort)}`;
  const asterisk = createAsteriskRoute();

  return {
    route: (request, connection, ifNoneMatch) => {
      const { method, target, authority } = request;
      if (!METHODS.has(method)) {
        return early(method === 'CONNECT' ? REFUSALS.METHOD_CONNECT : REFUSALS.METHOD_UNKNOWN, target, 'method');
      }
      if (target.charCodeAt(0) !== 0x2f || NOT_IN_TARGET.test(target)) {
        if (target === '*' && method === 'OPTIONS') return asterisk;
        return early(ABSOLUTE.test(target) ? REFUSALS.TARGET_ABSOLUTE : REFUSALS.TARGET_INVALID, target, 'target');
      }
      const queryStart = target.indexOf('?');
      const path = queryStart === -1 ? target : target.slice(0, queryStart);
      if (path.includes('%00')) return early(REFUSALS.TARGET_INVALID, target, 'target');
      if (request.hasBody && (method === 'GET' || method === 'HEAD')) {
        return early(REFUSALS.BODY_UNEXPECTED, target, 'body with GET or HEAD');
      }

      if (challenges !== null && path.startsWith(CHALLENGES)) {
        const route = challengeRoute(challenges, method, path, connection);
        if (route !== null) return route;
      }
      const site = hosts.find(authority, connection.role === 'federation');
      if ('errcode' in site) return early(site, target, 'Host');
      if (connection.role === 'http') return redirectToHttps(site, authority, target);
      if (!belongsToConnection(site, authority, connection))
        return refuse(site, REFUSALS.HOST_NOT_SNI, zoneOf(path), 'Host and SNI');

      const echo = canary === null ? null : canary(method, target);
      if (echo !== null) return canaryAnswer(site, echo);
      const reading = readPath(path);
      const { zone } = reading;
      if (reading.ambiguous) return refuse(site, REFUSALS.PATH_AMBIGUOUS, zone, 'path with several readings');
      if (zone === 'well-known') return site.discovery.answer(method, path, ifNoneMatch);
      const relayed = zone === 'matrix' || zone === 'synapse-client';
      if (relayed && method === 'OPTIONS') return site.preflight(path);

      if (connection.only === 'federation') {
        const refusal = refusalOffFederation(reading, path, endpoints.classify(method, path).federation);
        if (refusal !== null) return refuse(site, refusal, zone, 'only: federation');
      }
      if (relayed) return site.relay(endpoints.classify(method, path), path);

      const exposed = site.exposed(path, reading, connection.peer);
      if (exposed === 'differs') return refuse(site, REFUSALS.PATH_AMBIGUOUS, zone, 'path with several readings');
      if (exposed !== null) return exposed;
      if (zone === 'closed') return refuse(site, REFUSALS.PATH_CLOSED, zone, 'closed path');
      return site.fallback;
    },
  };

  function belongsToConnection(site: SiteRoutes, authority: string, connection: ConnectionFacts): boolean {
    const { servername } = connection;
    if (servername === null || servername === authority) return true;
    if (authority.startsWith(servername) && authority.charCodeAt(servername.length) === 0x3a) return true;
    const hostname = parseAuthority(authority)?.host ?? authority;
    const sniSites = hosts.sitesOf(servername);
    return (
      decideSniHost({ servername, certificateNames: connection.certificateNames, hostname, site, sniSites }) === null
    );
  }

  function redirectToHttps(site: SiteRoutes, authority: string, target: string): AnswerRoute {
    const host = parseAuthority(authority)?.host ?? site.name;
    // A page on another origin may only follow a redirect that carries CORS (Matrix C-S v1.20 "Well-known URIs").
    const cors = zoneOf(target) === 'site' ? [] : corsFields(target);
    const fields = ['Location', `https://${host}${httpsSuffix}${target}`, ...REDIRECT_CACHE, ...cors];
    return {
      kind: 'answer',
      site: site.name,
      requestClass: zoneOf(target) === 'well-known' ? 'discovery' : 'site',
      rule: 'http: redirect to https',
      answer: { status: 308, fields, body: '' },
    };
  }
}

/**
 * For a listener that relays only federation: null for a path that is federation in every reading. `/_matrix/federation/` and
 * its like are told by two segments, the old media paths by `/_matrix/media/api/v1/download` at most.
 */
function refusalOffFederation(reading: PathReading, path: string, federation: boolean): Refusal | null {
  if (reading.zone === 'closed') return REFUSALS.PATH_CLOSED;
  if (!federation) return REFUSALS.PATH_NOT_FEDERATION;
  return reading.certainDepth < (isServerToServer(path) ? 2 : 5) ? REFUSALS.PATH_AMBIGUOUS : null;
}

/** A refusal before a site is known. */
function early(refusal: Refusal, target: string, rule: string): RefuseRoute {
  return { kind: 'refuse', site: '-', requestClass: 'site', rule, refusal, matrix: zoneOf(target) !== 'site' };
}

const CLASS_OF_ZONE: Readonly<Record<Zone, RequestClass>> = {
  matrix: 'client',
  'synapse-client': 'client',
  'well-known': 'discovery',
  closed: 'client',
  site: 'site',
};

function refuse(site: SiteRoutes, refusal: Refusal, zone: Zone, rule: string): RefuseRoute {
  return { kind: 'refuse', site: site.name, requestClass: CLASS_OF_ZONE[zone], rule, refusal, matrix: zone !== 'site' };
}

/**
 * The token is looked up, never turned into a file name. Null for what is no challenge of ours: it may be that of a web server
 * behind a fallback. On `http` listeners nothing is behind, so that a path that cannot be a challenge ends here.
 */
function challengeRoute(
  challenges: Pick<ChallengeResponder, 'http01'>,
  method: string,
  path: string,
  { role }: ConnectionFacts,
): Route | null {
  const token = path.slice(CHALLENGES.length);
  if (!isChallengeToken(token)) return role === 'http' ? early(REFUSALS.CHALLENGE_PATH_INVALID, path, CHALLENGE) : null;
  if (method !== 'GET' && method !== 'HEAD') return null;
  const body = challenges.http01(token);
  return body === null ? null : challengeAnswer(body);
}

function challengeAnswer(body: string): AnswerRoute {
  const fields = [
    'Content-Type',
    'application/octet-stream',
    'Cache-Control',
    'no-store',
    'X-Content-Type-Options',
    'nosniff',
  ];
  return {
    kind: 'answer',
    site: '-',
    requestClass: 'discovery',
    rule: CHALLENGE,
    answer: { status: 200, fields, body },
  };
}

function canaryAnswer(site: SiteRoutes, body: string): AnswerRoute {
  const fields = ['Content-Type', 'application/json', 'Cache-Control', 'no-store', 'X-Content-Type-Options', 'nosniff'];
  return {
    kind: 'answer',
    site: site.name,
    requestClass: 'federation',
    rule: 'URI canary',
    answer: { status: 200, fields, body },
  };
}

/** `OPTIONS *` asks about the server as a whole (RFC 9110 §9.3.7). */
function createAsteriskRoute(): Route {
  const answer = { status: 204, fields: ['Allow', RELAYED_METHODS.join(', ')], body: '' };
  return Object.freeze({ kind: 'answer', site: '-', requestClass: 'site', rule: 'OPTIONS *', answer });
}
