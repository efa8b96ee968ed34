/**
 * Counts the requests in flight of each site and class, so that one class of one site cannot take everything. The data plane
 * owns one counter for its whole life; the caps come from the snapshot.
 */
import { REQUEST_CLASSES, type RequestClass } from '../base/request-class.ts';
import type { ClassLimits } from './class-limits.ts';

/** The counter as one snapshot sees it. */
export interface ConcurrencyLimit {
  /**
   * Counts one more.
   * @returns false when the class is at its cap on this site; nothing is counted then
   */
  enter(site: string, requestClass: RequestClass): boolean;
  /** Takes back one `enter` that returned true; never below zero, so that no cap is lifted. */
  leave(site: string, requestClass: RequestClass): void;
}

const INDEX: Readonly<Record<string, number>> = Object.fromEntries(REQUEST_CLASSES.map((name, index) => [name, index]));

/** Counts by site and class; memory grows with the sites of the config, not with traffic. */
export class ConcurrencyCounter {
  readonly #counts = new Map<string, Uint32Array>();

  /** The counter with the caps of a snapshot; all such views share the counts. */
  limitedTo(classes: Readonly<Record<RequestClass, Pick<ClassLimits, 'maxConcurrent'>>>): ConcurrencyLimit {
    return {
      enter: (site, requestClass) => {
        const counts = this.#of(site);
        const index = INDEX[requestClass] ?? 0;
        const count = counts[index] ?? 0;
        const cap = classes[requestClass].maxConcurrent;
        if (cap !== null && count >= cap) return false;
        counts[index] = count + 1;
        return true;
      },
      leave: (site, requestClass) => {
        const counts = this.#of(site);
        const index = INDEX[requestClass] ?? 0;
        counts[index] = Math.max(0, (counts[index] ?? 0) - 1);
      },
    };
  }

  /** Requests in flight now. */
  inFlight(site: string, requestClass: RequestClass): number {
    return this.#counts.get(site)?.[INDEX[requestClass] ?? 0] ?? 0;
  }

  #of(site: string): Uint32Array {
    let counts = this.#counts.get(site);
    if (counts === undefined) {
      counts = new Uint32Array(REQUEST_CLASSES.length);
      this.#counts.set(site, counts);
    }
    return counts;
  }
}
