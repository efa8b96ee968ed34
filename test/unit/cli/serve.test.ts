import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { PorticoError } from '../../../src/base/errors.ts';
import { beginServing, endOnUncaught, serveUntilSignal } from '../../../src/cli/serve.ts';
import { createLogger } from '../../../src/observability/logger.ts';

/** A serving whose stop and reload are finished by hand. */
function stage(options: { reload?: () => Promise<void>; stop?: () => Promise<void> } = {}) {
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger({ level: 'info', destination: { write: (line) => lines.push(JSON.parse(line)) } });
  const signals = new EventEmitter();
  const exits: number[] = [];
  const serving = {
    stop: options.stop ?? (() => Promise.resolve()),
    reload: options.reload ?? null,
    logger,
    signals,
    exit: (code: number) => void exits.push(code),
  };
  return { lines, signals, exits, serving };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('serveUntilSignal', () => {
  it.for(['SIGTERM', 'SIGINT'])('%s stops and gives exit code 0', async (signal) => {
    const { signals, serving, exits, lines } = stage();
    const code = serveUntilSignal(serving);
    signals.emit(signal, signal);
    expect(await code).toBe(0);
    expect(exits).toEqual([]);
    expect(lines.map((line) => line.msg)).toEqual([expect.stringMatching(/^stopping/), 'stopped']);
  });

  it('a second signal ends at once, while the first still drains', async () => {
    const stop = Promise.withResolvers<undefined>();
    const { signals, serving, exits } = stage({ stop: () => stop.promise });
    const code = serveUntilSignal(serving);
    signals.emit('SIGTERM', 'SIGTERM');
    expect(exits).toEqual([]);
    signals.emit('SIGINT', 'SIGINT');
    expect(exits).toEqual([1]);
    stop.resolve(undefined);
    expect(await code).toBe(0);
  });

  it('a stop that fails is logged with its code and gives exit code 1', async () => {
    const { signals, serving, lines } = stage({ stop: () => Promise.reject(new PorticoError('STORE_LOCKED', 'no')) });
    const code = serveUntilSignal(serving);
    signals.emit('SIGTERM', 'SIGTERM');
    expect(await code).toBe(1);
    expect(lines.at(-1)).toMatchObject({ level: 50, code: 'STORE_LOCKED' });
  });

  it('SIGHUP reloads one at a time, and once more when it came meanwhile', async () => {
    const reloads: PromiseWithResolvers<undefined>[] = [];
    const reload = async () => {
      const work = Promise.withResolvers<undefined>();
      reloads.push(work);
      await work.promise;
    };
    const { signals, serving } = stage({ reload });
    const code = serveUntilSignal(serving);
    signals.emit('SIGHUP', 'SIGHUP');
    signals.emit('SIGHUP', 'SIGHUP');
    signals.emit('SIGHUP', 'SIGHUP');
    expect(reloads).toHaveLength(1);
    reloads[0]!.resolve(undefined);
    await settled();
    expect(reloads).toHaveLength(2);
    reloads[1]!.resolve(undefined);
    await settled();
    expect(reloads).toHaveLength(2);
    signals.emit('SIGTERM', 'SIGTERM');
    expect(await code).toBe(0);
  });

  it('a reload that fails is logged, and the next one is still done', async () => {
    let fail = true;
    let reloads = 0;
    const reload = () => {
      reloads++;
      return fail ? Promise.reject(new PorticoError('CONFIG_INVALID', 'no')) : Promise.resolve();
    };
    const { signals, serving, lines } = stage({ reload });
    void serveUntilSignal(serving);
    signals.emit('SIGHUP', 'SIGHUP');
    await settled();
    expect(lines.at(-1)).toMatchObject({ level: 50, code: 'CONFIG_INVALID' });
    fail = false;
    signals.emit('SIGHUP', 'SIGHUP');
    await settled();
    expect(reloads).toBe(2);
    expect(lines).toHaveLength(1);
  });

  it('SIGHUP stops where there is nothing to reload', async () => {
    const { signals, serving } = stage();
    const code = serveUntilSignal(serving);
    signals.emit('SIGHUP', 'SIGHUP');
    expect(await code).toBe(0);
  });
});

describe('beginServing', () => {
  it('stop is as SIGTERM, and a second one does not end at once', async () => {
    const { serving, exits, lines } = stage();
    const control = beginServing(serving);
    expect(control.stopping).toBe(false);
    control.stop('drain');
    control.stop('drain');
    expect(control.stopping).toBe(true);
    expect(await control.ended).toBe(0);
    expect(exits).toEqual([]);
    expect(lines[0]).toMatchObject({ signal: 'drain' });
  });

  it('reload tells how it went, to each who asked', async () => {
    const works: PromiseWithResolvers<undefined>[] = [];
    const { serving, signals } = stage({
      reload: async () => {
        const work = Promise.withResolvers<undefined>();
        works.push(work);
        await work.promise;
      },
    });
    const control = beginServing(serving);
    signals.emit('SIGHUP', 'SIGHUP');
    // The config may have been read before these were asked: they get the next reading, together.
    const first = control.reload();
    const second = control.reload();
    works[0]!.reject(new PorticoError('CONFIG_INVALID', 'no'));
    await settled();
    expect(works).toHaveLength(2);
    works[1]!.resolve(undefined);
    await expect(Promise.all([first, second])).resolves.toEqual([undefined, undefined]);
    const third = control.reload();
    works[2]!.reject(new PorticoError('LISTEN_FAILED', 'no'));
    await expect(third).rejects.toMatchObject({ code: 'LISTEN_FAILED' });
  });

  it('reload is refused while it stops, and where there is nothing to reload', async () => {
    const stopping = beginServing(stage({ reload: () => Promise.resolve() }).serving);
    stopping.stop('drain');
    await expect(stopping.reload()).rejects.toMatchObject({ code: 'RELOAD_STOPPING' });
    await expect(beginServing(stage().serving).reload()).rejects.toMatchObject({ code: 'RELOAD_STOPPING' });
  });
});

describe('endOnUncaught', () => {
  it.for([
    ['uncaughtException', new PorticoError('STORE_UNREADABLE', 'x'), 'STORE_UNREADABLE'],
    ['unhandledRejection', new TypeError('x'), 'UNCAUGHT_ERROR'],
    ['unhandledRejection', 'a string', 'UNCAUGHT_ERROR'],
  ] as const)('%s is logged with a code and ends the process', ([event, error, code]) => {
    const { serving, signals, exits, lines } = stage();
    endOnUncaught(serving);
    signals.emit(event, error);
    expect(exits).toEqual([1]);
    expect(lines).toEqual([expect.objectContaining({ level: 60, code })]);
  });

  it('takes its handlers away', () => {
    const { serving, signals } = stage();
    endOnUncaught(serving)();
    expect(signals.eventNames()).toEqual([]);
  });
});
