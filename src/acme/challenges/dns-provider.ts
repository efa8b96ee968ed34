/** The seam between the DNS challenges and the ways of changing somebody's DNS. */

/** One TXT value, beside which others may stand at the same name. */
export interface ChallengeRecord {
  /** Lower case, without trailing dot; aliases are followed already. */
  readonly name: string;
  /** What the record says, without quotes. */
  readonly value: string;
  /** Time to live in seconds. */
  readonly ttl: number;
}

/** One way of changing DNS. Calls may come at the same time, for the same name too. */
export interface DnsProvider {
  /** For messages: `rfc2136`, `exec` or `webhook`. */
  readonly kind: string;
  /**
   * Adds the value, and leaves others at the name as they are. Adding it twice is no mistake.
   * @throws PorticoError with what the other side said; nothing may be concluded about the record then
   */
  add(record: ChallengeRecord, signal: AbortSignal): Promise<void>;
  /**
   * Removes just this value. Removing it twice is no mistake.
   * @throws PorticoError as `add`
   */
  remove(record: ChallengeRecord, signal: AbortSignal): Promise<void>;
}
