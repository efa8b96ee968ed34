/**
 * The routes of one site, made when the router is built and shared by all requests: where relays go, what is opened beyond
 * the default, and the fallback.
 */
import { createCidrSet, type CidrSet } from '../base/cidr.ts';
import { PorticoError } from '../base/errors.ts';
import type { RequestClass } from '../base/request-class.ts';
import { corsFields } from '../matrix/cors.ts';
import type { EndpointRule } from '../matrix/endpoints.ts';
import type { ClassLimits } from '../policy/class-limits.ts';
import type { Refusal } from '../policy/decision.ts';
import { createDiscovery, type Discovery } from './discovery.ts';
import { liesBelow, type PathReading } from './exposure.ts';
import type { AnswerRoute, RefuseRoute, RelayRoute, Route } from './route.ts';
import type { SiteData, UpstreamData } from './snapshot.ts';

type LimitsOfClasses = Readonly<Record<RequestClass, ClassLimits>>;

/** The prepared routes of a site. */
export interface SiteRoutes {
  /** Server name. */
  readonly name: string;
  readonly hosts: readonly string[];
  readonly discovery: Discovery;
  /** The route of an endpoint; the same object every time. */
  relay(endpoint: EndpointRule, path: string): RelayRoute;
  /**
   * The route of a path that `expose` opens to this client; null when none does, `differs` when one would if every reading of
   * the path lay below it.
   */
  exposed(path: string, reading: PathReading, peer: string): RelayRoute | 'differs' | null;
  /** CORS preflight of a Matrix path. */
  preflight(path: string): AnswerRoute;
  readonly fallback: Route;
}

interface Opening {
  readonly prefix: string;
  /** Null: open to everybody. */
  readonly clients: CidrSet | null;
  readonly route: RelayRoute;
}

/**
 * Prepares the routes of a site.
 * @param filesUpstreams - by directory: where the static files of a `files` fallback are served
 * @throws PorticoError `FILES_SERVER_MISSING` when the fallback's directory is not among them
 */
export function createSiteRoutes(
  site: SiteData,
  limits: LimitsOfClasses,
  filesUpstreams: ReadonlyMap<string, UpstreamData>,
): SiteRoutes {
  const name = site.serverName;
  const relayOf = (upstream: UpstreamData, requestClass: RequestClass, rule: string): RelayRoute =>
    Object.freeze({
      kind: 'relay',
      site: name,
      requestClass,
      rule,
      upstream,
      limits: limits[requestClass],
    });

  const openings: readonly Opening[] = site.expose.map(({ path, from }) => {
    const prefix = path.replace(/\/+$/, '');
    return {
      prefix,
      clients: from.length === 0 ? null : createCidrSet(from),
      route: relayOf(site.homeserver, prefix.startsWith('/_') ? 'client' : 'site', `expose ${path}`),
    };
  });

  // Filled as endpoints are first used; as many entries as the endpoint table has rules, twice that with a federation upstream.
  const toHomeserver = new Map<EndpointRule, RelayRoute>();
  const toFederation = new Map<EndpointRule, RelayRoute>();
  const preflights = new Map<readonly string[], AnswerRoute>();

  return {
    name,
    hosts: site.hosts,
    discovery: createDiscovery(name, site.wellKnown),
    relay: (endpoint, path) => {
      const federation = site.federation !== null && isServerToServer(path) ? site.federation : null;
      const routes = federation === null ? toHomeserver : toFederation;
      let route = routes.get(endpoint);
      if (route === undefined) {
        const target = federation === null ? 'homeserver' : 'federation listener of the homeserver';
        const rule = `${target}: ${endpoint.method} ${endpoint.pattern}`;
        route = relayOf(federation ?? site.homeserver, endpoint.requestClass, rule);
        routes.set(endpoint, route);
      }
      return route;
    },
    exposed: (path, reading, peer) => {
      let differs = false;
      for (const { prefix, clients, route } of openings) {
        const below = liesBelow(path, reading, prefix);
        if (below === 'no' || (clients !== null && !clients.has(peer))) continue;
        if (below === 'yes') return route;
        differs = true;
      }
      return differs ? 'differs' : null;
    },
    preflight: (path) => {
      const fields = corsFields(path);
      let route = preflights.get(fields);
      if (route === undefined) {
        const answer = Object.freeze({ status: 204, fields, body: '' });
        route = Object.freeze({ kind: 'answer', site: name, requestClass: 'client', rule: 'CORS preflight', answer });
        preflights.set(fields, route);
      }
      return route;
    },
    fallback: createFallback(site, relayOf, filesUpstreams),
  };
}

/**
 * True for what only servers ask, and what goes to `federation_url`. The old media paths are not among them: clients use them as
 * well, and a federation listener of Synapse does not serve them.
 */
export function isServerToServer(path: string): boolean {
  return (
    path.startsWith('/_matrix/federation/') || path.startsWith('/_matrix/key/') || path.startsWith('/_matrix/policy/')
  );
}

function createFallback(
  site: SiteData,
  relayOf: (upstream: UpstreamData, requestClass: RequestClass, rule: string) => RelayRoute,
  filesUpstreams: ReadonlyMap<string, UpstreamData>,
): Route {
  const { fallback } = site;
  const base = { site: site.serverName, requestClass: 'site', rule: `fallback: ${fallback.kind}` } as const;
  switch (fallback.kind) {
    case 'proxy':
      return relayOf(fallback.upstream, 'site', base.rule);
    case 'files': {
      const upstream = filesUpstreams.get(fallback.directory);
      if (upstream === undefined) {
        throw new PorticoError('FILES_SERVER_MISSING', `nothing serves the files of ${fallback.directory}`);
      }
      return relayOf(upstream, 'site', base.rule);
    }
    case 'redirect': {
      // 302, not 301 or 308: browsers remember those long after the config says something else.
      const fields = Object.freeze(['Location', fallback.location]);
      return Object.freeze({ ...base, kind: 'answer', answer: Object.freeze({ status: 302, fields, body: '' }) });
    }
    case 'status':
      return fallback.status < 400
        ? Object.freeze({
            ...base,
            kind: 'answer',
            answer: Object.freeze({ status: fallback.status, fields: [], body: '' }),
          })
        : refusedFallback(base, fallback.status);
  }
}

function refusedFallback(base: Pick<RefuseRoute, 'site' | 'requestClass' | 'rule'>, status: number): RefuseRoute {
  const refusal: Refusal = {
    code: 'FALLBACK_STATUS',
    status,
    errcode: status === 404 ? 'M_UNRECOGNIZED' : status === 403 ? 'M_FORBIDDEN' : 'M_UNKNOWN',
    error: status === 404 || status === 410 ? 'There is nothing here.' : 'This site does not answer here.',
  };
  return Object.freeze({ ...base, kind: 'refuse', refusal: Object.freeze(refusal), matrix: false });
}
