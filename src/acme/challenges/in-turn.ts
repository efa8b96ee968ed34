/** One after the other, where the other side cannot take two at once. */

/** Runs what it is given in the order it came; a failure keeps nobody else from its turn. */
export class InTurn {
  #last: Promise<unknown> = Promise.resolve();

  /** Settles as the action does. */
  run<T>(action: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(action);
    this.#last = mine.catch(() => undefined);
    return mine;
  }
}
