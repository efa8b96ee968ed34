/**
 * The seam between an order and the ways of showing control of a name: the order asks a solver to present a challenge, tells
 * the CA, and always has it cleaned up.
 */
import type { AcmeIdentifier } from './identifier.ts';

/** RFC 8555 §8.3 and §8.4, RFC 8737, draft-ietf-acme-dns-persist. */
export type ChallengeType = 'http-01' | 'tls-alpn-01' | 'dns-01' | 'dns-persist-01';

/** One challenge of one authorization. */
export interface ChallengeTask {
  readonly type: ChallengeType;
  /** Never with `*.`: for a wildcard it is the name below it, and `wildcard` is true (RFC 8555 §7.1.4). */
  readonly identifier: AcmeIdentifier;
  readonly wildcard: boolean;
  /** Base64url; empty for dns-persist-01, which has none. */
  readonly token: string;
  /** Token and account key thumbprint (RFC 8555 §8.1); empty for dns-persist-01. Secret enough not to be logged. */
  readonly keyAuthorization: string;
  /** The account's URL at the CA. */
  readonly accountUri: string;
  /** dns-persist-01 only: the CA's names for the record, from the challenge object. */
  readonly issuerDomainNames: readonly string[];
}

/** One way of showing control. Several tasks may be under way at once, also for the same name. */
export interface ChallengeSolver {
  readonly type: ChallengeType;
  /**
   * Makes the proof visible. Resolves when a validator that looks now would see it.
   * @throws PorticoError `ACME_CHALLENGE_…` with what went wrong and who must change what; nothing is left behind then
   */
  present(task: ChallengeTask, signal: AbortSignal): Promise<void>;
  /**
   * Takes the proof away again; called once for each task that was presented, whatever became of the order. Has a time limit
   * of its own, so that it also runs when the order was aborted.
   * @throws PorticoError what could not be taken away; the order goes on, and the caller logs it
   */
  cleanUp(task: ChallengeTask): Promise<void>;
}
