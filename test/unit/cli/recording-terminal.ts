import type { Terminal } from '../../../src/cli/terminal.ts';

/** A terminal that keeps what was printed. */
export interface RecordingTerminal extends Terminal {
  readonly outLines: string[];
  readonly errLines: string[];
}

/** Makes one, without colour unless asked for. */
export function recordingTerminal(colour = false): RecordingTerminal {
  const outLines: string[] = [];
  const errLines: string[] = [];
  return {
    colour,
    outLines,
    errLines,
    out: (line) => outLines.push(line),
    err: (line) => errLines.push(line),
  };
}
