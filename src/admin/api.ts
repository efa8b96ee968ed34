/**
 * What can be asked of a running Portico through its admin socket. Shapes are those of the JSON, snake_case, so that what the
 * commands print with `--json` is what went over the socket.
 */

/** Names and values only; more may be added, none is taken away. */
export interface StatusReport {
  readonly version: string;
  readonly node: string;
  readonly pid: number;
  /** Path of the config file. */
  readonly config: string;
  /** RFC 3339, as all times here. */
  readonly started_at: string;
  /** No new connections are taken, and the process is about to end. */
  readonly draining: boolean;
  /** As in `/health/ready`; the reasons are empty when it is. */
  readonly ready: boolean;
  readonly reasons: readonly string[];
  readonly snapshot_version: number;
  readonly listeners: readonly { readonly role: string; readonly host: string; readonly port: number }[];
  readonly metrics: { readonly host: string; readonly port: number } | null;
  readonly sites: readonly string[];
  readonly certificates: { readonly count: number; readonly first_expiry: string | null };
}

/** One problem in a config, as `portico check --json` prints it. */
export interface ProblemRow {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly code: string;
  readonly severity: 'error' | 'warning';
  readonly message: string;
  readonly fix: string;
}

/** A config that was taken. */
export interface ReloadReport {
  readonly snapshot_version: number;
  readonly warnings: readonly ProblemRow[];
}

/** The process ends when open exchanges are done, at the latest after this time. */
export interface DrainReport {
  readonly draining: true;
  readonly deadline_ms: number;
}

/** One certificate and what is known of it. */
export interface CertificateRow {
  readonly names: readonly string[];
  readonly source: 'files' | 'local_ca' | 'acme';
  /** The issuer's name in the certificate; null while there is none. */
  readonly issuer: string | null;
  /** ACME only: the profile it was ordered with. */
  readonly profile: string | null;
  readonly not_after: string | null;
  /** Whole days, rounded down; negative when it has expired. */
  readonly days_left: number | null;
  /** Null when it is not Portico that renews it. */
  readonly next_renewal: string | null;
  /** Why then, or why not at all, in words. */
  readonly reason: string | null;
  readonly last_problem: CertificateProblem | null;
}

/** What went wrong last, and what to do about it. */
export interface CertificateProblem {
  readonly code: string;
  readonly message: string;
  readonly fix: string | null;
  readonly at: string;
}

/** A renewal that somebody asked for. */
export interface RenewReport {
  readonly names: readonly string[];
  readonly source: CertificateRow['source'];
  /** `renewed`: the new one is being swapped in; `started`: an order is under way, see the list for its end. */
  readonly state: 'renewed' | 'started';
}

/** The ACME accounts that have new keys; none without ACME. */
export interface RolloverReport {
  readonly accounts: readonly { readonly issuer: string; readonly account_url: string }[];
}

/** A URI canary that the running process will answer; the secret it is made with stays there. */
export interface CanaryReport {
  /** The request target, byte for byte. */
  readonly target: string;
  /** Hex; the answer to this question is known by it. */
  readonly answer_key: string;
}

/** What every answer is that is not the report that was asked for. */
export interface ErrorReport {
  readonly error: { readonly code: string; readonly message: string; readonly fix: string | null };
  /** Of the config, when that is what was wrong. */
  readonly problems: readonly ProblemRow[];
}

/**
 * The running process, as the admin socket sees it. Everything may throw a `PorticoError`; one that has `problems` (of
 * {@link ProblemRow}) takes them along.
 */
export interface AdminApi {
  status(): StatusReport;
  /** Reads the config again and swaps it in, or throws and everything stays as it was. */
  reload(): Promise<ReloadReport>;
  /** As SIGTERM. */
  drain(): DrainReport;
  certificates(): Promise<readonly CertificateRow[]>;
  /**
   * @param name - a DNS name, wildcard or IP literal
   * @throws PorticoError `RENEW_NAME_UNKNOWN`, `RENEW_NOT_OURS`, and what the source throws
   */
  renew(name: string): Promise<RenewReport>;
  /** @throws PorticoError `ACME_ORDERS_UNDER_WAY`, and what an authority says */
  rollover(): Promise<RolloverReport>;
  /** A fresh one each time. */
  canary(): CanaryReport;
}

/** Method and path of each question. */
export const ADMIN_ROUTES = {
  status: { method: 'GET', path: '/v1/status' },
  reload: { method: 'POST', path: '/v1/reload' },
  drain: { method: 'POST', path: '/v1/drain' },
  certificates: { method: 'GET', path: '/v1/certificates' },
  renew: { method: 'POST', path: '/v1/certificates/renew' },
  rollover: { method: 'POST', path: '/v1/accounts/rollover' },
  canary: { method: 'POST', path: '/v1/canary' },
} as const;

/** One of the questions. */
export type AdminRoute = keyof typeof ADMIN_ROUTES;
