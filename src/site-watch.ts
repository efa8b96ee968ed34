/**
 * The self-check of a running Portico: the doctor looks at the config's sites as peers and clients do, its findings become
 * metrics, and what has changed since the last look goes to the log. Serving never waits for it and never fails by it.
 *
 * Sites that lead to private addresses are not dialled: whoever answers for a name must not make Portico talk to the network
 * behind it. The finding `private-address` says so.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from './base/clock.ts';
import type { Config } from './config/index.ts';
import type { CanaryQuestion } from './delegation/canary/uri-canary.ts';
import type { Severity } from './delegation/doctor/catalogue.ts';
import type { Diagnosis } from './delegation/doctor/diagnose.ts';
import type { Change } from './delegation/doctor/facts.ts';
import type { Finding } from './delegation/doctor/finding.ts';
import type { DoctorDeps } from './delegation/doctor/probes/gather.ts';
import { findingCounts, SelfCheck } from './delegation/doctor/self-check.ts';
import { createTrust } from './delegation/outbound/dial.ts';
import type { DnsClient } from './dns/dns-client.ts';
import { createStubClient } from './dns/stub-client.ts';
import { resolverServers } from './dns/system-servers.ts';
import { expectedOf } from './expected.ts';
import type { DoctorMetrics } from './observability/doctor-metrics.ts';
import type { Logger } from './observability/logger.ts';

/** What tests and laboratories do otherwise. */
export interface WatchSetting {
  /** Whom to ask for names, and how connections are made; default: by the config, to public addresses only. */
  readonly network?: Pick<DoctorDeps, 'dns' | 'dial'>;
  /** Milliseconds before the first look. */
  readonly firstMs?: number;
}

/** What it works with. */
export interface SiteWatchOptions {
  readonly logger: Logger;
  readonly metrics: DoctorMetrics;
  readonly clock: Clock;
  /** A fresh question that this process answers. */
  readonly canary: () => CanaryQuestion;
  readonly setting: WatchSetting;
}

/** As `portico doctor` has them by default. */
const MAX_REQUESTS = 100;
const TIMEOUT_MS = 10_000;
/** Documents of a web server elsewhere may be long, and different each time. */
const MAX_LINES = 50;
const MAX_TEXT = 300;
const LEVELS = { error: 'error', warning: 'warn', info: 'info' } as const satisfies Record<Severity, string>;

/** Watches the sites of the config that is in use. */
export class SiteWatch {
  readonly #options: SiteWatchOptions;
  #config: Config | null = null;
  #check: SelfCheck | null = null;
  #settings = '';
  #closed = false;

  constructor(options: SiteWatchOptions) {
    this.#options = options;
  }

  /** Takes a config: that of the start, or of a reload. What was seen before counts as long as nothing about the look changes. */
  use(config: Config): void {
    // A reload may end after the stop that it met.
    if (this.#closed) return;
    this.#config = config;
    const { self_check: wanted, interval } = config.doctor;
    this.#options.metrics.keepSites(new Set(wanted ? names(config) : []));
    const settings = JSON.stringify([config.doctor, config.dns]);
    if (settings === this.#settings) return;
    this.#settings = settings;
    this.#check?.stop();
    this.#check = wanted ? this.#start(interval) : null;
  }

  /** Ends it, a look in progress too. */
  close(): void {
    this.#closed = true;
    this.#check?.stop();
    this.#check = null;
  }

  #start(intervalMs: number): SelfCheck {
    const { logger, metrics, clock, canary, setting } = this.#options;
    const check = new SelfCheck({
      subjects: () =>
        (this.#config?.sites ?? []).map((site) => ({ serverName: site.server_name.text, expected: expectedOf(site) })),
      deps: {
        ...(setting.network ?? this.#network()),
        clock,
        random: Math.random,
        maxRequests: MAX_REQUESTS,
        canary: () => Promise.resolve(canary()),
      },
      intervalMs,
      ...(setting.firstMs === undefined ? {} : { firstMs: setting.firstMs }),
      listener: {
        looked: (diagnosis, news, before) => {
          const { serverName, evidence } = diagnosis;
          // A reload may have taken the site away while it was looked at.
          if (this.#config === null || !names(this.#config).includes(serverName)) return;
          metrics.siteLooked({ serverName, lookedAt: evidence.now, findings: findingCounts(diagnosis) });
          if (before === null) logFirst(logger, diagnosis);
          else logNews(logger, diagnosis, news);
        },
        failed: (site, code, message) => {
          logger.warn({ site, code }, `the self-check could not look: ${message}`);
        },
      },
    });
    check.start();
    return check;
  }

  #network(): Pick<DoctorDeps, 'dns' | 'dial'> {
    // Which servers the system has may change while Portico runs.
    const dns: DnsClient = {
      query: (name, type, options) => {
        const servers = resolverServers(this.#config?.dns.servers ?? []);
        return createStubClient({ servers, random: randomBytes }).query(name, type, options);
      },
    };
    const { clock } = this.#options;
    return { dns, dial: { clock, trust: createTrust(null), allowPrivate: false, timeoutMs: TIMEOUT_MS } };
  }
}

function names(config: Config): string[] {
  return config.sites.map((site) => site.server_name.text);
}

function logFirst(logger: Logger, diagnosis: Diagnosis): void {
  const { serverName: site, findings } = diagnosis;
  logger.info({ site, findings: findingCounts(diagnosis) }, 'looked at a site from outside');
  for (const one of findings.slice(0, MAX_LINES)) logFinding(logger, site, one);
}

function logNews(logger: Logger, { serverName: site, findings }: Diagnosis, news: readonly Change[]): void {
  for (const { kind, what, before, after } of news.slice(0, MAX_LINES)) {
    if (kind === 'fact') {
      logger.info({ site, what, before: clip(before), after: clip(after) }, 'seen from outside, a site has changed');
      continue;
    }
    const found = findings.find(({ code, seen }) => code === what && seen === after);
    if (found === undefined) logger.info({ site, finding: what, seen: clip(before) }, 'no longer found from outside');
    else logFinding(logger, site, found);
  }
}

function logFinding(logger: Logger, site: string, { code, severity, seen, fix }: Finding): void {
  logger[LEVELS[severity]]({ site, finding: code, seen: clip(seen), fix: clip(fix) }, 'found from outside');
}

function clip(text: string | null): string | null {
  return text === null || text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}…`;
}
