/**
 * The data plane: listeners, connections and the state they start with. It is given snapshots and never waits for whoever
 * makes them.
 */
import type { Clock } from '../base/clock.ts';
import type { AccessLogger } from '../observability/access-log.ts';
import type { Metrics } from '../observability/metrics.ts';
import type { ChallengeResponder } from '../tls/challenge-responder.ts';
import { SecureContexts } from '../tls/contexts.ts';
import type { ClientConnection } from './client-connection.ts';
import { FilesServers } from './files-servers.ts';

import type { ListenerHost } from './listener.ts';
import { Listeners, type BoundListener } from './listeners.ts';
import { Counters, createPlaneState, type PlaneState, type SharedParts } from './plane-state.ts';
import type { AnswerCanary } from './router.ts';
import type { Snapshot, UpstreamData } from './snapshot.ts';
import { ReadBuffers } from './read-buffers.ts';
import { GatheringTurn } from './turn.ts';
import { UpstreamPools } from './upstream/pools.ts';

/** How often deadlines are looked at (ms): the grain of every time-out. */
const CHECK_MS = 100;
/** How often idle upstream connections are looked at, in checks. */
const SWEEP_EVERY = 20;

/** What the data plane is given. */
export interface DataPlaneOptions {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly accessLog: Pick<AccessLogger, 'record'>;
  /** Knows the ACME challenges under way; left out: there are none. */
  readonly challenges?: ChallengeResponder;
  /** Answers URI canaries; left out: there are none. */
  readonly canary?: AnswerCanary;
  /** Starts every request id, so that ids of several processes differ. */
  readonly requestIdPrefix: string;
  /** An error that should not exist; logged. */
  readonly onDefect: (error: unknown) => void;
  /** A connection to an upstream could not be made. */
  readonly onUpstreamProblem: (upstreamId: string, error: Error) => void;
}

/** Accepts, decrypts, relays. */
export class DataPlane implements ListenerHost {
  readonly #options: DataPlaneOptions;
  readonly #shared: SharedParts;
  readonly #files: FilesServers;
  readonly #connections = new Set<ClientConnection>();
  readonly #listeners: Listeners;
  #state: PlaneState;
  #timer: NodeJS.Timeout | null = null;
  #checks = 0;
  #draining = false;
  #onDrained: (() => void) | null = null;

  /** Builds the state of the first snapshot; nothing listens before `start`. */
  static async create(options: DataPlaneOptions, snapshot: Snapshot): Promise<DataPlane> {
    const files = new FilesServers();
    return new DataPlane(options, snapshot, files, await files.use(snapshot));
  }

  private constructor(
    options: DataPlaneOptions,
    snapshot: Snapshot,
    files: FilesServers,
    filesUpstreams: ReadonlyMap<string, UpstreamData>,
  ) {
    this.#options = options;
    this.#files = files;
    let requests = 0;
    let dateSecond = 0;
    let date = '';
    const turn = new GatheringTurn();
    const buffers = new ReadBuffers();
    this.#shared = {
      clock: options.clock,
      turn,
      buffers,
      metrics: options.metrics,
      accessLog: options.accessLog,
      contexts: new SecureContexts(),
      pools: new UpstreamPools({
        clock: options.clock,
        means: { turn, buffers },
        onEvent: (upstreamId, event) => {
          options.metrics.upstreamConnection(upstreamId, event);
        },
        onWait: () => {
          options.metrics.upstreamWaitStarted();
        },
        onWaitOver: (waitedMs) => {
          options.metrics.upstreamWaitFinished(waitedMs);
        },
      }),
      counters: new Counters(),
      challenges: options.challenges ?? null,
      canary: options.canary ?? null,
      nextRequestId: () => `${options.requestIdPrefix}-${(++requests).toString(36)}`,
      httpDate: () => {
        const second = Math.floor(options.clock.now() / 1000);
        if (second !== dateSecond) {
          dateSecond = second;
          date = new Date(second * 1000).toUTCString();
        }
        return date;
      },
      defect: options.onDefect,
      upstreamProblem: options.onUpstreamProblem,
      isDraining: () => this.#draining,
    };
    this.#state = createPlaneState(snapshot, this.#shared, filesUpstreams);
    this.#listeners = new Listeners(this);
  }

  get state(): PlaneState {
    return this.#state;
  }

  track(connection: ClientConnection): void {
    this.#connections.add(connection);
    if (this.#draining) connection.drain();
  }

  untrack(connection: ClientConnection): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#onDrained?.();
  }

  /**
   * Opens the listeners of the first snapshot.
   * @throws PorticoError as `Listener.listen`; nothing stays open then
   */
  async start(): Promise<void> {
    await this.#listeners.use(this.#state.snapshot.listeners);
    this.#timer = setInterval(() => {
      this.#check();
    }, CHECK_MS);
  }

  addresses(): BoundListener[] {
    return this.#listeners.addresses();
  }

  /**
   * Takes a snapshot: new connections start with it, open ones keep theirs. Listeners that both have stay open.
   * @param retire - open connections end after their next response, because what they started with no longer holds
   * @throws PorticoError when a new address cannot be listened on; then nothing has changed
   */
  async swap(snapshot: Snapshot, retire: boolean): Promise<void> {
    const previous = this.#state;
    const filesUpstreams = await this.#files.use(snapshot);
    if (this.#draining) return;
    this.#state = createPlaneState(snapshot, this.#shared, filesUpstreams);
    try {
      await this.#listeners.use(snapshot.listeners);
    } catch (error) {
      // Its pools were let go above; a state made anew has them again.
      this.#state = createPlaneState(previous.snapshot, this.#shared, await this.#files.use(previous.snapshot));
      throw error;
    }
    // The process may have been told to stop meanwhile.
    if (this.#isStopping()) this.#listeners.close();
    if (retire) previous.retire();
    this.#options.metrics.snapshotSwapped(snapshot.version, this.#options.clock.now());
  }

  /** Accepts no more, lets exchanges finish until the deadline, then ends what is left. */
  async stop(deadlineMs: number): Promise<void> {
    this.#draining = true;
    this.#listeners.close();
    const drained = new Promise<void>((resolve) => {
      this.#onDrained = resolve;
    });
    for (const connection of this.#connections) connection.drain();
    if (this.#connections.size > 0) {
      let timer: NodeJS.Timeout | undefined;
      const deadline = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, deadlineMs);
      });
      await Promise.race([drained, deadline]);
      clearTimeout(timer);
    }
    for (const connection of this.#connections) connection.destroy();
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#shared.pools.close();
    await this.#files.close();
  }

  /** Read anew after an await, across which the compiler takes a field for unchanged. */
  #isStopping(): boolean {
    return this.#draining;
  }

  #check(): void {
    const now = this.#options.clock.monotonic();
    for (const connection of this.#connections) connection.check(now);
    this.#listeners.check(now);
    if (++this.#checks % SWEEP_EVERY === 0) this.#shared.pools.sweep();
  }
}
