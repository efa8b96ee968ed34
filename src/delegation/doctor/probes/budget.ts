/** A limit on the connections made for one name, so that the doctor cannot be used to keep others busy. */
import { PorticoError } from '../../../base/errors.ts';

/** Counts connections. */
export class Budget {
  readonly #max: number;
  #spent = 0;
  #exhausted = false;

  constructor(max: number) {
    this.#max = max;
  }

  /** Connections made. */
  get spent(): number {
    return this.#spent;
  }

  /** True once something was refused. */
  get exhausted(): boolean {
    return this.#exhausted;
  }

  /** Takes one connection from the budget. @throws PorticoError `REQUEST_BUDGET` when none is left */
  readonly take = (): void => {
    if (this.#spent < this.#max) {
      this.#spent += 1;
      return;
    }
    this.#exhausted = true;
    throw new PorticoError('REQUEST_BUDGET', `Not asked: the limit of ${String(this.#max)} requests is reached.`);
  };
}
