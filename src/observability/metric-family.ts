/**
 * Metric families whose values live in our own arrays. prom-client formats them at scrape time; on the hot path a metric is
 * a number going up, because finding a child by its labels costs more than relaying a small header.
 */
import type { Metric, Registry } from 'prom-client';

/** One line of the exposition. */
export interface Sample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  /** When it differs from the family's name: `…_bucket`, `…_sum`, `…_count`. */
  readonly metricName?: string;
}

/** A metric family and where its values come from. */
export interface FamilyDefinition {
  /** `portico_…`, with the unit at the end; counters end in `_total`. */
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** One sentence. */
  readonly help: string;
  /** Label names; they end the help text. */
  readonly labels: readonly string[];
  /** The values now; called once a scrape. */
  readonly samples: () => Sample[];
  /** How several processes are added up; default: the sum. */
  readonly aggregator?: 'sum' | 'max' | 'min' | 'first';
}

/** Registers a family. */
export function defineFamily(registry: Registry, definition: FamilyDefinition): void {
  const { name, type, labels, samples, aggregator = 'sum' } = definition;
  const help = `${definition.help}. Labels: ${labels.length === 0 ? 'none' : labels.join(', ')}.`;
  const family = {
    name,
    help,
    type,
    aggregator,
    get: () => Promise.resolve({ name, help, type, aggregator, values: samples() }),
    reset: () => undefined,
  };
  // The registry of prom-client 15 asks a metric for its name and `get()` only; its types ask for one of its own classes.
  registry.registerMetric(family as unknown as Metric);
}

/** A counter for each label value that turns up, at most `limit` of them; what comes later is counted as `other`. */
export class LabelledCounter {
  readonly #counts = new Map<string, number>();
  readonly #limit: number;

  /** @param known - label values that are shown from the start, at zero */
  constructor(known: readonly string[] = [], limit = 128) {
    this.#limit = limit;
    for (const value of known) this.#counts.set(value, 0);
  }

  /** Counts one. Only short names of letters, digits and `._:/-` become labels, everything else is `other`. */
  add(value: string, amount = 1): void {
    const count = this.#counts.get(value);
    if (count !== undefined) {
      this.#counts.set(value, count + amount);
    } else if (this.#counts.size < this.#limit && /^[\w.:/-]{1,64}$/.test(value)) {
      this.#counts.set(value, amount);
    } else {
      this.#counts.set('other', (this.#counts.get('other') ?? 0) + amount);
    }
  }

  /** @param label - name of the label */
  samples(label: string): Sample[] {
    return [...this.#counts].map(([value, count]) => ({ labels: { [label]: value }, value: count }));
  }
}

/** Upper bounds in seconds: fine where clients notice, coarse where long polls and joins live. */
const SECONDS_BUCKETS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600,
] as const;

/** A histogram of durations, one row for each value of one label, in preallocated arrays. */
export class DurationHistogram {
  readonly #rows: readonly string[];
  readonly #width = SECONDS_BUCKETS.length + 1;
  readonly #counts: Float64Array;
  readonly #sums: Float64Array;

  /** @param rows - the label's values, in the order of the row numbers */
  constructor(rows: readonly string[]) {
    this.#rows = rows;
    this.#counts = new Float64Array(rows.length * this.#width);
    this.#sums = new Float64Array(rows.length);
  }

  /** @param row - number of the label's value; unknown rows are ignored */
  observe(row: number, milliseconds: number): void {
    const seconds = milliseconds / 1000;
    let bucket = 0;
    for (const bound of SECONDS_BUCKETS) {
      if (seconds <= bound) break;
      bucket++;
    }
    const at = row * this.#width + bucket;
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.#sums[row] = (this.#sums[row] ?? 0) + seconds;
  }

  /**
   * Cumulative buckets, sum and count of every row that has seen a value.
   * @param label - name of the label; null for a histogram of one row without labels
   */
  samples(name: string, label: string | null): Sample[] {
    return this.#rows.flatMap((value, row) => {
      const labels = label === null ? {} : { [label]: value };
      const samples: Sample[] = [];
      let count = 0;
      for (let bucket = 0; bucket < this.#width; bucket++) {
        count += this.#counts[row * this.#width + bucket] ?? 0;
        const le = SECONDS_BUCKETS[bucket] ?? '+Inf';
        samples.push({ metricName: `${name}_bucket`, labels: { ...labels, le }, value: count });
      }
      if (count === 0 && label !== null) return [];
      samples.push({ metricName: `${name}_sum`, labels, value: this.#sums[row] ?? 0 });
      samples.push({ metricName: `${name}_count`, labels, value: count });
      return samples;
    });
  }
}
