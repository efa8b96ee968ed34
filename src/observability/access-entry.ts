import type { RequestClass } from '../base/request-class.ts';

/** How an exchange ended. */
export type Outcome = 'complete' | 'client_gone' | 'upstream_gone' | 'timed_out' | 'refused' | 'tunnel';

/** One exchange as the access log and the metrics see it. Filled in by the exchange, read once, not kept. */
export interface AccessEntry {
  /** Wall-clock time of the request's first byte, milliseconds since the epoch. */
  time: number;
  /** Server name of the site, or `-`. */
  site: string;
  requestClass: RequestClass;
  method: string;
  /** Request target as sent (latin1); tokens are removed when the line is written. */
  target: string;
  /** Status sent to the client; 0 when none was. */
  status: number;
  outcome: Outcome;
  /** Stable error code when Portico itself answered or broke off; null otherwise. */
  errorCode: string | null;
  /** Body bytes received from the client. */
  bytesIn: number;
  /** Body bytes sent to the client. */
  bytesOut: number;
  durationMs: number;
  /** From the request going upstream to the response's head; null when nothing came from an upstream. */
  upstreamMs: number | null;
  /** Id of the upstream, or null. */
  upstream: string | null;
  /** `TLSv1.3`, `TLSv1.2`, or null on plain HTTP. */
  tls: string | null;
  protocol: 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2';
  /** The client's address. */
  peer: string;
  requestId: string;
  /** Value of the first Authorization field; only the X-Matrix origin is taken from it, never the value itself. */
  authorization: string | null;
}
