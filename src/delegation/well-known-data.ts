/** The discovery documents of a site, rendered once: bodies as they go out, or null where the answer is 404. */
export interface WellKnownData {
  /** `/.well-known/matrix/server`; null unless delegation is `well-known` (a document would take precedence over SRV). */
  readonly server: string | null;
  /** `/.well-known/matrix/client` */
  readonly client: string | null;
  /** `/.well-known/matrix/support` */
  readonly support: string | null;
  /** `/.well-known/matrix/policy_server` */
  readonly policyServer: string | null;
  /** `Cache-Control: public, max-age=…`, in seconds. */
  readonly maxAgeSeconds: number;
}
