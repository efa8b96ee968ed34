/** What an order tells of its way, for the log and for progress on a terminal. */
import type { PorticoError } from '../base/errors.ts';
import type { ChallengeType } from './challenge.ts';

/**
 * In this order, where nothing fails:
 * `prepared` key and request are stored · `placed` the authority has the order, and its URL is stored (or `resumed`: it had it
 * already) · per name `presenting`, `presented`, `validating`, `validated` (or just `authorized`: it was valid already) ·
 * `ready` · `finalized` · `issued` · `downloaded` and checked.
 * Otherwise: `replaces-dropped` the authority refused to replace · `challenge-failed` one way of showing control did not work ·
 * `clean-up-failed` · `abandoned` the order is of no use any more, and another one follows if it may.
 */
export type OrderStepName =
  | 'prepared'
  | 'placed'
  | 'resumed'
  | 'presenting'
  | 'presented'
  | 'validating'
  | 'validated'
  | 'authorized'
  | 'ready'
  | 'finalized'
  | 'issued'
  | 'downloaded'
  | 'replaces-dropped'
  | 'challenge-failed'
  | 'clean-up-failed'
  | 'abandoned';

/** One step. */
export interface OrderStep {
  readonly step: OrderStepName;
  /** Id of the planned certificate. */
  readonly order: string;
  readonly issuer: string;
  readonly orderUrl: string | null;
  /** For the steps of one name. */
  readonly name?: string;
  readonly challenge?: ChallengeType;
  /** For those that failed. */
  readonly error?: PorticoError;
}
