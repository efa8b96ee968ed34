/** Measures rows: rounds in turn between the contenders, so that whatever the machine does meanwhile hits all of them. */
import type { Contender } from '../contenders/contender.ts';
import { siteFiles, startInstance } from '../contenders/instance.ts';
import type { Instance, InstanceOptions } from '../contenders/instance.ts';
import type { Row, Sample } from '../rows/row.ts';
import { SMALL_ROWS } from '../rows/small.ts';
import { siteName } from '../setup/site-names.ts';
import type { Stand } from '../setup/stand.ts';
import { MOST_FOREIGN, foreignSince, moment, untilCalm } from './machine.ts';
import { median, summarise, turnOrder } from './statistics.ts';
import type { Summary } from './statistics.ts';

/** What a contender gave in a row: its figures by id, or why there are none. */
export type Entry =
  | {
      readonly figures: Readonly<Record<string, Summary>>;
      /** Rounds in which others used the machine too; left out when there was none. */
      readonly disturbed?: number;
    }
  /** An error in any round makes all of them worthless: a proxy that answers wrongly may do so quickly. */
  | { readonly void: string };

/** A measured row: entries by contender. */
export interface RowResult {
  readonly row: Row;
  readonly entries: ReadonlyMap<string, Entry>;
  /** CPUs that others took in the round in which they took the most; 0.1 is a tenth of one. */
  readonly foreign: number;
}

/** How it is measured. */
export interface Rounds {
  readonly stand: Stand;
  readonly contenders: readonly Contender[];
  readonly rounds: number;
  readonly seconds: number;
  /** Ports of the backends. */
  readonly backends: Readonly<Record<Row['backend'], number>>;
  /** Directory with certificates of many sites; made when a row wants them. */
  readonly sitesDirectory: () => Promise<string>;
  /** Time in all that may be spent waiting for a calm machine and repeating rounds that were disturbed. */
  readonly patienceMs: number;
  /** How instances differ from the usual: flags for Node. */
  readonly instance: InstanceOptions;
  /** Told what is being done. */
  readonly progress: (text: string) => void;
}

/** A second is enough for a just-in-time compiler to have seen every path. */
const WARM_UP_SECONDS = 1;
/** Two rounds do not run into each other: what the last one left in sockets is drained. */
const PAUSE_MS = 150;

/** Measures one row after the other with the same instances. `close` ends them. */
export class Measurement {
  readonly #setting: Rounds;
  readonly #shared = new Map<string, Instance>();
  readonly #warm = new Set<string>();
  #patienceMs: number;
  #capacity: Promise<number> | null = null;

  constructor(setting: Rounds) {
    this.#setting = setting;
    this.#patienceMs = setting.patienceMs;
  }

  /** Measures a row with all contenders that speak what it needs. */
  async row(row: Row): Promise<RowResult> {
    const { contenders, rounds } = this.#setting;
    const able = contenders.filter(
      ({ speaks, manySites }) => speaks.has(row.needs) && ((row.sites ?? 1) === 1 || manySites),
    );
    const samples = new Map<string, CountedSample[]>(able.map(({ id }) => [id, []]));
    const voids = new Map<string, string>();
    for (let round = 0; round < Math.min(rounds, row.maxRounds ?? rounds); round += 1) {
      for (const contender of turnOrder(able, round)) {
        if (voids.has(contender.id)) continue;
        this.#setting.progress(`${row.title}: round ${String(round + 1)}, ${contender.title}`);
        const sample = await this.#calmRound(row, contender);
        if (typeof sample === 'string') voids.set(contender.id, sample);
        else samples.get(contender.id)!.push(sample);
      }
    }
    const entries = new Map(
      able.map(({ id }): [string, Entry] => {
        const why = voids.get(id);
        return [id, why === undefined ? entryOf(row, samples.get(id)!) : { void: why }];
      }),
    );
    const foreign = Math.max(0, ...[...samples.values()].flat().map((sample) => sample.foreign));
    return { row, entries, foreign };
  }

  /** Ends the instances that served several rows. */
  async close(): Promise<void> {
    await Promise.all([...this.#shared.values()].map((instance) => instance.stop()));
    this.#shared.clear();
  }

  /** A round on a machine that is ours, as far as patience goes. */
  async #calmRound(row: Row, contender: Contender): Promise<CountedSample | string> {
    for (;;) {
      const started = performance.now();
      await untilCalm(this.#patienceMs);
      const waited = performance.now() - started;
      const before = moment();
      const sample = await this.#round(row, contender);
      if (typeof sample === 'string') return sample;
      const foreign = foreignSince(before);
      const disturbed = foreign > MOST_FOREIGN || sample.unsound === true;
      if (!disturbed || this.#patienceMs <= 0) return { ...sample, foreign, disturbed };
      this.#patienceMs -= waited + (performance.now() - before.at);
    }
  }

  /** One round; a text says what went wrong. */
  async #round(row: Row, contender: Contender): Promise<Sample | string> {
    try {
      const instance = row.fresh ? await this.#start(row, contender) : await this.#sharedInstance(row, contender);
      try {
        await this.#warmUp(row, instance);
        const sample = await this.#load(row, instance, this.#setting.seconds);
        if (sample.errors > 0) return sample.problem || `${String(sample.errors)} errors`;
        return sample;
      } finally {
        if (row.fresh) await instance.stop();
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  /** The plainest row, with the contender that everything is set against. */
  async #measureCapacity(): Promise<number> {
    const contender = this.#setting.contenders.find(({ id }) => id === 'nginx-matrix');
    const row = SMALL_ROWS.find(({ id }) => id === 'get-h1');
    if (contender === undefined || row === undefined)
      throw new Error('nginx with the Matrix job is not among the contenders');
    const rates: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      const sample = await this.#round(row, contender);
      if (typeof sample === 'string') throw new Error(`the capacity of nginx is not known: ${sample}`);
      rates.push(sample.figures.rate ?? 0);
    }
    return median(rates);
  }

  async #warmUp(row: Row, instance: Instance): Promise<void> {
    const key = `${row.id} ${instance.contender.id}`;
    if (row.fresh || this.#warm.has(key)) return;
    this.#warm.add(key);
    await this.#load(row, instance, WARM_UP_SECONDS);
  }

  #load(row: Row, instance: Instance, seconds: number): Promise<Sample> {
    const { stand } = this.#setting;
    return row.run({ stand, instance, seconds, capacity: () => (this.#capacity ??= this.#measureCapacity()) });
  }

  async #sharedInstance(row: Row, contender: Contender): Promise<Instance> {
    const key = `${contender.id} ${row.backend}`;
    const there = this.#shared.get(key);
    if (there?.running.alive() === true) return there;
    const fresh = await this.#start(row, contender);
    this.#shared.set(key, fresh);
    return fresh;
  }

  async #start(row: Row, contender: Contender): Promise<Instance> {
    const { stand, backends, sitesDirectory } = this.#setting;
    const count = row.sites;
    if (count === undefined) return startInstance(stand, contender, backends[row.backend], this.#setting.instance);
    const directory = await sitesDirectory();
    const sites = Array.from({ length: count }, (_, number) => siteFiles(directory, siteName(number)));
    return startInstance(stand, contender, backends[row.backend], { ...this.#setting.instance, sites });
  }
}

/** A sample of a round, and the CPUs that others took meanwhile. */
interface CountedSample extends Sample {
  readonly foreign: number;
  /** They took too much, or the load was not what it should have been. */
  readonly disturbed: boolean;
}

function entryOf(row: Row, samples: readonly CountedSample[]): Entry {
  const disturbed = samples.filter((sample) => sample.disturbed).length;
  return { figures: figuresOf(row, samples), ...(disturbed > 0 ? { disturbed } : {}) };
}

function figuresOf(row: Row, samples: readonly Sample[]): Record<string, Summary> {
  return Object.fromEntries(
    row.figures.flatMap(({ id }) => {
      const values = samples.flatMap(({ figures }) => (figures[id] === undefined ? [] : [figures[id]]));
      return values.length === 0 ? [] : [[id, summarise(values)]];
    }),
  );
}

/** Median of one figure, or null. */
export function medianOf(entry: Entry | undefined, figure: string): number | null {
  if (entry === undefined || 'void' in entry) return null;
  const summary = entry.figures[figure];
  return summary === undefined ? null : summary.median;
}
