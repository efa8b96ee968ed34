/**
 * The data plane: listeners, connections and the state they start with. It is given snapshots and never waits for whoever
 * makes them.
 */
import type { Clock } from '../base/clock.ts';
import type { AccessLogger } from '../observability/access-log.ts';
import type { Metrics } from '../observability/metrics.ts';
import { SecureContexts } from '../tls/contexts.ts';
import { FilesServers } from './files-servers.ts';
import type { Http1Connection } from './http1/connection.ts';
import { Listener, type ListenerHost } from './listener.ts';
import { Counters, createPlaneState, type PlaneState, type SharedParts } from './plane-state.ts';
import type { ListenerData, ListenerRole, Snapshot, UpstreamData } from './snapshot.ts';
import { UpstreamPools } from './upstream/pools.ts';

/** How often deadlines are looked at (ms): the grain of every time-out. */
const CHECK_MS = 100;
/** How often idle upstream connections are looked at, in checks. */
const SWEEP_EVERY = 20;

/** What the data plane is given. */
export interface DataPlaneOptions {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly accessLog: AccessLogger;
  /** Starts every request id, so that ids of several processes differ. */
  readonly requestIdPrefix: string;
  /** An error that should not exist; logged. */
  readonly onDefect: (error: unknown) => void;
  /** A connection to an upstream could not be made. */
  readonly onUpstreamProblem: (upstreamId: string, error: Error) => void;
}

/** Where a listener really listens. */
export interface BoundListener {
  readonly role: ListenerRole;
  readonly host: string;
  readonly port: number;
}

/** Accepts, decrypts, relays. */
export class DataPlane implements ListenerHost {
  readonly #options: DataPlaneOptions;
  readonly #shared: SharedParts;
  readonly #files: FilesServers;
  readonly #connections = new Set<Http1Connection>();
  #listeners = new Map<string, Listener>();
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
    this.#shared = {
      clock: options.clock,
      metrics: options.metrics,
      accessLog: options.accessLog,
      contexts: new SecureContexts(),
      pools: new UpstreamPools({
        clock: options.clock,
        onEvent: (upstreamId, event) => {
          options.metrics.upstreamConnection(upstreamId, event);
        },
      }),
      counters: new Counters(),
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
  }

  get state(): PlaneState {
    return this.#state;
  }

  track(connection: Http1Connection): void {
    this.#connections.add(connection);
    if (this.#draining) connection.drain();
  }

  untrack(connection: Http1Connection): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#onDrained?.();
  }

  /**
   * Opens the listeners of the first snapshot.
   * @throws PorticoError as `Listener.listen`; what was opened is closed again
   */
  async start(): Promise<void> {
    try {
      this.#listeners = await this.#open(this.#state.snapshot.listeners);
    } catch (error) {
      for (const listener of this.#listeners.values()) listener.close();
      throw error;
    }
    this.#timer = setInterval(() => {
      this.#check();
    }, CHECK_MS);
  }

  addresses(): BoundListener[] {
    return [...this.#listeners.values()].map((listener) => ({ role: listener.data.role, ...listener.address() }));
  }

  /**
   * Takes a snapshot: new connections start with it, open ones keep theirs. Listeners that both have stay open.
   * @throws PorticoError when a new address cannot be listened on; then nothing has changed
   */
  async swap(snapshot: Snapshot): Promise<void> {
    const before = this.#listeners;
    const previous = this.#state;
    this.#state = createPlaneState(snapshot, this.#shared, await this.#files.use(snapshot));
    try {
      this.#listeners = await this.#open(snapshot.listeners);
    } catch (error) {
      this.#state = createPlaneState(previous.snapshot, this.#shared, await this.#files.use(previous.snapshot));
      throw error;
    }
    for (const listener of this.#listeners.values()) listener.refresh();
    for (const [key, listener] of before) if (!this.#listeners.has(key)) listener.close();
    this.#options.metrics.snapshotSwapped(snapshot.version, this.#options.clock.now());
  }

  /** Accepts no more, lets exchanges finish until the deadline, then ends what is left. */
  async stop(deadlineMs: number): Promise<void> {
    this.#draining = true;
    for (const listener of this.#listeners.values()) listener.close();
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

  /** Opens what is missing; on failure nothing that was opened here stays open. */
  async #open(wanted: readonly ListenerData[]): Promise<Map<string, Listener>> {
    const listeners = new Map<string, Listener>();
    const opened: Listener[] = [];
    try {
      for (const [position, data] of wanted.entries()) {
        // Port 0 is another port each time: its place in the list tells which is which.
        const key = JSON.stringify([data, data.port === 0 ? position : 0]);
        const existing = this.#listeners.get(key);
        const listener = existing ?? new Listener(data, this);
        if (existing === undefined) {
          opened.push(listener);
          await listener.listen();
          listener.refresh();
        }
        listeners.set(key, listener);
      }
      return listeners;
    } catch (error) {
      for (const listener of opened) listener.close();
      throw error;
    }
  }

  #check(): void {
    const now = this.#options.clock.monotonic();
    for (const connection of this.#connections) connection.check(now);
    for (const listener of this.#listeners.values()) listener.check(now);
    if (++this.#checks % SWEEP_EVERY === 0) this.#shared.pools.sweep();
  }
}
