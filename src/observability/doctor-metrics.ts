/** Metrics of the self-check: what the doctor of a running Portico found at its own sites. */
import type { Registry } from 'prom-client';
import { defineFamily } from './metric-family.ts';

/** The state of one site after a look at it. */
export interface SiteHealth {
  readonly serverName: string;
  /** Milliseconds since the epoch. */
  readonly lookedAt: number;
  /** Findings by severity: error, warning, info. */
  readonly findings: Readonly<Record<string, number>>;
}

/** Calls of the self-check. */
export interface DoctorMetrics {
  /** Puts the state of a site in the place of the last. */
  siteLooked(health: SiteHealth): void;
  /** Drops sites that are no longer in the config. */
  keepSites(serverNames: ReadonlySet<string>): void;
}

/** Of more sites than this the rest is not shown one by one; that the look works is told by those that are. */
const MAX_SITES = 200;

/** Registers the families and returns their calls. */
export function createDoctorMetrics(registry: Registry): DoctorMetrics {
  const sites = new Map<string, SiteHealth>();

  defineFamily(registry, {
    name: 'portico_doctor_findings',
    type: 'gauge',
    help: 'What the doctor found at the last look from outside (docs/doctor.md), by site and severity (error, warning, info)',
    labels: ['site', 'severity'],
    samples: () =>
      [...sites.values()].flatMap(({ serverName, findings }) =>
        Object.entries(findings).map(([severity, value]) => ({ labels: { site: serverName, severity }, value })),
      ),
    aggregator: 'max',
  });
  defineFamily(registry, {
    name: 'portico_doctor_looked_timestamp_seconds',
    type: 'gauge',
    help: 'When the doctor last looked at a site, seconds since the epoch',
    labels: ['site'],
    samples: () =>
      [...sites.values()].map(({ serverName, lookedAt }) => ({ labels: { site: serverName }, value: lookedAt / 1000 })),
    aggregator: 'max',
  });

  return {
    siteLooked: (health) => {
      if (sites.has(health.serverName) || sites.size < MAX_SITES) sites.set(health.serverName, health);
    },
    keepSites: (serverNames) => {
      for (const name of sites.keys()) if (!serverNames.has(name)) sites.delete(name);
    },
  };
}
