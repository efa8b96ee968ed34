/** The record of one resolution: everything tried, in order, and what was odd about it. */
import type { Clock } from '../../base/clock.ts';
import { printable } from '../printable.ts';
import type { ResolutionWarning, StepNumber, Tried } from './types.ts';

/** Collects while the steps run. */
export class Trail {
  readonly #clock: Clock;
  readonly #tried: Tried[] = [];
  readonly #warnings: ResolutionWarning[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get tried(): readonly Tried[] {
    return this.#tried;
  }

  get warnings(): readonly ResolutionWarning[] {
    return this.#warnings;
  }

  /** Starts the watch for something that is tried; the function returned notes how it went. */
  start(step: StepNumber, what: string): (result: Tried['result'], outcome: string) => void {
    const started = this.#clock.monotonic();
    return (result, outcome) => {
      const ms = Math.max(0, Math.round(this.#clock.monotonic() - started));
      this.#tried.push({ step, what: printable(what), result, outcome: printable(outcome), ms });
    };
  }

  /** Notes something odd, once. */
  warn(step: StepNumber, code: ResolutionWarning['code'], seen: string): void {
    if (this.#warnings.some((warning) => warning.code === code && warning.seen === seen)) return;
    this.#warnings.push({ code, step, seen: printable(seen) });
  }
}
