/**
 * The composition root: a config becomes wired parts that start, reload and stop. The only file that knows everyone.
 */
import { randomBytes } from 'node:crypto';
import type { CertificateProblem, CertificateRow, RenewReport, RolloverReport, StatusReport } from './admin/api.ts';
import { AcmeService } from './acme-service.ts';
import { ChallengeBoard } from './acme/challenges/board.ts';
import { coversName, type CertificateData } from './base/certificate.ts';
import { systemClock, type Clock } from './base/clock.ts';
import { PorticoError, codeOf } from './base/errors.ts';
import { readCaFile } from './ca-file.ts';
import { certificateRow, problemRow } from './certificate-rows.ts';
import {
  collectCertificates,
  openSources,
  renewCertificate,
  unknownName,
  type CertificateSources,
} from './certificates.ts';
import type { Config } from './config/index.ts';
import { UriCanary, type CanaryQuestion } from './delegation/canary/uri-canary.ts';
import { CertificateExporter, type ExportTarget } from './export/exporter.ts';
import { xMatrixOrigin } from './matrix/x-matrix.ts';
import { AccessLog, NO_ACCESS_LOG, type AccessLogger } from './observability/access-log.ts';
import { startMetricsServer, type MetricsServer } from './observability/admin-http.ts';
import { createHealth } from './observability/health.ts';
import type { Logger } from './observability/logger.ts';
import { createMetrics } from './observability/metrics.ts';
import { DataPlane } from './proxy/data-plane.ts';
import type { BoundListener } from './proxy/listeners.ts';
import type { Snapshot } from './proxy/snapshot.ts';
import { dialForLeaf, selfDial, selfDialTargets, type SelfDialResult } from './self-dial.ts';
import { SiteWatch, type WatchSetting } from './site-watch.ts';
import { buildSnapshot, caFilePaths, certificateNames } from './snapshot.ts';
import { FileStore } from './store/file-store.ts';
import type { StoreLock } from './store/store.ts';
import { newTicketKey, nextTicketKeyAt, rotateTicketKeys } from './tls/ticket-keys.ts';

/** A running Portico. */
export interface App {
  /**
   * Takes the store, gets certificates, listens.
   * @throws PorticoError with a fix: `LISTEN_…`, `STORE_…`, `CERT_…`, `LOCAL_CA_…`, `CA_FILE_UNREADABLE`; nothing stays open
   */
  start(): Promise<void>;
  /** Where it really listens. */
  addresses(): BoundListener[];
  metricsAddress(): { host: string; port: number } | null;
  /** The local CA's certificate (PEM), when one is in use. */
  localCaPem(): string | null;
  /**
   * Takes another config without dropping a connection.
   * @throws PorticoError as `start`, and `RELOAD_STORE_CHANGED`; the old state keeps serving then
   */
  reload(config: Config): Promise<void>;
  /** What the app knows of the state of things; the process adds the rest. */
  status(): AppStatus;
  /** The certificates in use. */
  certificates(): CertificateRow[];
  /**
   * Gets a new certificate for a name now.
   * @throws PorticoError `RENEW_NAME_UNKNOWN`, `RENEW_NOT_OURS`, and what the source throws
   */
  renew(name: string): Promise<RenewReport>;
  /** A URI canary that this process will answer for a few minutes. */
  canaryQuestion(): CanaryQuestion;
  /**
   * Gives the ACME accounts new keys.
   * @throws PorticoError `ACME_ORDERS_UNDER_WAY`, and what an authority says
   */
  rollOver(): Promise<RolloverReport>;
  /** Accepts no more, lets exchanges finish for up to `deadlineMs`, and gives everything back. */
  stop(deadlineMs: number): Promise<void>;
}

/** The app's part of the status that the admin socket tells. */
export type AppStatus = Pick<
  StatusReport,
  'ready' | 'reasons' | 'snapshot_version' | 'listeners' | 'metrics' | 'sites' | 'certificates'
>;

export interface AppOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** Takes the lines of the access log, many at a time; without it there is none. */
  readonly accessLogStream?: { write(lines: string): unknown };
  /** Portico's version, for the metrics. */
  readonly version?: string;
  /** Where ACME challenges are pinned up; by default one that nobody else knows. */
  readonly challenges?: ChallengeBoard;
  /** Lines about the first certificates for a person who watches; without it there are none. */
  readonly progress?: (line: string) => void;
  /** How the self-check looks at the sites; by default as `portico doctor` does. */
  readonly watch?: WatchSetting;
}

/** At most one line per upstream in this time (ms), however many requests fail. */
const UPSTREAM_LOG_INTERVAL_MS = 10_000;

/** Wires the parts; nothing runs before `start`. */
export function createApp(options: AppOptions): App {
  return new PorticoApp(options);
}

class PorticoApp implements App {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #metrics;
  readonly #health = createHealth();
  readonly #accessLog: AccessLogger;
  readonly #challenges: ChallengeBoard;
  readonly #canary: UriCanary;
  readonly #siteWatch: SiteWatch;
  readonly #upstreamLoggedAt = new Map<string, number>();
  #config: Config;
  #store: FileStore;
  #lock: StoreLock | null = null;
  readonly #exporter: CertificateExporter;
  readonly #progress: ((line: string) => void) | null;
  #acme: AcmeService | null = null;
  #sources: CertificateSources | null = null;
  #plane: DataPlane | null = null;
  #metricsServer: MetricsServer | null = null;
  #ticketKey;
  #ticketTimer: NodeJS.Timeout | null = null;
  #version = 0;
  /** Certificates that need no look at our own ports: those of the start, and those that were seen to be served. */
  #seen: ReadonlySet<string> = new Set();
  #selfDialing = new AbortController();
  /** The certificates of the snapshot that serves. */
  #certificates: readonly CertificateData[] = [];
  /** The last problem of each name with a certificate; of names in the config only. */
  readonly #problems = new Map<string, CertificateProblem>();
  /** Changes of the snapshot follow one another. */
  #changes: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: AppOptions) {
    const { config, logger, clock = systemClock, accessLogStream } = options;
    this.#config = config;
    this.#logger = logger;
    this.#clock = clock;
    this.#metrics = createMetrics(options.version === undefined ? {} : { version: options.version });
    this.#store = new FileStore(config.store.path);
    this.#ticketKey = newTicketKey(randomBytes, clock.now());
    this.#challenges = options.challenges ?? new ChallengeBoard();
    this.#progress = options.progress ?? null;
    this.#exporter = this.#createExporter();
    this.#canary = new UriCanary({ secret: randomBytes(32), clock, random: randomBytes });
    this.#siteWatch = new SiteWatch({
      logger,
      metrics: this.#metrics,
      clock,
      canary: () => this.#canary.question(),
      setting: options.watch ?? {},
    });
    this.#accessLog =
      accessLogStream === undefined
        ? NO_ACCESS_LOG
        : new AccessLog({
            write: (lines) => accessLogStream.write(lines),
            originOf: xMatrixOrigin,
            onDropped: (lines) => {
              this.#metrics.accessLogDropped(lines);
            },
          });
  }

  async start(): Promise<void> {
    this.#health.setReady('listeners', false, 'not listening yet');
    try {
      this.#lock = await this.#store.lock();
      for (const problem of this.#lock.problems) {
        this.#logger.error(
          { code: problem.code, fix: problem.fix, err: problem },
          'store problem; serving what it holds',
        );
      }
      this.#acme = await this.#openAcme();
      this.#sources = await this.#openSources(this.#config, this.#acme);
      const snapshot = await this.#snapshot(this.#config, this.#sources);
      this.#plane = await DataPlane.create(
        {
          clock: this.#clock,
          metrics: this.#metrics,
          // A reload may turn it on and off.
          accessLog: {
            record: (entry) => {
              if (this.#config.log.access) this.#accessLog.record(entry);
            },
          },
          challenges: this.#challenges,
          canary: (method, target) => this.#canary.answer(method, target),
          requestIdPrefix: randomBytes(5).toString('hex'),
          onDefect: (error) => {
            this.#logger.error({ code: 'INTERNAL', err: error }, 'defect: please report this');
          },
          onUpstreamProblem: (upstreamId, error) => {
            this.#reportUpstream(upstreamId, error);
          },
        },
        snapshot,
      );
      await this.#plane.start();
      this.#certificates = snapshot.certificates;
      this.#seen = idsOf(snapshot);
      this.#metricsServer = await this.#startMetricsServer(this.#config);
      this.#export(this.#config, snapshot);
    } catch (error) {
      await this.stop(0);
      throw error;
    }
    this.#acme.start();
    this.#scheduleTicketKey();
    this.#siteWatch.use(this.#config);
    this.#health.setReady('listeners', true);
    this.#logger.info(
      { listeners: this.addresses(), sites: this.#config.sites.map((site) => site.server_name.text).slice(0, 20) },
      'serving',
    );
  }

  addresses(): BoundListener[] {
    return this.#plane?.addresses() ?? [];
  }

  metricsAddress(): { host: string; port: number } | null {
    return this.#metricsServer?.address ?? null;
  }

  localCaPem(): string | null {
    return this.#sources?.localCaPem ?? null;
  }

  status(): AppStatus {
    const { ok, reasons } = this.#health.ready();
    const ends = this.#certificates.map(({ notAfter }) => notAfter);
    const first = ends.reduce((least, end) => Math.min(least, end), Infinity);
    return {
      ready: ok,
      reasons,
      snapshot_version: this.#plane?.state.snapshot.version ?? 0,
      listeners: this.addresses(),
      metrics: this.metricsAddress(),
      sites: this.#config.sites.map((site) => site.server_name.text),
      certificates: { count: ends.length, first_expiry: ends.length === 0 ? null : new Date(first).toISOString() },
    };
  }

  certificates(): CertificateRow[] {
    const now = this.#clock.now();
    const others = this.#certificates.filter(({ source }) => source !== 'acme');
    const rows = others.map((certificate) => {
      const problem = [...this.#problems].find(([name]) => coversName(certificate.names, name))?.[1];
      return certificateRow(certificate, now, problem ?? null);
    });
    return [...rows, ...(this.#acme?.rows() ?? [])];
  }

  async renew(name: string): Promise<RenewReport> {
    const acme = this.#acme;
    if (acme?.plans(name) === true) return { names: await acme.renew(name), source: 'acme', state: 'started' };
    const certificate = this.#certificates.find(({ names }) => coversName(names, name));
    if (certificate === undefined || this.#sources === null) throw unknownName(name);
    const source = await renewCertificate(name, this.#sources.sources);
    return { names: certificate.names, source, state: source === 'acme' ? 'started' : 'renewed' };
  }

  canaryQuestion(): CanaryQuestion {
    return this.#canary.question();
  }

  async rollOver(): Promise<RolloverReport> {
    return (await this.#acme?.rollOver()) ?? { accounts: [] };
  }

  async reload(config: Config): Promise<void> {
    await this.#change(async () => {
      try {
        await this.#reloadNow(config);
      } catch (error) {
        this.#metrics.reloadFailed(codeOf(error));
        throw error;
      }
    });
  }

  async stop(deadlineMs: number): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#health.setReady('listeners', false, 'stopping');
    if (this.#ticketTimer !== null) clearTimeout(this.#ticketTimer);
    this.#sources?.close();
    this.#selfDialing.abort();
    this.#siteWatch.close();
    await this.#plane?.stop(deadlineMs);
    await this.#exporter.close();
    await this.#changes.catch(() => undefined);
    await this.#metricsServer?.close();
    await this.#acme?.close();
    this.#accessLog.close();
    await this.#lock?.release();
  }

  /** Runs changes of the snapshot one after the other. */
  #change(work: () => Promise<void>): Promise<void> {
    const result = this.#changes.then(work);
    // Whoever asked for a change hears of its failure; the next change starts from what is in place.
    this.#changes = result.catch(() => undefined);
    return result;
  }

  async #reloadNow(config: Config): Promise<void> {
    const plane = this.#plane;
    if (plane === null || this.#stopped) return;
    if (config.store.path !== this.#config.store.path) {
      throw new PorticoError('RELOAD_STORE_CHANGED', 'store.path cannot change while Portico runs.', {
        fix: 'Stop Portico and start it with the new config.',
      });
    }
    const restoreAcme = await this.#acme?.setConfig(config);
    const sources = await this.#openSources(config, this.#acme);
    let metricsServer = this.#metricsServer;
    let snapshot: Snapshot;
    try {
      snapshot = await this.#snapshot(config, sources);
      if (JSON.stringify(config.metrics) !== JSON.stringify(this.#config.metrics)) {
        metricsServer = await this.#startMetricsServer(config);
      }
      await plane.swap(snapshot, true);
      this.#onSwapped(plane, snapshot);
    } catch (error) {
      sources.close();
      if (metricsServer !== this.#metricsServer) await metricsServer?.close();
      await restoreAcme?.();
      throw error;
    }
    this.#sources?.close();
    this.#sources = sources;
    if (metricsServer !== this.#metricsServer) {
      await this.#metricsServer?.close();
      this.#metricsServer = metricsServer;
    }
    this.#config = config;
    this.#siteWatch.use(config);
    this.#export(config, snapshot);
    this.#logger.level = config.log.level;
    this.#logger.info({ listeners: this.addresses(), version: this.#version }, 'reloaded');
  }

  async #openAcme(): Promise<AcmeService> {
    return await AcmeService.open({
      config: this.#config,
      store: this.#store,
      clock: this.#clock,
      random: randomBytes,
      env: process.env,
      challenges: this.#challenges,
      logger: this.#logger,
      metrics: this.#metrics,
      progress: this.#progress,
    });
  }

  async #openSources(config: Config, acme: AcmeService | null): Promise<CertificateSources> {
    const sources = await openSources({
      config,
      acme: acme?.source() ?? null,
      store: this.#store,
      clock: this.#clock,
      onProblem: (problem, names) => {
        for (const name of names) this.#problems.set(name, problemRow(problem, this.#clock.now()));
        // Peers refuse an expired certificate now; everything else can still be put right in time.
        this.#logger[problem.code === 'CERT_EXPIRED' ? 'error' : 'warn'](
          { code: problem.code, fix: problem.fix, err: problem },
          'certificate problem; the one in use stays',
        );
      },
    });
    for (const source of sources.sources) {
      source.onChange(() => {
        this.#refresh('certificate changed');
      });
    }
    return sources;
  }

  /** Makes a snapshot of what is in place now and swaps it in. */
  #refresh(reason: string): void {
    this.#change(async () => {
      if (this.#stopped || this.#plane === null || this.#sources === null) return;
      const snapshot = await this.#snapshot(this.#config, this.#sources);
      await this.#plane.swap(snapshot, false);
      this.#onSwapped(this.#plane, snapshot);
      this.#export(this.#config, snapshot);
      this.#logger.info({ version: snapshot.version }, reason);
    }).catch((error: unknown) => {
      this.#logger.error({ code: codeOf(error), err: error }, `${reason}, but the old state stays`);
    });
  }

  async #snapshot(config: Config, sources: CertificateSources): Promise<Snapshot> {
    const certificates = await collectCertificates(certificateNames(config), sources.sources);
    this.#metrics.setCertificates(
      certificates.map(({ names, notAfter, source }) => ({ name: names[0] ?? '', notAfter, source })),
    );
    return buildSnapshot({
      version: ++this.#version,
      config,
      certificates,
      ticketKey: this.#ticketKey,
      caFiles: await readCaFiles(config),
    });
  }

  #onSwapped(plane: DataPlane, snapshot: Snapshot): void {
    const before = new Set(this.#certificates.map(({ id }) => id));
    // What was wrong with its predecessor is over; so is what was wrong with names that nobody wants any more.
    const kept = snapshot.certificates.filter(({ id }) => before.has(id));
    for (const name of this.#problems.keys()) {
      if (!kept.some(({ names }) => coversName(names, name))) this.#problems.delete(name);
    }
    this.#certificates = snapshot.certificates;
    this.#lookAtOurselves(plane, snapshot);
  }

  /** Dials our own ports for the certificates that are new in this snapshot; in the background, and anew after the next swap. */
  #lookAtOurselves(plane: DataPlane, snapshot: Snapshot): void {
    const before = this.#seen;
    const fresh = snapshot.certificates.filter(({ id }) => !before.has(id));
    if (fresh.length === 0) return;
    this.#selfDialing.abort();
    this.#selfDialing = new AbortController();
    const { signal } = this.#selfDialing;
    const report = (result: SelfDialResult): void => {
      this.#reportSelfDial(result);
    };
    const targets = selfDialTargets(fresh, plane.state.index, plane.addresses());
    void selfDial(targets, { dial: dialForLeaf, report, signal }).then(() => {
      if (!signal.aborted) this.#seen = idsOf(snapshot);
    });
  }

  #reportSelfDial({ outcome, problem }: SelfDialResult): void {
    this.#metrics.selfDialed(outcome);
    if (problem === null) return;
    const entry = { code: problem.code, fix: problem.fix, err: problem };
    if (outcome === 'mismatch') this.#logger.error(entry, 'a new certificate is not what is served');
    else this.#logger.warn(entry, 'cannot see whether a new certificate is served');
  }

  #createExporter(): CertificateExporter {
    const { PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' } = process.env;
    return new CertificateExporter({
      store: this.#store,
      environment: { PATH },
      onExported: ({ target, written }) => {
        const { name, chainPath, keyPath } = target;
        this.#logger.info({ name, chain: chainPath, keyFile: keyPath, written }, 'certificate exported');
      },
      onProblem: (problem) => {
        this.#logger.error({ code: problem.code, fix: problem.fix, err: problem }, 'certificate not exported');
      },
    });
  }

  /** Nobody waits for it: other programs' files are no reason to serve later. */
  #export(config: Config, snapshot: Snapshot): void {
    this.#exporter.setTargets(exportTargets(config));
    void this.#exporter.exportChanged(snapshot.certificates);
  }

  async #startMetricsServer(config: Config): Promise<MetricsServer | null> {
    const { listen } = config.metrics;
    if (listen === null) return null;
    return await startMetricsServer({ listen, metrics: this.#metrics, health: this.#health });
  }

  #scheduleTicketKey(): void {
    this.#ticketTimer = setTimeout(
      () => {
        this.#ticketKey = rotateTicketKeys(this.#ticketKey, this.#clock.now(), randomBytes);
        this.#refresh('session ticket key rotated');
        this.#scheduleTicketKey();
      },
      Math.max(1000, nextTicketKeyAt(this.#ticketKey) - this.#clock.now()),
    );
    this.#ticketTimer.unref();
  }

  #reportUpstream(upstreamId: string, error: Error): void {
    const now = this.#clock.monotonic();
    const last = this.#upstreamLoggedAt.get(upstreamId);
    if (last !== undefined && now - last < UPSTREAM_LOG_INTERVAL_MS) return;
    this.#upstreamLoggedAt.set(upstreamId, now);
    this.#logger.warn(
      {
        code: 'UPSTREAM_UNREACHABLE',
        reason: codeOf(error),
        upstream: upstreamId,
        err: error,
        fix: 'Check that the homeserver runs and listens where "homeserver" says.',
      },
      'homeserver cannot be reached',
    );
  }
}

function idsOf(snapshot: Snapshot): Set<string> {
  return new Set(snapshot.certificates.map(({ id }) => id));
}

function exportTargets(config: Config): ExportTarget[] {
  return config.exports.map(({ name, chain, key, owner, mode, hook }) => ({
    name,
    chainPath: chain,
    keyPath: key,
    owner: owner ?? null,
    mode,
    hook: hook ?? null,
  }));
}

async function readCaFiles(config: Config): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const path of caFilePaths(config)) files.set(path, await readCaFile(path));
  return files;
}
