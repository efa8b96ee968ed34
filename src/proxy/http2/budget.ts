/**
 * What a peer may make us do for nothing. Cheap frames are not free: resets, pings, settings and empty frames without work
 * behind them are how HTTP/2 servers are exhausted (CVE-2019-9511 to 9518, CVE-2023-44487, CVE-2025-8671).
 */

/** A budget that refills with time and with useful work. */
export class Budget {
  readonly #burst: number;
  readonly #perSecond: number;
  #left: number;
  #at: number;

  /** @param now - monotonic ms */
  constructor(burst: number, perSecond: number, now: number) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#left = burst;
    this.#at = now;
  }

  /** Takes from the budget; false when it is used up. */
  spend(now: number, cost = 1): boolean {
    this.#left = Math.min(this.#burst, this.#left + ((now - this.#at) * this.#perSecond) / 1000);
    this.#at = now;
    this.#left -= cost;
    return this.#left >= 0;
  }

  /** Gives back for work that was worth it. */
  earn(amount: number): void {
    this.#left = Math.min(this.#burst, this.#left + amount);
  }
}
