/** Axes of plots: where a value lies, and where the marks are. Pure. */

/** An axis from `least` to `most`, mapped to `from` … `to` of the picture. */
export interface Scale {
  readonly at: (value: number) => number;
  /** Values that get a mark. */
  readonly marks: readonly number[];
}

/** Zero to a round number above the most, in steps that people count in. */
export function linearScale(most: number, from: number, to: number): Scale {
  const step = roundStep(most / 5);
  const top = Math.max(step, Math.ceil(most / step - 1e-9) * step);
  const count = Math.round(top / step);
  return {
    at: (value) => from + (value / top) * (to - from),
    marks: Array.from({ length: count + 1 }, (_, index) => Number((index * step).toPrecision(12))),
  };
}

/** Powers of ten. Values of 0 lie at the lower end, which stands for them too. */
export function logScale(values: readonly number[], from: number, to: number): Scale {
  const positive = values.filter((value) => value > 0);
  const low = Math.floor(Math.log10(Math.min(...positive)) + 1e-9);
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...positive)) - 1e-9));
  return {
    at: (value) => (value <= 0 ? from : from + ((Math.log10(value) - low) / (high - low)) * (to - from)),
    marks: Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index)),
  };
}

/** The next of 1, 2, 5, 10, 20, … that is not below. */
export function roundStep(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value) + 1e-9);
  return ([1, 2, 5].find((digit) => digit * power >= value * (1 - 1e-9)) ?? 10) * power;
}
