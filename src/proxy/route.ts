/**
 * What the router says of a request: the shape that everything after the connection class works with, whatever protocol
 * was spoken in front.
 */
import type { RequestClass } from '../base/request-class.ts';
import type { ClassLimits } from '../policy/class-limits.ts';
import type { Refusal } from '../policy/decision.ts';
import type { ListenerRole, UpstreamData } from './snapshot.ts';

/** What the router needs of a request; the target is matched on a copy and never changed. */
export interface RequestFacts {
  readonly method: string;
  /** Request target as sent, one character per byte (latin1). */
  readonly target: string;
  /** Value of Host or `:authority`, as sent. */
  readonly authority: string;
  /** True when the request brings a body or announces one. */
  readonly hasBody: boolean;
}

/** What the router needs of the connection; fixed for its lifetime. */
export interface ConnectionFacts {
  readonly role: ListenerRole;
  readonly only: 'federation' | null;
  /** SNI in lower case; null when the client sent none or an IP literal, and on plain HTTP. */
  readonly servername: string | null;
  /** Names of the certificate that was served; empty on plain HTTP. */
  readonly certificateNames: readonly string[];
  /** The client's address, already resolved through trusted proxies; IPv4-mapped as IPv4. */
  readonly peer: string;
  /** Port the client connected to. */
  readonly localPort: number;
}

/** An answer that Portico gives itself. */
export interface LocalAnswer {
  readonly status: number;
  /** Names and values in turn. Content-Length, Date and Connection are added by the front. */
  readonly fields: readonly string[];
  /** Left out for HEAD, 204 and 304 by the front; Content-Length still tells its size (not for 204). */
  readonly body: string;
}

interface RouteBase {
  /** Server name of the site, for log and metrics; `-` when no site was found. */
  readonly site: string;
  readonly requestClass: RequestClass;
  /** Which line of the table decided, in words: for `portico explain` and the log. */
  readonly rule: string;
}
export interface RelayRoute extends RouteBase {
  readonly kind: 'relay';
  readonly upstream: UpstreamData;
  readonly limits: ClassLimits;
}
export interface AnswerRoute extends RouteBase {
  readonly kind: 'answer';
  readonly answer: LocalAnswer;
}
export interface RefuseRoute extends RouteBase {
  readonly kind: 'refuse';
  readonly refusal: Refusal;
  /** True under `/_matrix`, `/_synapse`, `/.well-known/matrix`: Matrix-shaped JSON with CORS; else by `Accept`. */
  readonly matrix: boolean;
}
export type Route = RelayRoute | AnswerRoute | RefuseRoute;

/** Chooses the route; built once per snapshot, allocates little per request. */
export interface Router {
  route(request: RequestFacts, connection: ConnectionFacts, ifNoneMatch: string | null): Route;
}
