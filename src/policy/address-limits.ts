/**
 * Counts what each client address holds at a time: connections, handshakes, or requests in flight. An IPv6 client is counted by
 * its /64. The data plane owns one counter of each kind for its whole life, since what it counts outlives a snapshot; the cap
 * comes from the snapshot.
 */
import { addressKey } from '../base/cidr.ts';

/** A counter as one snapshot sees it. */
export interface AddressLimit {
  /**
   * Counts one more.
   * @returns false when the address is at its cap; nothing is counted then
   */
  enter(address: string): boolean;
  /** Takes back one `enter` that returned true. An address that holds nothing stays at zero, so that no cap is lifted. */
  leave(address: string): void;
}

/** Counts by client address; an address that holds nothing takes no memory. All calls are O(1). */
export class AddressCounter {
  readonly #counts = new Map<string, number>();

  /** The counter with a cap; all such views share the counts. */
  limitedTo(cap: number): AddressLimit {
    return {
      enter: (address) => this.#enter(addressKey(address), cap),
      leave: (address) => {
        this.#leave(addressKey(address));
      },
    };
  }

  /** What an address holds now. */
  held(address: string): number {
    return this.#counts.get(addressKey(address)) ?? 0;
  }

  /** How many addresses hold something. */
  get addresses(): number {
    return this.#counts.size;
  }

  #enter(key: string, cap: number): boolean {
    const count = this.#counts.get(key) ?? 0;
    if (count >= cap) return false;
    this.#counts.set(key, count + 1);
    return true;
  }

  #leave(key: string): void {
    const count = this.#counts.get(key);
    if (count === undefined) return;
    if (count === 1) this.#counts.delete(key);
    else this.#counts.set(key, count - 1);
  }
}
