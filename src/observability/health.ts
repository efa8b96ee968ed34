/**
 * Health as orchestrators ask for it: alive (the process answers) and ready (every part that registered can do its work).
 */

/** Whether new clients should be sent here. */
export interface Readiness {
  readonly ok: boolean;
  /** One `part: reason` for each part that is not ready; empty when ok. */
  readonly reasons: readonly string[];
}

/** Collects what the parts say of themselves. */
export interface Health {
  /** True as long as the process is not known to be broken beyond repair. */
  live(): boolean;
  ready(): Readiness;
  /**
   * A part says whether it is ready; the last word counts. A part that never spoke is not waited for.
   * @param part - short name such as `listeners`, `draining`
   * @param reason - why not, for people; not used when `ok`
   */
  setReady(part: string, ok: boolean, reason?: string): void;
  /** The process cannot recover by itself: `live()` is false from now on. */
  setBroken(): void;
}

/** Creates the health of a process: alive, and not ready until something says it is. */
export function createHealth(): Health {
  const parts = new Map<string, string | null>();
  let live = true;
  return {
    live: () => live,
    ready: () => {
      const reasons = [...parts].flatMap(([part, reason]) => (reason === null ? [] : [`${part}: ${reason}`]));
      if (parts.size === 0) reasons.push('process: starting');
      return { ok: reasons.length === 0, reasons };
    },
    setReady: (part, ok, reason = 'not ready') => {
      parts.set(part, ok ? null : reason);
    },
    setBroken: () => {
      live = false;
    },
  };
}
