/**
 * A running app and the signals of its process: SIGHUP reloads, the first SIGTERM or SIGINT stops with a deadline, the
 * second ends at once, an uncaught error is logged and ends the process.
 */
import { codeOf } from '../base/errors.ts';
import type { Logger } from '../observability/logger.ts';

/** Where signals and uncaught errors arrive: `process`, or an emitter in tests. */
export interface SignalSource {
  on(event: string, listener: (value: string) => void): unknown;
  off(event: string, listener: (value: string) => void): unknown;
}

/** What is served, and what ends it. */
export interface Serving {
  /** Stops accepting, lets exchanges finish until the deadline, then resolves. */
  stop: () => Promise<void>;
  /**
   * Reads the config anew and swaps it in; a rejection leaves the old state serving. Null: there is nothing to reload, and
   * SIGHUP (the terminal was closed) stops.
   */
  reload: (() => Promise<void>) | null;
  logger: Logger;
  signals: SignalSource;
  /** Ends the process at once, with everything logged. */
  exit: (code: number) => void;
}

/**
 * Logs an uncaught error with its code and ends the process: after it nothing about the state is certain, and all that
 * lasts was written durably before. Returns a function that takes the handlers away again.
 */
export function endOnUncaught({ logger, signals, exit }: Pick<Serving, 'logger' | 'signals' | 'exit'>): () => void {
  const end = (error: unknown): void => {
    const code = codeOf(error);
    logger.fatal(
      { code: code === 'UNKNOWN' ? 'UNCAUGHT_ERROR' : code, err: error },
      'uncaught error: the process ends',
    );
    exit(1);
  };
  const events = ['uncaughtException', 'unhandledRejection'];
  for (const event of events) signals.on(event, end);
  return () => {
    for (const event of events) signals.off(event, end);
  };
}

/** Serves until a signal says otherwise; resolves to the exit code once everything is stopped. */
export function serveUntilSignal({ stop, reload, logger, signals, exit }: Serving): Promise<number> {
  return new Promise((resolve) => {
    let stopping = false;
    const onStop = (signal: string): void => {
      if (stopping) {
        logger.warn({ signal }, 'second signal: ending at once');
        exit(1);
        return;
      }
      stopping = true;
      logger.info({ signal }, 'stopping: no new connections, open exchanges may finish');
      stop().then(
        () => {
          logger.info('stopped');
          resolve(0);
        },
        (error: unknown) => {
          logger.error({ code: codeOf(error), err: error }, 'stopping failed');
          resolve(1);
        },
      );
    };
    signals.on('SIGTERM', onStop);
    signals.on('SIGINT', onStop);

    // One reload at a time; a signal that comes meanwhile means that the file has changed again.
    let reloading = false;
    let again = false;
    const onReload = async (work: () => Promise<void>): Promise<void> => {
      again = true;
      if (reloading) return;
      reloading = true;
      while (again && !stopping) {
        again = false;
        try {
          await work();
        } catch (error) {
          logger.error({ code: codeOf(error), err: error }, 'reload failed: the old state keeps serving');
        }
      }
      reloading = false;
    };
    signals.on('SIGHUP', reload === null ? onStop : () => void onReload(reload));
  });
}
