/** Questions to a person, over any pair of streams. */
import { createInterface } from 'node:readline/promises';
import type { Readable, Writable } from 'node:stream';

/** Asks one question after the other. */
export interface Asker {
  /** @returns the line; null: the other side has ended */
  ask(prompt: string): Promise<string | null>;
  close(): void;
}

/**
 * Lines are read ahead and kept: a person who pastes several loses none.
 * @param terminal - whether the streams are a terminal, so that lines can be edited
 */
export function createAsker(input: Readable, output: Writable, terminal: boolean): Asker {
  const reader = createInterface({ input, output, terminal });
  const lines = reader[Symbol.asyncIterator]();
  let ended = false;
  reader.on('close', () => (ended = true));
  return {
    ask: async (prompt) => {
      // After the end there may still be lines that were read ahead.
      if (!ended) {
        reader.setPrompt(prompt);
        reader.prompt();
      }
      const next = await lines.next();
      return next.done === true ? null : next.value.trim();
    },
    close: () => reader.close(),
  };
}
