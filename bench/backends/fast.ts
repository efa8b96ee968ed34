/** The backend of small requests: nginx from the chroot, answering like a homeserver without doing anything. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nginxLaunch } from '../contenders/nginx.ts';
import { matrixBody, freePort } from '../setup/stand.ts';
import type { Stand } from '../setup/stand.ts';
import { untilListening } from '../setup/listening.ts';

/** What Synapse sends with its answers, beside Date and Content-Length. */
const HEADERS = [
  ['Cache-Control', 'no-cache, no-store, must-revalidate'],
  ['Access-Control-Allow-Origin', '*'],
  ['Access-Control-Allow-Methods', 'GET, HEAD, POST, PUT, DELETE, OPTIONS'],
  ['Access-Control-Allow-Headers', 'X-Requested-With, Content-Type, Authorization, Date'],
  ['Access-Control-Expose-Headers', 'Synapse-Trace-Id, Server'],
] as const;

/** The body of most answers, 51 bytes. */
export const SMALL_BODY = '{"event_id":"-YUwRidLecu1WvTqVGVvMrNtnnJlxAAAAAAA"}';

/** Paths whose answers are longer, and how long (bytes); everything else gets the small one. */
export const LONGER_ANSWERS: readonly (readonly [pattern: string, bytes: number])[] = [
  ['/sync$', 2_500],
  ['/messages$', 8_000],
  ['/members$', 16_000],
  ['/thumbnail/', 24_000],
];

/** Its config; `directory` as nginx sees it. */
export function fastBackendConfig(directory: string, port: number): string {
  const headers = HEADERS.map(([name, value]) => `    add_header ${name} "${value}";\n`).join('');
  const longer = LONGER_ANSWERS.map(
    ([pattern], index) => `    location ~ ${pattern} { try_files /longer-${String(index)} =404; }\n`,
  ).join('');
  return `worker_processes 1;
pid ${directory}/nginx.pid;
error_log stderr warn;
events { worker_connections 19500; multi_accept on; }
http {
  access_log off;
  types { }
  default_type application/json;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  tcp_nodelay on;
  sendfile on;
  open_file_cache max=100 inactive=1h;
  open_file_cache_valid 1h;
  keepalive_timeout 3600s;
  keepalive_requests 1000000000;
  client_max_body_size 200m;
  client_body_buffer_size 32m;
  client_header_buffer_size 32k;
  server {
    listen 127.0.0.1:${String(port)} backlog=16384;
    root ${directory}/files;
${headers}${longer}    location / { return 200 '${SMALL_BODY}'; }
  }
}
`;
}

/**
 * Starts it on the load's CPU and returns its port.
 *
 * @throws Error when there is no chroot to start it in
 */
export async function startFastBackend(stand: Stand): Promise<number> {
  const why = stand.missing.get('chroot');
  if (why !== undefined) throw new Error(`nothing can be timed without nginx as the backend: ${why}`);
  const directory = join(stand.directory, 'fast-backend');
  mkdirSync(join(directory, 'files'), { recursive: true, mode: 0o755 });
  for (const [index, [, bytes]] of LONGER_ANSWERS.entries()) {
    writeFileSync(join(directory, 'files', `longer-${String(index)}`), matrixBody(bytes));
  }
  const port = await freePort();
  const launch = nginxLaunch(stand, directory, fastBackendConfig(stand.inside(directory), port));
  const running = await stand.processes.start({ ...launch, cpu: stand.cpus.load, log: join(directory, 'log') });
  await untilListening(running, port, 'the backend');
  return port;
}
