/**
 * Starts the real app in this process, from YAML text through the real loader: three listeners on free ports of 127.0.0.1,
 * certificates of a local CA in a temporary store, metrics on a free port.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { ChallengeBoard } from '../../src/acme/challenges/board.ts';
import { createApp } from '../../src/app.ts';
import type { App } from '../../src/app.ts';
import { loadConfigText } from '../../src/config/load.ts';
import type { Config } from '../../src/config/index.ts';
import { createLogger } from '../../src/observability/logger.ts';
import type { WatchSetting } from '../../src/site-watch.ts';

/** A site as it stands in the config. */
export interface SiteInput {
  server_name: string;
  homeserver: Record<string, unknown>;
  [key: string]: unknown;
}

/** The config before it becomes YAML; a test changes what it is about. */
export interface ConfigInput {
  listeners: Record<string, unknown>[];
  /** `example.test` (with `matrix.example.test`), `other.test`, `one.wild.test` and `two.wild.test` (one wildcard certificate). */
  sites: [SiteInput, SiteInput, SiteInput, SiteInput];
  certificates: Record<string, unknown>[];
  limits: Record<string, unknown>;
  [key: string]: unknown;
}

/** What to start. */
export interface PorticoOptions {
  /** URL of the homeserver of every site. */
  readonly homeserver: string;
  /** Changes the config before it is written as YAML. */
  readonly configure?: (config: ConfigInput) => void;
  readonly env?: Record<string, string>;
  /** Where the test pins up ACME challenges. */
  readonly challenges?: ChallengeBoard;
  /** How the self-check looks; it is off unless `configure` turns it on. */
  readonly watch?: WatchSetting;
}

/** One listener as a client dials it. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** One line of the access log. */
export type AccessLine = Record<string, unknown>;

/** A running Portico. */
export interface Portico {
  readonly app: App;
  readonly https: Endpoint;
  readonly federation: Endpoint;
  readonly http: Endpoint;
  /** PEM of the local CA. */
  readonly ca: string;
  /** The store's directory, removed on close. */
  readonly storePath: string;
  /** The text of /metrics. */
  metrics(): Promise<string>;
  /** One sample of /metrics by name and parts of its labels (`role="https"`); undefined when there is none. */
  metric(name: string, ...labels: string[]): Promise<number | undefined>;
  /** Base URL of the metrics listener. */
  readonly metricsUrl: string;
  /** Access log so far; lines are written in batches, so poll. */
  readonly accessLog: readonly AccessLine[];
  /** Log lines so far (JSON text). */
  readonly log: readonly string[];
  /** Moves the app's clock forward, so that long limits can be met without waiting; time goes on from there. */
  advance(ms: number): void;
  /** Loads a changed config into the running app. */
  reload(configure: (config: ConfigInput) => void): Promise<void>;
  close(): Promise<void>;
}

/** The config every test starts from. */
export function baseConfig(homeserver: string, storePath: string): ConfigInput {
  const site = (serverName: string, rest: Record<string, unknown> = {}): SiteInput => ({
    server_name: serverName,
    homeserver: { url: homeserver },
    ...rest,
  });
  return {
    listeners: [
      { address: '127.0.0.1:0', role: 'https' },
      { address: '127.0.0.1:0', role: 'federation' },
      { address: '127.0.0.1:0', role: 'http' },
    ],
    sites: [
      site('example.test', { hosts: ['matrix.example.test'] }),
      site('other.test'),
      site('one.wild.test'),
      site('two.wild.test'),
    ],
    certificates: [
      { names: ['example.test', 'matrix.example.test'], local_ca: true },
      { names: ['other.test'], local_ca: true },
      { names: ['*.wild.test'], local_ca: true },
    ],
    store: { path: storePath },
    log: { level: 'info', access: true },
    metrics: { listen: '127.0.0.1:0' },
    // Only tests that are about it have names that can be looked up.
    doctor: { self_check: false },
    limits: {},
  };
}

function linesOf(sink: string[]): { write(text: string): boolean } {
  let rest = '';
  return {
    write: (text) => {
      const parts = (rest + text).split('\n');
      rest = parts.pop() ?? '';
      sink.push(...parts.filter((line) => line !== ''));
      return true;
    },
  };
}

/** Starts it; `close` stops it and removes the store. */
export async function startPortico(options: PorticoOptions): Promise<Portico> {
  const storePath = await mkdtemp(join(tmpdir(), 'portico-test-'));
  const load = async (configure: (config: ConfigInput) => void): Promise<Config> => {
    const input = baseConfig(options.homeserver, storePath);
    options.configure?.(input);
    configure(input);
    const file = join(storePath, 'portico.yaml');
    const result = await loadConfigText(stringify(input), { file, env: options.env ?? {} });
    if (!result.ok) throw new Error(`the test's config is refused: ${JSON.stringify(result.problems, null, 2)}`);
    return result.config;
  };
  let skew = 0;
  const log: string[] = [];
  const accessText: string[] = [];
  const accessLog: AccessLine[] = [];
  const accessSink = linesOf(accessText);
  try {
    const app = createApp({
      config: await load(() => undefined),
      clock: { now: () => Date.now() + skew, monotonic: () => performance.now() + skew },
      logger: createLogger({ level: 'info', destination: linesOf(log) }),
      ...(options.challenges === undefined ? {} : { challenges: options.challenges }),
      ...(options.watch === undefined ? {} : { watch: options.watch }),
      accessLogStream: {
        write: (text: string) => {
          accessSink.write(text);
          for (const line of accessText.splice(0)) accessLog.push(JSON.parse(line) as AccessLine);
          return true;
        },
      },
    });
    await app.start();
    const endpoint = (role: string): Endpoint => {
      const address = app.addresses().find((entry) => entry.role === role);
      if (address === undefined) return { host: '127.0.0.1', port: 0 };
      return { host: address.host, port: address.port };
    };
    const metricsAddress = app.metricsAddress();
    const metricsUrl = metricsAddress === null ? '' : `http://${metricsAddress.host}:${String(metricsAddress.port)}`;
    const metrics = async (): Promise<string> => (await fetch(`${metricsUrl}/metrics`)).text();
    return {
      app,
      https: endpoint('https'),
      federation: endpoint('federation'),
      http: endpoint('http'),
      ca: app.localCaPem() ?? '',
      storePath,
      metricsUrl,
      metrics,
      metric: async (name, ...labels) => {
        const lines = (await metrics()).split('\n');
        const line = lines.find(
          (one) => /^\w+/.exec(one)?.[0] === name && labels.every((label) => one.includes(label)),
        );
        return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ') + 1));
      },
      accessLog,
      log,
      advance: (ms) => {
        skew += ms;
      },
      reload: async (configure) => {
        await app.reload(await load(configure));
      },
      close: async () => {
        await app.stop(0);
        await rm(storePath, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await rm(storePath, { recursive: true, force: true });
    throw error;
  }
}
