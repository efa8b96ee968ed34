/** The order in which the targets of SRV records are tried (RFC 2782, "Usage rules" and the algorithm of "Weight"). */

/** What counts for the order. */
export interface Ranked {
  readonly priority: number;
  readonly weight: number;
}

/**
 * Lowest priority first; within one priority drawn by weight without putting back, so that the first is chosen in proportion
 * to its weight and a weight of 0 has a small chance beside others.
 * @param random - in [0, 1)
 * @returns a new array with the same records
 */
export function orderSrv<T extends Ranked>(records: readonly T[], random: () => number): T[] {
  const priorities = [...new Set(records.map(({ priority }) => priority))].sort((a, b) => a - b);
  return priorities.flatMap((priority) =>
    draw(
      records.filter((record) => record.priority === priority),
      random,
    ),
  );
}

function draw<T extends Ranked>(records: readonly T[], random: () => number): T[] {
  // Those of weight 0 stand first, so that only a draw of exactly 0 takes them.
  const left = [...records.filter(({ weight }) => weight === 0), ...records.filter(({ weight }) => weight !== 0)];
  const drawn: T[] = [];
  while (left.length > 0) {
    const sum = left.reduce((total, { weight }) => total + weight, 0);
    const chosen = Math.floor(random() * (sum + 1));
    let running = 0;
    const index = left.findIndex(({ weight }) => {
      running += weight;
      return running >= chosen;
    });
    drawn.push(...left.splice(Math.max(0, index), 1));
  }
  return drawn;
}
