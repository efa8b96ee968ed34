import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PorticoError } from '../../../../src/base/errors.ts';
import { diagnose } from '../../../../src/delegation/doctor/diagnose.ts';
import type { Diagnosis } from '../../../../src/delegation/doctor/diagnose.ts';
import { findingCounts, nextDelay, SelfCheck } from '../../../../src/delegation/doctor/self-check.ts';
import type { SelfCheckListener, Subject } from '../../../../src/delegation/doctor/self-check.ts';
import { watch } from '../../../../src/cli/doctor/watch.ts';
import { recordingTerminal } from '../../cli/recording-terminal.ts';
import { HEALTHY, NOW } from './healthy.ts';

const good = diagnose(HEALTHY);
const bad = diagnose({ ...HEALTHY, exhausted: true });

function setUp(look: (subject: Subject, signal: AbortSignal) => Promise<Diagnosis>, subjects: Subject[]) {
  const listener = { looked: vi.fn<SelfCheckListener['looked']>(), failed: vi.fn<SelfCheckListener['failed']>() };
  const deps = { random: () => 0.5 } as never;
  const check = new SelfCheck({ subjects: () => subjects, deps, intervalMs: 3_600_000, listener, look });
  return { check, listener };
}

const A: Subject = { serverName: 'example.com', expected: null };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('SelfCheck', () => {
  it('looks after a minute, then every hour, and tells what is new', async () => {
    const look = vi.fn(() => Promise.resolve(good));
    const { check, listener } = setUp(look, [A]);
    check.start();
    await vi.advanceTimersByTimeAsync(59_000);
    expect(look).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(2000);
    expect(listener.looked).toHaveBeenLastCalledWith(good, [], null);
    look.mockResolvedValue(bad);
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(listener.looked).toHaveBeenLastCalledWith(
      bad,
      [expect.objectContaining({ kind: 'finding', what: 'not-everything-checked' })],
      good,
    );
    check.stop();
    await vi.advanceTimersByTimeAsync(10 * 3_600_000);
    expect(look).toHaveBeenCalledTimes(2);
  });

  it('stops in the middle: the look is ended and says nothing', async () => {
    const { check, listener } = setUp(
      (_, signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(bad))),
      [A, { ...A, serverName: 'b.example' }],
    );
    const round = check.round();
    check.stop();
    await round;
    expect(listener.looked).not.toHaveBeenCalled();
  });

  it('goes on with the next site and the next round when a look fails', async () => {
    const look = vi.fn((subject: Subject) =>
      subject.serverName === 'b.example'
        ? Promise.reject(new PorticoError('RESOLVE_NAME_INVALID', 'No.'))
        : Promise.resolve(good),
    );
    const { check, listener } = setUp(look, [{ ...A, serverName: 'b.example' }, A]);
    check.start();
    await vi.advanceTimersByTimeAsync(2 * 3_600_000);
    expect(listener.failed).toHaveBeenCalledWith('b.example', 'RESOLVE_NAME_INVALID', 'No.');
    expect(listener.looked).toHaveBeenCalledTimes(2);
    check.stop();
  });

  it('survives a round that cannot begin', async () => {
    const listener = { looked: vi.fn<SelfCheckListener['looked']>(), failed: vi.fn<SelfCheckListener['failed']>() };
    const subjects = () => {
      throw new Error('no config');
    };
    const check = new SelfCheck({ subjects, deps: { random: () => 0.5 } as never, intervalMs: 3_600_000, listener });
    check.start();
    await vi.advanceTimersByTimeAsync(2 * 3_600_000);
    expect(listener.failed.mock.calls).toEqual(Array.from({ length: 2 }, () => ['-', 'UNKNOWN', 'no config']));
    check.stop();
  });

  it('survives a defect of its own', async () => {
    const look = vi.fn(() => Promise.reject(new TypeError('defect')));
    const { check, listener } = setUp(look, [A]);
    check.start();
    await vi.advanceTimersByTimeAsync(2 * 3_600_000);
    expect(listener.failed).toHaveBeenCalledTimes(2);
    check.stop();
  });
});

describe('nextDelay', () => {
  it('lies within a fifth', () => {
    expect([0, 0.5, 0.999_999].map((luck) => nextDelay(1000, () => luck))).toEqual([800, 1000, 1200]);
  });
});

describe('findingCounts', () => {
  it('counts', () => {
    expect(findingCounts(bad)).toEqual({ error: 0, warning: 0, info: 1 });
  });
});

describe('watch', () => {
  it('prints what is new and what is gone, and survives a look that fails', async () => {
    const terminal = recordingTerminal();
    const looks = [() => Promise.resolve([bad]), () => Promise.reject(new Error('no')), () => Promise.resolve([good])];
    let round = 0;
    await watch([good], {
      examine: () => looks[round++]!(),
      wait: () => Promise.resolve(round < looks.length),
      clock: { now: () => NOW, monotonic: () => 0 },
      terminal,
    });
    expect(terminal.outLines).toEqual([
      '2026-12-01T12:00:00  example.com  new not-everything-checked: The look ended early, after 23 requests.',
      '2026-12-01T12:00:00  example.com  gone not-everything-checked: The look ended early, after 23 requests.',
    ]);
    expect(terminal.errLines).toEqual(['2026-12-01T12:00:00  UNKNOWN: no']);
  });
});
