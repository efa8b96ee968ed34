/**
 * Where the states of attempts live over restarts: `acme/attempts/<id>.json`, one value for each certificate. What cannot be
 * written still counts in memory; what cannot be read starts anew, since a damaged note must not stop renewals.
 */
import { z } from 'zod';
import { messageOf, PorticoError } from '../base/errors.ts';
import type { Store } from '../store/store.ts';
import type { AttemptState } from './attempts.ts';

const FOLDER = 'acme/attempts';
const FORGET_AFTER_MS = 30 * 24 * 60 * 60 * 1000;

const stored = z.object({
  version: z.literal(1),
  failures: z.int().min(1),
  last_at: z.number(),
  wait_ms: z.number().min(0),
  paused: z.boolean(),
  problem: z.object({
    code: z.string(),
    type: z.string().nullable(),
    message: z.string(),
    fix: z.string().nullable(),
    at: z.number(),
    issuer: z.string().nullable(),
  }),
});

/** The states of all certificates. Only one process writes, so memory is the truth and the store its copy. */
export class AttemptStore {
  readonly #store: Store;
  readonly #onProblem: (problem: PorticoError) => void;
  readonly #states = new Map<string, AttemptState>();

  /** @param onProblem - hears of what could not be read or written; must not throw */
  constructor(store: Store, onProblem: (problem: PorticoError) => void) {
    this.#store = store;
    this.#onProblem = onProblem;
  }

  /** Reads all states. Never rejects. */
  async load(): Promise<void> {
    for (const key of await this.#list()) {
      const id = idOf(key);
      if (id === null) continue;
      const state = await this.#read(key);
      if (state !== null) this.#states.set(id, state);
    }
  }

  /**
   * Null: nothing failed since the last success. When the clock went back behind the last failure, its wait begins anew now:
   * otherwise it would begin anew at every look.
   * @param now - milliseconds since the epoch
   */
  get(id: string, now: number): AttemptState | null {
    const state = this.#states.get(id) ?? null;
    if (state === null || state.lastAt <= now) return state;
    const anchored = { ...state, lastAt: now };
    this.#states.set(id, anchored);
    return anchored;
  }

  /** Counts in memory at once, and resolves when the store has it or has been found unwritable. Never rejects. */
  async set(id: string, state: AttemptState): Promise<void> {
    this.#states.set(id, state);
    await this.#try(() => this.#store.put(keyOf(id), encode(state)), id);
  }

  /** Forgets the failures: after a success, and when a person wants it tried again. Never rejects. */
  async clear(id: string): Promise<void> {
    if (!this.#states.delete(id)) return;
    await this.#try(() => this.#store.delete(keyOf(id)), id);
  }

  /** Forgets what is no longer planned and long past, so that a name that comes back soon finds its ladder. Never rejects. */
  async prune(planned: ReadonlySet<string>, now: number): Promise<void> {
    for (const [id, state] of [...this.#states]) {
      if (!planned.has(id) && now - state.lastAt > FORGET_AFTER_MS) await this.clear(id);
    }
  }

  async #list(): Promise<string[]> {
    try {
      return await this.#store.list(FOLDER);
    } catch (cause) {
      this.#report(cause, 'Earlier attempts');
      return [];
    }
  }

  async #read(key: string): Promise<AttemptState | null> {
    try {
      const text = await this.#store.get(key);
      return text === null ? null : decode(text.toString('utf8'));
    } catch (cause) {
      this.#report(cause, `The earlier attempts in ${key}`);
      return null;
    }
  }

  async #try(write: () => Promise<void>, id: string): Promise<void> {
    try {
      await write();
    } catch (cause) {
      this.#onProblem(
        new PorticoError(
          'ACME_STATE_UNWRITABLE',
          `What became of the attempts for ${id} cannot be stored: ${messageOf(cause)}`,
          { fix: 'Check free space and permissions of store.path; until then a restart forgets it.', cause },
        ),
      );
    }
  }

  #report(cause: unknown, what: string): void {
    this.#onProblem(
      new PorticoError('ACME_STATE_UNREADABLE', `${what} cannot be read and count as forgotten: ${messageOf(cause)}`, {
        fix: 'Nothing needs to be done unless it happens again; then check the disk of store.path.',
        cause,
      }),
    );
  }
}

function keyOf(id: string): string {
  return `${FOLDER}/${id}.json`;
}

function idOf(key: string): string | null {
  const name = key.slice(FOLDER.length + 1);
  return name.endsWith('.json') && !name.includes('/') ? name.slice(0, -'.json'.length) : null;
}

function encode(state: AttemptState): string {
  const value: z.input<typeof stored> = {
    version: 1,
    failures: state.failures,
    last_at: state.lastAt,
    wait_ms: state.waitMs,
    paused: state.paused,
    problem: state.problem,
  };
  return `${JSON.stringify(value, null, 2)}\n`;
}

function decode(text: string): AttemptState {
  const { failures, last_at: lastAt, wait_ms: waitMs, paused, problem } = stored.parse(JSON.parse(text));
  return { failures, lastAt, waitMs, paused, problem };
}
