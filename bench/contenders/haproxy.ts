/** HAProxy: one thread, kept-alive upstream connections shared by all clients, no log. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runStep } from '../../test/peers/install/step.ts';
import type { Contender } from './contender.ts';

/** What the config depends on. */
export interface HaproxySetting {
  readonly port: number;
  readonly backendPort: number;
  /** File with a path of a certificate in each line. */
  readonly certificateList: string;
}

/** Its config. */
export function haproxyConfig(setting: HaproxySetting): string {
  return `global
  nbthread 1
  ssl-default-bind-options ssl-min-ver TLSv1.2
  ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256
  tune.h2.fe.max-concurrent-streams 256
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  timeout tunnel 600s
  option forwardfor
  http-reuse always
frontend clients
  bind 127.0.0.1:${String(setting.port)} backlog 16384 ssl crt-list ${setting.certificateList} alpn h2,http/1.1
  http-request set-header X-Forwarded-Proto https
  default_backend homeserver
backend homeserver
  server homeserver 127.0.0.1:${String(setting.backendPort)} pool-max-conn -1 pool-purge-delay 300s
`;
}

/** HAProxy of the chroot. */
export const haproxy: Contender = {
  id: 'haproxy',
  title: 'HAProxy',
  origin: 'chroot',
  speaks: new Set(['h1', 'h2', 'websocket']),
  manySites: true,
  version: async (stand) => {
    const args = [stand.root, 'haproxy', '-v'];
    const text = await runStep({ log: 'bench-haproxy-version', command: 'chroot', args, timeoutMs: 10_000 });
    return /version (\d+\.\d+\.\d+)/.exec(text)?.[1] ?? 'unknown';
  },
  prepare: ({ stand, directory, port, backendPort, sites }) => {
    const list = join(directory, 'certificates');
    writeFileSync(list, sites.map(({ both }) => `${stand.inside(both)}\n`).join(''));
    const config = join(directory, 'haproxy.cfg');
    writeFileSync(config, haproxyConfig({ port, backendPort, certificateList: stand.inside(list) }));
    // -W would add a master process; -db keeps it in the foreground.
    return { command: 'chroot', args: [stand.root, 'haproxy', '-db', '-f', stand.inside(config)] };
  },
};
