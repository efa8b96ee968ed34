import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AttemptStore } from '../../../src/acme/attempt-store.ts';
import { afterFailure } from '../../../src/acme/attempts.ts';
import type { AttemptState } from '../../../src/acme/attempts.ts';
import type { PorticoError } from '../../../src/base/errors.ts';
import { MemoryStore } from '../../../src/store/memory-store.ts';

const NOW = Date.UTC(2026, 10, 28);
const DAY = 86_400_000;

function failedAt(at: number, before: AttemptState | null = null): AttemptState {
  const problem = { code: 'ACME_X', type: 'dns', message: 'no such name', fix: null, at, issuer: 'letsencrypt' };
  return afterFailure(before, { problem, retryAfterMs: null, paused: false }, at, null, () => 0.5);
}

async function open(store: MemoryStore): Promise<{ attempts: AttemptStore; problems: PorticoError[] }> {
  const problems: PorticoError[] = [];
  const attempts = new AttemptStore(store, (problem) => problems.push(problem));
  await attempts.load();
  return { attempts, problems };
}

async function lockedStore(): Promise<MemoryStore> {
  const store = new MemoryStore();
  await store.lock();
  return store;
}

describe('AttemptStore', () => {
  it('keeps the ladder over a restart', async () => {
    const store = await lockedStore();
    const { attempts } = await open(store);
    const state = failedAt(NOW, failedAt(NOW - DAY));
    await attempts.set('example.com', state);
    expect((await open(store)).attempts.get('example.com', NOW)).toEqual(state);
  });

  it('forgets on clear, in the store too', async () => {
    const store = await lockedStore();
    const { attempts } = await open(store);
    await attempts.set('example.com', failedAt(NOW));
    await attempts.clear('example.com');
    expect(attempts.get('example.com', NOW)).toBeNull();
    expect(await store.list('acme')).toEqual([]);
  });

  it('begins the wait anew, once, when the clock went back', async () => {
    const { attempts } = await open(await lockedStore());
    await attempts.set('example.com', failedAt(NOW));
    expect(attempts.get('example.com', NOW - DAY)?.lastAt).toBe(NOW - DAY);
    expect(attempts.get('example.com', NOW - DAY + 1000)?.lastAt).toBe(NOW - DAY);
  });

  it('prunes what is neither planned nor recent', async () => {
    const { attempts } = await open(await lockedStore());
    await attempts.set('planned', failedAt(NOW - 40 * DAY));
    await attempts.set('recent', failedAt(NOW - 20 * DAY));
    await attempts.set('old', failedAt(NOW - 40 * DAY));
    await attempts.prune(new Set(['planned']), NOW);
    expect(['planned', 'recent', 'old'].map((id) => attempts.get(id, NOW) !== null)).toEqual([true, true, false]);
  });

  it('counts in memory when the store cannot be written, and says so', async () => {
    const { attempts, problems } = await open(new MemoryStore());
    await attempts.set('example.com', failedAt(NOW));
    expect(attempts.get('example.com', NOW)?.failures).toBe(1);
    expect(problems.map(({ code }) => code)).toEqual(['ACME_STATE_UNWRITABLE']);
  });

  it('starts anew on a damaged file, whatever it holds', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.json()), async (text) => {
        const store = await lockedStore();
        await store.put('acme/attempts/example.com.json', text);
        const { attempts, problems } = await open(store);
        expect(attempts.get('example.com', NOW)).toBeNull();
        expect(problems.map(({ code }) => code)).toEqual(['ACME_STATE_UNREADABLE']);
      }),
    );
  });
});
