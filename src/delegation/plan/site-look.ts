/** What a look at DNS and at the base domain brings home, as plain data. */
import type { Attempt, Evidence } from '../doctor/evidence.ts';
import type { Asked } from '../resolve/ask.ts';
import type { CaaFound } from './caa.ts';

/** Types that are looked up by themselves; CAA records are found by climbing. */
export type LookedUp = 'A' | 'AAAA' | 'SRV' | 'TXT';

/** What stands at one address that should lead to Portico. */
export interface FrontSeen {
  readonly name: string;
  readonly address: string;
  /** Who answers on port 443. */
  readonly https: Attempt<{ readonly server: string | null; readonly network: string | null }>;
  /** Whether port 8448 takes connections; null where peers do not come to it. */
  readonly matrixPort: Attempt<true> | null;
}

/** One site. */
export interface SiteLook {
  /** By {@link lookKey}. */
  readonly dns: ReadonlyMap<string, Asked>;
  /** By name. */
  readonly caa: ReadonlyMap<string, CaaFound>;
  /** Discovery and documents; what the doctor's checks judge. No place is looked at. */
  readonly evidence: Evidence;
  readonly fronts: readonly FrontSeen[];
  /** The time was over before everything had been looked at. */
  readonly cutShort: boolean;
}

/** The key of a question in {@link SiteLook}. */
export function lookKey(type: LookedUp, name: string): string {
  return `${type} ${name}`;
}
