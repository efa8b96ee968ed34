/**
 * From plain values to a config or findings. A value with errors does not hide those elsewhere: the sections, and within
 * `sites` the single sites, that are free of errors are still cross-checked.
 */
import { CHECKS, SITE_CHECKS } from './checks/index.ts';
import type { CheckWorld } from './checks/check.ts';
import { findingsOf } from './issues.ts';
import { createKnownKeys } from './known-keys.ts';
import type { Finding } from './problem.ts';
import { resolvePaths } from './resolve-paths.ts';
import { configSchema, type Config, type ParsedConfig } from './schema.ts';
import { siteSection } from './sections/sites.ts';

/** The outcome: `config` is undefined when a finding is an error. */
export interface ReadConfig {
  readonly config: Config | undefined;
  readonly findings: readonly Finding[];
}

/**
 * @param value - the file's content as plain values
 * @param baseDir - directory of the config file
 */
export async function readConfig(value: unknown, baseDir: string, world: CheckWorld): Promise<ReadConfig> {
  const parsed = configSchema.safeParse(value);
  const findings = parsed.success ? [] : findingsOf(parsed.error.issues, value, createKnownKeys());
  const config = resolvePaths(parsed.success ? parsed.data : cleanSections(value), baseDir);

  for (const [index, site] of cleanSites(config, value, baseDir)) {
    for (const check of SITE_CHECKS) findings.push(...(await check(site, ['sites', index], world)));
  }
  for (const check of CHECKS) {
    if (check.reads.some((name) => name !== 'acme' && config[name] === undefined)) continue;
    // `acme` may be absent by choice; when it is present with errors, nothing that depends on it can be judged.
    if (check.reads.includes('acme') && config.acme === undefined && has(value, 'acme')) continue;
    findings.push(...(await check.run(config as Config, world)));
  }
  const failed = findings.some((finding) => finding.severity === 'error');
  return { config: failed || !parsed.success ? undefined : (config as Config), findings };
}

/** The sections that parse by themselves. */
function cleanSections(value: unknown): Partial<ParsedConfig> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {};
  const source = value as Record<string, unknown>;
  const clean: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries(configSchema.shape)) {
    const parsed = schema.safeParse(Object.hasOwn(source, name) ? source[name] : undefined);
    if (parsed.success) clean[name] = parsed.data;
  }
  return clean;
}

/** The sites that parse by themselves, with their index. */
function cleanSites(config: Partial<Config>, value: unknown, baseDir: string): [number, Config['sites'][number]][] {
  if (config.sites !== undefined) return [...config.sites.entries()];
  const raw: unknown = has(value, 'sites') ? value.sites : undefined;
  if (!Array.isArray(raw)) return [];
  return raw.slice(0, 1000).flatMap((each: unknown, index): [number, Config['sites'][number]][] => {
    const parsed = siteSection.safeParse(each);
    const [site] = parsed.success ? (resolvePaths({ sites: [parsed.data] }, baseDir).sites ?? []) : [];
    return site === undefined ? [] : [[index, site]];
  });
}

function has<Key extends string>(value: unknown, key: Key): value is Record<Key, unknown> {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key);
}
