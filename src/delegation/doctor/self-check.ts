/**
 * The doctor of a running Portico: looks at its own sites again and again, not all at one time with every other Portico in the
 * world, and tells what has changed. It belongs to the control plane; nothing waits for it.
 */
import { codeOf, messageOf } from '../../base/errors.ts';
import type { Severity } from './catalogue.ts';
import { diagnose } from './diagnose.ts';
import type { Diagnosis } from './diagnose.ts';
import type { Expected } from './evidence.ts';
import { changes } from './facts.ts';
import type { Change } from './facts.ts';
import { gather } from './probes/gather.ts';
import type { DoctorDeps } from './probes/gather.ts';

/** One site. */
export interface Subject {
  readonly serverName: string;
  readonly expected: Expected | null;
}

/** What the self-check tells. */
export interface SelfCheckListener {
  /** After each look at a site; `before` is null the first time. */
  looked(diagnosis: Diagnosis, news: readonly Change[], before: Diagnosis | null): void;
  /** A look that could not be made: a defect of ours, or a name that is none; `-` for a whole round. */
  failed(serverName: string, code: string, message: string): void;
}

/** How it is run. */
export interface SelfCheckOptions {
  /** The sites as they are now; asked before each round, so that a reload needs no word to us. */
  readonly subjects: () => readonly Subject[];
  readonly deps: DoctorDeps;
  /** Milliseconds between rounds, give or take a fifth. */
  readonly intervalMs: number;
  /** Milliseconds before the first round, give or take a fifth; default: a minute, for listeners and certificates to be there. */
  readonly firstMs?: number;
  readonly listener: SelfCheckListener;
  /** One look; default: the doctor. */
  readonly look?: (subject: Subject, signal: AbortSignal) => Promise<Diagnosis>;
}

const FIRST_MS = 60_000;
/** For one site. */
const LIMIT_MS = 90_000;

/** How long to wait before a round: never the same for two servers that were started together. Pure. */
export function nextDelay(baseMs: number, random: () => number): number {
  return Math.round(baseMs * (0.8 + 0.4 * random()));
}

/** Runs until it is stopped. */
export class SelfCheck {
  readonly #options: SelfCheckOptions;
  readonly #last = new Map<string, Diagnosis>();
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SelfCheckOptions) {
    this.#options = options;
  }

  /** Begins, with a wait before the first round. */
  start(): void {
    this.#schedule(this.#options.firstMs ?? FIRST_MS);
  }

  /** Ends it, a look in progress too. */
  stop(): void {
    this.#stop.abort();
    clearTimeout(this.#timer);
  }

  /** One round over all sites, one after the other; resolves when it is done. */
  async round(): Promise<void> {
    const subjects = this.#options.subjects();
    const names = new Set(subjects.map(({ serverName }) => serverName));
    for (const name of this.#last.keys()) if (!names.has(name)) this.#last.delete(name);
    for (const subject of subjects) {
      if (this.#stop.signal.aborted) return;
      await this.#look(subject);
    }
  }

  async #look(subject: Subject): Promise<void> {
    const { listener } = this.#options;
    const { serverName } = subject;
    try {
      const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(LIMIT_MS)]);
      const diagnosis = await (this.#options.look ?? this.#examine)(subject, signal);
      // What was cut short says nothing about the server.
      if (this.#stop.signal.aborted) return;
      const before = this.#last.get(serverName) ?? null;
      this.#last.set(serverName, diagnosis);
      listener.looked(diagnosis, before === null ? [] : changes(before, diagnosis), before);
    } catch (error) {
      listener.failed(serverName, codeOf(error), messageOf(error));
    }
  }

  readonly #examine = async ({ serverName, expected }: Subject, signal: AbortSignal): Promise<Diagnosis> =>
    diagnose(await gather(serverName, expected, this.#options.deps, signal));

  #schedule(baseMs: number): void {
    if (this.#stop.signal.aborted) return;
    const { deps, intervalMs } = this.#options;
    this.#timer = setTimeout(
      () => {
        // Whatever happens in a round, the next one comes.
        void this.round()
          .catch((error: unknown) => this.#options.listener.failed('-', codeOf(error), messageOf(error)))
          .finally(() => this.#schedule(intervalMs));
      },
      nextDelay(baseMs, deps.random),
    ).unref();
  }
}

/** Findings of a diagnosis by severity, for metrics. */
export function findingCounts({ findings }: Diagnosis): Readonly<Record<Severity, number>> {
  const counts = { error: 0, warning: 0, info: 0 };
  for (const { severity } of findings) counts[severity] += 1;
  return counts;
}
