/**
 * The one strict schema of the config: the source of its types, defaults, JSON Schema, commented example and
 * docs/configuration.md. Every key carries its description beside its default; a key without default says what its absence
 * means (`x-absent`).
 *
 * Parsed values: durations are milliseconds, sizes bytes, addresses and names are taken apart; keys keep their names.
 */
import { z } from 'zod';
import { acmeSection } from './sections/acme.ts';
import { certificatesSection } from './sections/certificates.ts';
import { exportsSection } from './sections/exports.ts';
import { limitsSection } from './sections/limits.ts';
import { listenersSection } from './sections/listeners.ts';
import {
  adminSection,
  dnsSection,
  doctorSection,
  http2Section,
  logSection,
  metricsSection,
  shutdownTimeoutSection,
  storeSection,
  tlsSection,
  trustedProxiesSection,
} from './sections/operation.ts';
import { sitesSection } from './sections/sites.ts';

/** All sections, in the order of the documentation. */
export const configSchema = z.strictObject(
  {
    sites: sitesSection,
    listeners: listenersSection,
    certificates: certificatesSection,
    acme: acmeSection.optional().meta({
      description: 'Certificates from an ACME authority, for all names that are not listed under certificates.',
      'x-absent': 'no ACME: every name must be listed under certificates',
    }),
    exports: exportsSection,
    tls: tlsSection,
    store: storeSection,
    trusted_proxies: trustedProxiesSection,
    http2: http2Section,
    limits: limitsSection,
    log: logSection,
    metrics: metricsSection,
    admin: adminSection,
    dns: dnsSection,
    doctor: doctorSection,
    shutdown_timeout: shutdownTimeoutSection,
  },
  { error: 'a map that starts with "sites:"' },
);

/** What the schema makes of a file: as {@link Config}, with paths as they were written. */
export type ParsedConfig = z.output<typeof configSchema>;

/**
 * A config that was read without errors. Durations are milliseconds, sizes bytes; paths are absolute; `acme` is undefined
 * when absent, `admin.socket` is filled in. Treat it as immutable.
 */
export type Config = Omit<ParsedConfig, 'admin'> & { admin: { socket: string } };

/** Name of a top-level key. */
export type SectionName = keyof Config;
