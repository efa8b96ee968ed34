/** What a row of the benchmark is: one way to load a contender, and the figures that come of it. */
import type { Protocol } from '../contenders/contender.ts';
import type { Instance } from '../contenders/instance.ts';
import type { Outcome } from '../load/outcome.ts';
import type { Stand } from '../setup/stand.ts';

/** One figure of a row. */
export interface Figure {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  /** Digits behind the point. */
  readonly digits: number;
  /** At most so many times what nginx with the Matrix job takes. */
  readonly atMostNginx?: number;
  /** At most so many times what Caddy takes. */
  readonly atMostCaddy?: number;
  /** At most so much, in its unit. */
  readonly atMost?: number;
  /** Told beside the others, and not compared. */
  readonly aside?: boolean;
}

/** What one round gave. */
export interface Sample extends Outcome {
  /** By id. */
  readonly figures: Readonly<Record<string, number>>;
  /** The load generator itself was late: as bad as if others had used the machine. */
  readonly unsound?: boolean;
}

/** What a row knows when it loads a contender. */
export interface Turn {
  readonly stand: Stand;
  readonly instance: Instance;
  /** How long load that runs by time runs. */
  readonly seconds: number;
  /** Requests a second that nginx with the Matrix job carries here; measured when it is first asked for. */
  capacity(): Promise<number>;
}

/** One row. */
export interface Row {
  readonly id: string;
  readonly title: string;
  readonly needs: Protocol;
  readonly backend: 'fast' | 'thorough';
  readonly figures: readonly Figure[];
  /** Part of the short form. */
  readonly quick: boolean;
  /** A new instance for every round; otherwise one serves all rows, and is warmed up before it is measured. */
  readonly fresh: boolean;
  /** Most rounds that make sense. */
  readonly maxRounds?: number;
  /** A point of a curve, instead of a row of the table. */
  readonly curve?: { readonly id: string; readonly title: string; readonly axis: string; readonly x: number };
  /** Number of sites that the instance serves, `siteName` each; when nothing is said, it is the usual one. */
  readonly sites?: number;
  /** Loads the contender once. */
  run(turn: Turn): Promise<Sample>;
}
