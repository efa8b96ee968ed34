/**
 * What the rest of Portico may ask of DNS: raw answers, with the response code and the time to live, from servers that can be
 * named. The system's hosts file and its cache have no part in it, because other homeservers do not see them either.
 */

/** Record types that Portico has a use for. */
export type DnsType = 'A' | 'AAAA' | 'CNAME' | 'SRV' | 'TXT' | 'CAA' | 'NS' | 'SOA';

interface Common {
  /** Owner, lower case, without the trailing dot; empty for the root. */
  readonly name: string;
  /** Seconds. */
  readonly ttl: number;
}

/** One resource record. Names in data are lower case and without the trailing dot; the root (an SRV target `.`) is empty. */
export type DnsRecord = Common &
  (
    | { readonly type: 'A' | 'AAAA'; readonly address: string }
    | { readonly type: 'CNAME' | 'NS'; readonly target: string }
    | {
        readonly type: 'SRV';
        readonly priority: number;
        readonly weight: number;
        readonly port: number;
        readonly target: string;
      }
    /** The character strings joined, one char an octet. */
    | { readonly type: 'TXT'; readonly text: string }
    | { readonly type: 'CAA'; readonly critical: boolean; readonly tag: string; readonly value: string }
    | { readonly type: 'SOA'; readonly primary: string; readonly serial: number; readonly minimum: number }
  );

/** Response codes by their names (RFC 6895 §2.3); others as `RCODE` and the number. */
export type DnsRcode = 'NOERROR' | 'FORMERR' | 'SERVFAIL' | 'NXDOMAIN' | 'NOTIMP' | 'REFUSED' | `RCODE${number}`;

/** What one server said to one question. A name without records of the type is `NOERROR` with no answers. */
export interface DnsAnswer {
  readonly rcode: DnsRcode;
  /** With the CNAME records that led to them, in the order they came. */
  readonly answers: readonly DnsRecord[];
  /** SOA and NS records that came in the authority section. */
  readonly authority: readonly DnsRecord[];
  readonly authoritative: boolean;
  /** Who said it, `address:port`. */
  readonly server: string;
}

/** Asks a fixed list of servers, one after the other until one answers. */
export interface DnsClient {
  /**
   * Asks one question, over UDP and, when the answer is truncated, over TCP.
   * @param name - with or without the trailing dot; never searched in other domains
   * @throws PorticoError `DNS_NAME` when it is not a domain name; `DNS_TIMEOUT`, `DNS_UNREACHABLE`, `DNS_MALFORMED` when no
   * server answered usefully; every response code, SERVFAIL too, is an answer and not an error
   */
  query(name: string, type: DnsType, options?: { readonly signal?: AbortSignal }): Promise<DnsAnswer>;
}
