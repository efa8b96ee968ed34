/** What the probes bring home, as plain data: the checks judge it, and tests write it down. */
import type { ServerName } from '../../base/server-name.ts';
import type { TlsSeen } from '../outbound/dial.ts';
import type { Resolution, Target } from '../resolve/types.ts';

/** Why something could not be had. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  /** The system's name for it, such as `ECONNREFUSED`; null: it has none. */
  readonly reason: string | null;
}

/** Something that was tried. */
export type Attempt<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: Failure };

/** An HTTP response that should be JSON. */
export interface JsonReply {
  readonly status: number;
  readonly contentType: string | null;
  /** Access-Control-Allow-Origin. */
  readonly cors: string | null;
  /** The Server field. */
  readonly server: string | null;
  /** Where a redirect leads. */
  readonly location: string | null;
  /** The parsed body; undefined when it is not JSON. */
  readonly json: unknown;
  /** The body's beginning, for people. */
  readonly text: string;
  readonly ms: number;
}

/** One address and port that peers come to. */
export interface PlaceSeen {
  readonly target: Target;
  readonly address: string;
  readonly port: number;
  /** The handshake as a peer makes it. */
  readonly tls: Attempt<TlsSeen>;
  /** `/_matrix/key/v2/server` on the same connection; null without one. */
  readonly keys: Attempt<JsonReply> | null;
  /** `/_matrix/federation/v1/version`. */
  readonly version: Attempt<JsonReply> | null;
  /** The same with the other form of Host: with the port added, or taken away. */
  readonly otherHost: { readonly host: string; readonly reply: Attempt<JsonReply> } | null;
  /** Null when the name is an IP literal, where no SNI is the normal case. */
  readonly withoutSni: Attempt<TlsSeen> | null;
  /** A handshake that offers TLS 1.2 only; null when the normal one was with 1.2 already. */
  readonly tls12: Attempt<TlsSeen> | null;
  /** Whether HTTP/2 was chosen when it was offered. */
  readonly http2: boolean | null;
  /** The URI canary, sent to this place; null where nobody holds the secret for it. */
  readonly canary: CanarySeen | null;
  /** The keys on 443 where peers come to 8448, and the other way round; null for other ports. */
  readonly otherPort: { readonly port: number; readonly keys: Attempt<JsonReply> } | null;
}

/** What became of a URI canary. */
export interface CanarySeen {
  /** The request target as sent. */
  readonly sent: string;
  readonly reply: Attempt<JsonReply>;
  /** The target as Portico received it; null: whoever answered was not this Portico. */
  readonly received: string | null;
}

/** A discovery document of the base domain, or what is in its place. */
export interface DocumentSeen {
  readonly url: string;
  /** Every answer on the way, redirects included. */
  readonly hops: readonly { readonly url: string; readonly status: number; readonly cors: string | null }[];
  /** Of the last answer; null: there was none. */
  readonly status: number | null;
  readonly json: unknown;
  /** Why there was no answer; null when there was one. */
  readonly failure: Failure | null;
}

/** What one address of the base domain says to the question for the server document. */
export interface ServerDocumentAt {
  readonly address: string;
  /** The answer in one line: `m.server matrix.example.com:443`, `status 404`, …. */
  readonly says: Attempt<string>;
}

/** What the config wants the outside to see. */
export interface Expected {
  readonly delegation: 'none' | 'well-known' | 'srv';
  /** `m.server`; null: there must be no document. */
  readonly mServer: string | null;
  /** The parsed documents; null: none is configured. */
  readonly client: unknown;
  readonly support: unknown;
  /** Where clients go; asked when no document says so. */
  readonly clientBaseUrl: string;
}

/** Everything about one server name. */
export interface Evidence {
  readonly name: ServerName;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly allowPrivate: boolean;
  readonly resolution: Resolution;
  readonly places: readonly PlaceSeen[];
  /** SRV records of the server name that no peer looks at, because a document comes before them: `OWNER: TARGET port PORT`. */
  readonly overruledSrv: readonly string[];
  /** Of the base domain, each of its addresses on its own; empty when it has only one. */
  readonly serverDocuments: readonly ServerDocumentAt[];
  /** Null when the server name is an IP literal. */
  readonly client: DocumentSeen | null;
  readonly support: DocumentSeen | null;
  /** `/_matrix/client/versions` at the base URL of the document or else the config; null when there is none to ask. */
  readonly versions: { readonly url: string; readonly reply: Attempt<JsonReply> } | null;
  /** From the config; null for names that are not in it. */
  readonly expected: Expected | null;
  /** Set when the limit of requests or of time ended the look. */
  readonly exhausted: boolean;
  /** Connections made. */
  readonly requests: number;
}
