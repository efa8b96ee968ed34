/** Starts Synapse on SQLite with plain HTTP on loopback, as it stands behind a front door. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { readPeerState } from '../install/peer.ts';
import type { Homeserver, HomeserverOptions } from './homeserver.ts';
import { Service } from './service.ts';
import { webRequest } from './web-request.ts';

/** Far above what the tests do, so that no limit of Synapse's is what they measure. */
const UNLIMITED = { per_second: 10_000, burst_count: 10_000 };
const MAX_UPLOAD = '100M';

function configOf(options: HomeserverOptions, caFiles: readonly string[]): Record<string, unknown> {
  const { directory, federationPort } = options;
  const listener = (port: number, names: readonly string[]): Record<string, unknown> => ({
    port,
    bind_addresses: [options.address ?? '127.0.0.1'],
    type: 'http',
    tls: false,
    x_forwarded: true,
    resources: [{ names, compress: false }],
  });
  return {
    server_name: options.serverName,
    public_baseurl: `${options.clientUrl}/`,
    report_stats: false,
    listeners:
      federationPort === undefined
        ? [listener(options.port, ['client', 'federation'])]
        : [listener(options.port, ['client']), listener(federationPort, ['federation'])],
    database: { name: 'sqlite3', args: { database: join(directory, 'homeserver.db') } },
    media_store_path: join(directory, 'media'),
    signing_key_path: join(directory, 'signing.key'),
    macaroon_secret_key: randomBytes(24).toString('hex'),
    form_secret: randomBytes(24).toString('hex'),
    enable_registration: true,
    enable_registration_without_verification: true,
    // The test cost of bcrypt; the strength of passwords is not what is tested.
    bcrypt_rounds: 4,
    max_upload_size: MAX_UPLOAD,
    federation_verify_certificates: true,
    federation_custom_ca_list: caFiles,
    ip_range_blacklist: [],
    trusted_key_servers: [],
    suppress_key_server_warning: true,
    // A peer that is not up yet must not be left alone for ten minutes.
    federation: { destination_min_retry_interval: '1s', destination_max_retry_interval: '5s' },
    rc_message: UNLIMITED,
    rc_registration: UNLIMITED,
    rc_login: { address: UNLIMITED, account: UNLIMITED, failed_attempts: UNLIMITED },
    rc_joins: { local: UNLIMITED, remote: UNLIMITED },
    rc_joins_per_room: UNLIMITED,
    rc_invites: { per_room: UNLIMITED, per_user: UNLIMITED, per_issuer: UNLIMITED },
    rc_room_creation: UNLIMITED,
    rc_media_create: UNLIMITED,
    rc_federation: { sleep_limit: 10_000, reject_limit: 10_000, concurrent: 50 },
    remote_media_download_burst_count: '1000M',
    remote_media_download_per_second: '1000M',
  };
}

/**
 * Starts one and waits until it serves.
 *
 * @throws ServiceStartError
 */
export async function startSynapse(options: HomeserverOptions): Promise<Homeserver> {
  const state = readPeerState('synapse');
  if (state.state === 'missing') throw new Error(`no Synapse: ${state.why}`);
  const { directory, port } = options;
  mkdirSync(directory, { recursive: true });
  // Synapse reads one certificate a file; a bundle does not work.
  const caFiles = options.trustedCas.map((pem, i) => {
    const path = join(directory, `trusted-${i}.pem`);
    writeFileSync(path, pem);
    return path;
  });
  const seed = randomBytes(32).toString('base64').replace(/=+$/, '');
  writeFileSync(join(directory, 'signing.key'), `ed25519 a_1 ${seed}\n`, { mode: 0o600 });
  const config = join(directory, 'homeserver.yaml');
  writeFileSync(config, stringify(configOf(options, caFiles)));
  const base = `http://${options.address ?? '127.0.0.1'}:${port}`;
  const service = await Service.start({
    name: `Synapse ${options.serverName}`,
    command: join(state.path, 'bin', 'python'),
    args: ['-m', 'synapse.app.homeserver', '-c', config],
    ...(options.prefix && { prefix: options.prefix }),
    cwd: directory,
    startLimitMs: 90_000,
    isReady: async () => {
      const { status } = await webRequest({ base, path: '/health', timeoutMs: 5000 });
      return status === 200;
    },
  });
  return { kind: 'synapse', service };
}
