/** Starts Dendrite on SQLite with plain HTTP on loopback, as it stands behind a front door. */
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { readPeerState } from '../install/peer.ts';
import type { Homeserver, HomeserverOptions } from './homeserver.ts';
import { Service } from './service.ts';
import { webRequest } from './web-request.ts';

const MAX_UPLOAD_BYTES = 100 * 1024 * 1024;
const KEY_LIMIT_MS = 30_000;

function configOf(options: HomeserverOptions): Record<string, unknown> {
  const { directory } = options;
  const database = (name: string): { connection_string: string } => ({
    connection_string: `file:${join(directory, `${name}.db`)}`,
  });
  return {
    version: 2,
    global: {
      server_name: options.serverName,
      private_key: join(directory, 'matrix_key.pem'),
      key_validity_period: '168h0m0s',
      well_known_client_name: options.clientUrl,
      jetstream: { storage_path: directory, in_memory: true },
      presence: { enable_inbound: false, enable_outbound: false },
      report_stats: { enabled: false },
      dns_cache: { enabled: false },
      cache: { max_size_estimated: '128mb', max_age: '1h' },
    },
    client_api: {
      registration_disabled: false,
      guests_disabled: true,
      rate_limiting: { enabled: false },
    },
    federation_api: {
      database: database('federationapi'),
      send_max_retries: 16,
      disable_tls_validation: false,
      key_perspectives: [],
      prefer_direct_fetch: true,
      deny_networks: [],
      allow_networks: ['0.0.0.0/0', '::/0'],
    },
    key_server: { database: database('keyserver') },
    media_api: {
      database: database('mediaapi'),
      base_path: join(directory, 'media'),
      max_file_size_bytes: MAX_UPLOAD_BYTES,
    },
    mscs: { database: database('mscs'), mscs: [] },
    relay_api: { database: database('relayapi') },
    room_server: { database: database('roomserver') },
    sync_api: {
      database: database('syncapi'),
      real_ip_header: 'X-Forwarded-For',
      search: { enabled: false, index_path: join(directory, 'search'), language: 'en' },
    },
    user_api: { account_database: database('userapi'), bcrypt_cost: 4 },
    logging: [{ type: 'std', level: 'info' }],
  };
}

/**
 * Starts one and waits until it serves.
 *
 * @throws ServiceStartError
 */
export async function startDendrite(options: HomeserverOptions): Promise<Homeserver> {
  const state = readPeerState('dendrite');
  if (state.state === 'missing') throw new Error(`no Dendrite: ${state.why}`);
  const { directory, port } = options;
  mkdirSync(directory, { recursive: true });
  const bundle = join(directory, 'trusted.pem');
  writeFileSync(bundle, options.trustedCas.join('\n'));
  const key = join(directory, 'matrix_key.pem');
  await promisify(execFile)(join(state.path, 'generate-keys'), ['--private-key', key], { timeout: KEY_LIMIT_MS });
  const config = join(directory, 'dendrite.yaml');
  writeFileSync(config, stringify(configOf(options)));
  const authority = `${options.address ?? '127.0.0.1'}:${port}`;
  const service = await Service.start({
    name: `Dendrite ${options.serverName}`,
    command: join(state.path, 'dendrite'),
    args: [...['--config', config], ...['--http-bind-address', authority], '--really-enable-open-registration'],
    ...(options.prefix && { prefix: options.prefix }),
    cwd: directory,
    // Replaces the system's list, so that nothing else can be trusted by mistake.
    env: { SSL_CERT_FILE: bundle, SSL_CERT_DIR: directory },
    startLimitMs: 60_000,
    isReady: async () => {
      const path = '/_dendrite/monitor/up';
      const { status } = await webRequest({ base: `http://${authority}`, path, timeoutMs: 5000 });
      return status === 200;
    },
  });
  return { kind: 'dendrite', service };
}
