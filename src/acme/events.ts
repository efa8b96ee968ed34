/** What the manager tells of its work, for the log, the metrics and progress on a terminal. */
import type { PorticoError } from '../base/errors.ts';
import type { AttemptProblem } from './attempts.ts';

/** One thing that happened to one planned certificate. Times are milliseconds since the epoch. */
export type CertificateEvent = { readonly id: string; readonly names: readonly string[] } &
  /** `issuer` is null of an imported one whose authority is not known. */
  (
    | { readonly kind: 'adopted'; readonly issuer: string | null; readonly notAfter: number }
    | {
        readonly kind: 'ordering';
        readonly issuer: string;
        readonly profile: string | null;
        readonly replaces: boolean;
        /** 1 for the first since the last success. */
        readonly attempt: number;
      }
    | { readonly kind: 'probing'; readonly issuer: string }
    | {
        readonly kind: 'obtained';
        readonly issuer: string;
        readonly profile: string | null;
        readonly notAfter: number;
        readonly droppedReplaces: boolean;
      }
    /** `next` is infinite when somebody must act first. */
    | { readonly kind: 'failed'; readonly failures: number; readonly next: number; readonly problem: AttemptProblem }
    /** A limit of the authority; nothing was asked of it. */
    | { readonly kind: 'refused'; readonly issuer: string; readonly until: number; readonly sentence: string }
    | { readonly kind: 'fallback'; readonly from: string; readonly to: string }
    /** Not ordered: the name has no address yet. */
    | { readonly kind: 'waiting'; readonly name: string; readonly next: number }
    | {
        readonly kind: 'profile_dropped';
        readonly issuer: string;
        readonly profile: string;
        readonly offered: readonly string[];
      }
    | {
        readonly kind: 'renewal_info';
        readonly issuer: string;
        readonly start: number;
        readonly end: number;
        readonly explanationUrl: string | null;
        readonly next: number;
      }
    | { readonly kind: 'renewal_info_failed'; readonly issuer: string; readonly problem: AttemptProblem }
    /** Still served, for want of another; said once a day. */
    | { readonly kind: 'expired'; readonly notAfter: number }
  );

/** Hears of everything. What it throws is ignored: telling must not stop the work. */
export interface AcmeObserver {
  certificate(event: CertificateEvent): void;
  /** Something that is not about one attempt: the store, or a mistake in Portico. */
  problem(problem: PorticoError): void;
}
