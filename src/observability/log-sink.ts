/**
 * Where log lines leave the process: a file descriptor, written to from a thread so that a slow reader of standard output
 * never holds up the event loop (Node itself writes to pipes synchronously). One write is in flight at a time and takes
 * everything that has gathered. Memory is bounded: what does not fit is dropped, whole lines at a time, and counted.
 *
 * Not sonic-boom: its `flush` does nothing without a minimum length, and its `flushSync` never returns once the reader is
 * gone (4.2.1 sleeps and tries again on every error), which would keep a process from stopping.
 */
import { write, writeSync } from 'node:fs';
import { codeOf } from '../base/errors.ts';

/** What the logger and the access log write to. Nothing throws. */
export interface LogSink {
  /** Takes whole lines, each with its newline. */
  write(lines: string): void;
  /** Takes whole lines of nothing but ASCII; cheaper than `write`. */
  writeAscii(lines: string): void;
  /** Calls back when everything taken so far has been written or dropped. */
  flush(done: () => void): void;
  /** Writes what is left before it returns, at the end of the process; gives up on a stalled reader after a second. */
  flushSync(): void;
  /** Characters that wait for the reader. */
  pending(): number;
}

/** Options of {@link openLogSink}. */
export interface LogSinkOptions {
  /** Default 1, standard output. */
  readonly fd?: number;
  /** Most characters kept for a slow reader, default 16 Mi. */
  readonly maxPending?: number;
  /** Told how many lines were dropped, because the reader was too slow or is gone. */
  readonly onDropped?: (lines: number) => void;
}

const DEFAULT_MAX_PENDING = 16 * 1024 * 1024;
/** How long to leave a full pipe alone. */
const FULL_PIPE_PAUSE_MS = 50;
const FLUSH_SYNC_ATTEMPTS = 20;

/** Opens the sink; it stays usable when its reader goes away (lines are then dropped and counted). */
export function openLogSink(options: LogSinkOptions = {}): LogSink {
  const { fd = 1, maxPending = DEFAULT_MAX_PENDING, onDropped } = options;
  let waiting = '';
  /** Nothing but ASCII waits: its bytes need no encoder. */
  let ascii = true;
  let inFlight: Buffer | null = null;
  let inFlightLength = 0;
  let flushed: (() => void)[] = [];

  const drop = (lines: string): void => {
    onDropped?.(countLines(lines));
  };

  const finish = (): void => {
    inFlight = null;
    inFlightLength = 0;
    if (waiting !== '') {
      start();
      return;
    }
    const callbacks = flushed;
    flushed = [];
    for (const callback of callbacks) callback();
  };

  const attempt = (rest: Buffer): void => {
    write(fd, rest, (error, written) => {
      if (error === null) {
        if (written === rest.length) finish();
        else attempt(rest.subarray(written));
      } else if (isFullPipe(error)) {
        setTimeout(attempt, FULL_PIPE_PAUSE_MS, rest);
      } else {
        // The reader is gone. That must not end the proxy, and there is nobody to tell but the counter.
        drop(rest.toString());
        finish();
      }
    });
  };

  const start = (): void => {
    inFlight = Buffer.from(waiting, ascii ? 'latin1' : 'utf8');
    inFlightLength = waiting.length;
    waiting = '';
    ascii = true;
    attempt(inFlight);
  };

  const take = (lines: string, isAscii: boolean): void => {
    if (waiting.length + inFlightLength + lines.length > maxPending) {
      drop(lines);
      return;
    }
    waiting += lines;
    ascii &&= isAscii;
    if (inFlight === null) start();
  };

  return {
    write: (lines) => {
      take(lines, false);
    },
    writeAscii: (lines) => {
      take(lines, true);
    },
    flush: (done) => {
      if (inFlight === null) done();
      else flushed.push(done);
    },
    flushSync: () => {
      // What is in flight is the thread's: the process waits for it at its end.
      const rest = writeAll(fd, Buffer.from(waiting));
      waiting = '';
      ascii = true;
      if (rest.length > 0) drop(rest.toString());
    },
    pending: () => waiting.length + inFlightLength,
  };
}

/** Writes synchronously. @returns what could not be written */
function writeAll(fd: number, bytes: Buffer): Buffer {
  let rest = bytes;
  for (let attempts = 0; rest.length > 0 && attempts < FLUSH_SYNC_ATTEMPTS;) {
    try {
      rest = rest.subarray(writeSync(fd, rest));
    } catch (error) {
      if (!isFullPipe(error)) break;
      attempts++;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FULL_PIPE_PAUSE_MS);
    }
  }
  return rest;
}

function isFullPipe(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'EAGAIN' || code === 'EBUSY';
}

function countLines(text: string): number {
  let lines = 0;
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lines++;
  return lines;
}
