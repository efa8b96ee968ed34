/** Makes every path of a parsed config absolute: relative ones start at the directory of the config file. */
import { join, resolve } from 'node:path';
import type { Config, ParsedConfig } from './schema.ts';
import type { Site } from './sections/sites.ts';
import type { SecretSource } from './values/secret.ts';

/**
 * The sections with absolute paths; sections that are absent (they had errors) stay absent.
 * @param baseDir - directory of the config file
 */
export function resolvePaths(config: Partial<ParsedConfig>, baseDir: string): Partial<Config> {
  const absolute = (path: string): string => resolve(baseDir, path);
  const optional = (path: string | undefined): string | undefined => (path === undefined ? undefined : absolute(path));
  const { sites, certificates, exports, acme, store, admin, ...rest } = config;
  return {
    ...rest,
    ...(sites && { sites: sites.map((site) => resolveSite(site, absolute)) }),
    ...(certificates && {
      certificates: certificates.map((entry) =>
        entry.source === 'files'
          ? { ...entry, files: { chain: absolute(entry.files.chain), key: absolute(entry.files.key) } }
          : entry,
      ),
    }),
    ...(exports && {
      exports: exports.map((entry) => ({ ...entry, chain: absolute(entry.chain), key: absolute(entry.key) })),
    }),
    ...(acme && {
      acme: {
        ...acme,
        issuers: acme.issuers.map((issuer) => ({
          ...issuer,
          ca_file: optional(issuer.ca_file),
          eab: issuer.eab && { ...issuer.eab, hmac_key: resolveSecret(issuer.eab.hmac_key, absolute) },
        })),
        dns: acme.dns && {
          ...acme.dns,
          exec: optional(acme.dns.exec),
          rfc2136: acme.dns.rfc2136 && {
            ...acme.dns.rfc2136,
            secret: resolveSecret(acme.dns.rfc2136.secret, absolute),
          },
        },
      },
    }),
    ...(store && { store: { path: absolute(store.path) } }),
    ...(store && admin && { admin: { socket: optional(admin.socket) ?? join(absolute(store.path), 'portico.sock') } }),
  };
}

/** One site with absolute paths. */
function resolveSite(site: Site, absolute: (path: string) => string): Site {
  const { homeserver, fallback } = site;
  return {
    ...site,
    homeserver: {
      ...homeserver,
      ca_file: homeserver.ca_file === undefined ? undefined : absolute(homeserver.ca_file),
    },
    fallback:
      fallback.kind === 'files'
        ? { ...fallback, directory: absolute(fallback.directory) }
        : fallback.kind === 'proxy' && fallback.ca_file !== undefined
          ? { ...fallback, ca_file: absolute(fallback.ca_file) }
          : fallback,
  };
}

function resolveSecret(source: SecretSource, absolute: (path: string) => string): SecretSource {
  return source.kind === 'file' ? { ...source, file: absolute(source.file) } : source;
}
