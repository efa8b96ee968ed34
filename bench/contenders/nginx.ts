/**
 * nginx, bare and with the whole Matrix job: Synapse's worker rules as `location ~`, and a JSON access log. Tuned in its
 * favour: one worker, kept-alive upstream connections, compiled patterns, small bodies buffered, uploads streamed, the
 * cheapest cipher first.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Stand } from '../setup/stand.ts';
import { runStep } from '../../test/peers/install/step.ts';
import type { Contender, Place } from './contender.ts';

const PATTERNS = join(import.meta.dirname, 'worker-patterns.txt');

/** Locations that go to workers in Synapse's docs/workers.md (a line each). */
export function workerPatterns(): string[] {
  return readFileSync(PATTERNS, 'utf8').split('\n').filter(Boolean);
}

const LOG_FORMAT = `log_format json escape=json '{"time":"$time_iso8601","host":"$host","method":"$request_method",'
    '"target":"$request_uri","status":$status,"bytes_in":$request_length,"bytes_out":$body_bytes_sent,'
    '"seconds":$request_time,"upstream_seconds":"$upstream_response_time","upstream":"$upstream_addr","tls":"$ssl_protocol",'
    '"protocol":"$server_protocol","peer":"$remote_addr","agent":"$http_user_agent","request_id":"$request_id"}';`;

/** What the config depends on. Paths are those that nginx sees. */
export interface NginxSetting {
  readonly directory: string;
  readonly port: number;
  readonly backendPort: number;
  readonly sites: readonly { readonly name: string; readonly chain: string; readonly key: string }[];
  /** The whole Matrix job, or no rule and no log. */
  readonly patterns: readonly string[];
  readonly log: boolean;
}

/** What every location says. */
const PROXY = 'proxy_pass http://homeserver;';

/** The config of a proxy in front of one homeserver. */
export function nginxConfig(setting: NginxSetting): string {
  const { directory } = setting;
  return `worker_processes 1;
pid ${directory}/nginx.pid;
error_log stderr warn;
pcre_jit on;
events { worker_connections 19500; multi_accept on; }
http {
  ${setting.log ? LOG_FORMAT : ''}
  access_log ${setting.log ? `${directory}/access.log json buffer=64k flush=1s` : 'off'};
  types { }
  default_type application/octet-stream;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  tcp_nodelay on;
  keepalive_timeout 300s;
  keepalive_requests 1000000000;
  client_max_body_size 200m;
  client_body_buffer_size 128k;
  server_names_hash_max_size 65536;
  server_names_hash_bucket_size 128;
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_prefer_server_ciphers on;
  ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256;
  ssl_session_timeout 1h;
  http2 on;
  http2_max_concurrent_streams 256;
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
  upstream homeserver {
    server 127.0.0.1:${String(setting.backendPort)};
    keepalive 512;
    keepalive_requests 1000000000;
    keepalive_timeout 300s;
  }
  proxy_http_version 1.1;
  proxy_set_header Host $http_host;
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header Upgrade $http_upgrade;
  proxy_set_header Connection $connection_upgrade;
  proxy_read_timeout 600s;
  proxy_buffers 16 32k;
  proxy_busy_buffers_size 64k;
  proxy_max_temp_file_size 0;
${setting.sites.map((site, index) => server(setting, site, index === 0)).join('')}}
`;
}

function server(setting: NginxSetting, site: NginxSetting['sites'][number], first: boolean): string {
  const workers = setting.patterns.map((pattern) => `    location ~ "${pattern}" { ${PROXY} }\n`).join('');
  return `  server {
    listen 127.0.0.1:${String(setting.port)} ssl${first ? ' default_server backlog=16384' : ''};
    server_name ${site.name};
    ssl_certificate ${site.chain};
    ssl_certificate_key ${site.key};
    location = /_matrix/media/v3/upload { proxy_request_buffering off; ${PROXY} }
${workers}    location / { ${PROXY} }
  }
`;
}

/** How nginx in the chroot is started with a config that lies in `directory`. */
export function nginxLaunch(stand: Stand, directory: string, config: string): { command: string; args: string[] } {
  for (const name of ['body', 'proxy']) mkdirSync(join(directory, name), { mode: 0o777 });
  writeFileSync(join(directory, 'nginx.conf'), config);
  const file = stand.inside(join(directory, 'nginx.conf'));
  return { command: 'chroot', args: [stand.root, 'nginx', '-e', 'stderr', '-c', file, '-g', 'daemon off;'] };
}

/** `nginx 1.30.6`, from the program itself. */
async function version(stand: Stand): Promise<string> {
  const text = await runStep({
    log: 'bench-nginx-version',
    command: 'chroot',
    args: [stand.root, 'sh', '-c', 'nginx -v 2>&1'],
    timeoutMs: 10_000,
  });
  return text
    .trim()
    .replace(/^.*nginx\//, '')
    .replace(/ .*/, '');
}

function nginx(id: string, title: string, job: { patterns: readonly string[]; log: boolean }): Contender {
  return {
    id,
    title,
    origin: 'chroot',
    speaks: new Set(['h1', 'h2', 'websocket']),
    manySites: true,
    version,
    prepare: (place: Place) => {
      const { stand, directory } = place;
      const config = nginxConfig({
        directory: stand.inside(directory),
        port: place.port,
        backendPort: place.backendPort,
        sites: place.sites.map(({ name, chain, key }) => ({
          name,
          chain: stand.inside(chain),
          key: stand.inside(key),
        })),
        // A thousand sites with a hundred patterns each would be another benchmark.
        patterns: place.sites.length === 1 ? job.patterns : [],
        log: job.log,
      });
      return nginxLaunch(stand, directory, config);
    },
  };
}

/** Nothing but `proxy_pass`. */
export const nginxBare = nginx('nginx', 'nginx, bare', { patterns: [], log: false });

/** The job that Portico does as well. */
export const nginxMatrix = nginx('nginx-matrix', 'nginx, Matrix job', { patterns: workerPatterns(), log: true });
