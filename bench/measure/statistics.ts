/** Median, least and most of a few rounds. */

/** What is told of one figure. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly rounds: number;
}

/**
 * The middle value, or the mean of the two in the middle.
 *
 * @throws Error when there is none
 */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted[Math.floor((sorted.length - 1) / 2)];
  const next = sorted[Math.floor(sorted.length / 2)];
  if (middle === undefined || next === undefined) throw new Error('no values');
  return (middle + next) / 2;
}

/** All of it. Throws as `median`. */
export function summarise(values: readonly number[]): Summary {
  return {
    median: median(values),
    min: Math.min(...values),
    max: Math.max(...values),
    rounds: values.length,
  };
}

/**
 * The contenders in the order of a round: each round starts with another one, so that none always follows the same
 * neighbour, and a machine that slows down slows all of them.
 */
export function turnOrder<T>(items: readonly T[], round: number): T[] {
  const start = items.length === 0 ? 0 : round % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}
