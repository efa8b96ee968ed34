/**
 * The rule that ties a request to the connection it came on: the name in SNI chose the certificate, so a request on that
 * connection may only be for the same site or for a host the certificate speaks for.
 *
 * The threat: a client opens the connection under one site's name and asks for another's, past everything that was decided by
 * the name (which certificate, and later client certificates or per-site TLS settings). RFC 9110 §7.4 has 421 for it, and
 * browsers that reuse an HTTP/2 connection for a second host then open a new one (RFC 9113 §9.1.2).
 */
import { coversName } from '../base/certificate.ts';
import type { Refusal } from './decision.ts';
import { REFUSALS } from './refusals.ts';

/** What the rule compares. */
export interface SniHostFacts<S> {
  /** SNI in lower case; null when the client sent none: then there is no rule. */
  readonly servername: string | null;
  /** Names of the certificate that was served. */
  readonly certificateNames: readonly string[];
  /** Host without port, lower case; IPv6 in brackets. */
  readonly hostname: string;
  /** The site that Host leads to. */
  readonly site: S;
  /** The sites that the SNI leads to. */
  readonly sniSites: readonly S[];
}

/** Null lets the request pass; otherwise `HOST_NOT_SNI`. */
export function decideSniHost<S>(facts: SniHostFacts<S>): Refusal | null {
  const { servername, hostname } = facts;
  if (servername === null || servername === hostname) return null;
  if (facts.sniSites.includes(facts.site)) return null;
  const name = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
  return coversName(facts.certificateNames, name) ? null : REFUSALS.HOST_NOT_SNI;
}
