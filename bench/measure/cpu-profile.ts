/** V8's CPU profiles: which functions the time went to. */

/** As much of a `.cpuprofile` as is used here. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  /** Microseconds since the sample before, for each sample. */
  readonly timeDeltas: readonly number[];
}

/** One function. */
export interface SelfTime {
  readonly name: string;
  /** File and line, or empty for what is no JavaScript. */
  readonly place: string;
  readonly micros: number;
  /** Of the time in which it did anything at all. */
  readonly share: number;
}

/** Functions by the time spent in themselves, the most first. Time in which nothing ran is left out. */
export function selfTimes(profile: CpuProfile): SelfTime[] {
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  const micros = new Map<string, SelfTime>();
  let total = 0;
  for (const [index, id] of profile.samples.entries()) {
    const frame = frames.get(id);
    if (frame === undefined || frame.functionName === '(idle)') continue;
    // A delta leads to its sample: the time is that of the stack seen then.
    const delta = Math.max(0, profile.timeDeltas[index] ?? 0);
    const name = frame.functionName === '' ? '(anonymous)' : frame.functionName;
    const file = frame.url.replace(/^.*\/(?=(?:src|dist|node_modules|bench)\/)/, '');
    const place = file === '' ? '' : `${file}:${String(frame.lineNumber + 1)}`;
    const key = `${name} ${place}`;
    micros.set(key, { name, place, share: 0, micros: (micros.get(key)?.micros ?? 0) + delta });
    total += delta;
  }
  return [...micros.values()]
    .map((entry) => ({ ...entry, share: total === 0 ? 0 : entry.micros / total }))
    .sort((a, b) => b.micros - a.micros);
}
