/**
 * A running app and the signals of its process: SIGHUP reloads, the first SIGTERM or SIGINT stops with a deadline, the
 * second ends at once, an uncaught error is logged and ends the process.
 */
import { codeOf, PorticoError } from '../base/errors.ts';
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

/** A serving under way, for whoever else may steer it. */
export interface ServingControl {
  /** As the first SIGTERM; once it is stopping, nothing more. */
  stop(reason: string): void;
  /**
   * As SIGHUP, and tells how it went: resolves when a config that was read after the call is in place.
   * @throws PorticoError `RELOAD_STOPPING`, and what the reload throws; the old state keeps serving then
   */
  reload(): Promise<void>;
  readonly stopping: boolean;
  /** Resolves to the exit code once everything is stopped. */
  readonly ended: Promise<number>;
}

/** Serves until a signal says otherwise; resolves to the exit code once everything is stopped. */
export function serveUntilSignal(serving: Serving): Promise<number> {
  return beginServing(serving).ended;
}

/** Listens for the signals from now on. */
export function beginServing({ stop, reload, logger, signals, exit }: Serving): ServingControl {
  const ended = Promise.withResolvers<number>();
  let stopping = false;
  const begin = (reason: string): void => {
    stopping = true;
    logger.info({ signal: reason }, 'stopping: no new connections, open exchanges may finish');
    stop().then(
      () => {
        logger.info('stopped');
        ended.resolve(0);
      },
      (error: unknown) => {
        logger.error({ code: codeOf(error), err: error }, 'stopping failed');
        ended.resolve(1);
      },
    );
  };
  const onStop = (signal: string): void => {
    if (!stopping) {
      begin(signal);
      return;
    }
    logger.warn({ signal }, 'second signal: ending at once');
    exit(1);
  };
  signals.on('SIGTERM', onStop);
  signals.on('SIGINT', onStop);

  // One reload at a time; whoever comes meanwhile (the file has changed again) shares the next.
  let running: Promise<void> | null = null;
  let next: Promise<void> | null = null;
  const start = (work: () => Promise<void>): Promise<void> => {
    const attempt = work().catch((error: unknown) => {
      logger.error({ code: codeOf(error), err: error }, 'reload failed: the old state keeps serving');
      throw error;
    });
    running = attempt;
    const over = (): void => {
      running = null;
    };
    attempt.then(over, over);
    return attempt;
  };
  const reloadSoon = async (): Promise<void> => {
    if (reload === null || stopping) throw tooLate();
    if (running === null) return start(reload);
    next ??= running
      .catch(() => undefined)
      .then(() => {
        next = null;
        if (stopping) throw tooLate();
        return start(reload);
      });
    return next;
  };
  signals.on(
    'SIGHUP',
    reload === null
      ? onStop
      : () => {
          // Its failure is in the log.
          reloadSoon().catch(() => undefined);
        },
  );
  return {
    stop: (reason) => {
      if (!stopping) begin(reason);
    },
    reload: reloadSoon,
    get stopping() {
      return stopping;
    },
    ended: ended.promise,
  };
}

function tooLate(): PorticoError {
  return new PorticoError('RELOAD_STOPPING', 'Portico is about to end and takes no other config.', {
    fix: 'Start it again.',
  });
}
