/** What stands in front of a homeserver in the lab: Portico, or an nginx as a careless operator writes it. */
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Service } from '../harness/service.ts';
import { webRequest } from '../harness/web-request.ts';
import { REPOSITORY } from '../install/place.ts';
import { readPeerState } from '../install/peer.ts';
import type { LabHost } from './network.ts';

/** Where the homeserver and Portico's metrics are, on each host. */
export const HOMESERVER_PORT = 8008;
export const METRICS_PORT = 9464;

/** Kinds of front. */
export type FrontKind = 'portico' | 'nginx' | 'normalising nginx';

/** Starts a front in a directory that holds `chain.pem`, `key.pem` and, for Portico, `portico.yaml`. */
export function startFront(kind: FrontKind, host: LabHost, directory: string): Promise<Service> {
  return kind === 'portico' ? startPortico(host, directory) : startNginx(kind, host, directory);
}

/** URL of Portico's metrics. */
export function metricsUrl(host: LabHost): string {
  return `http://${host.ipv4}:${METRICS_PORT}`;
}

function startPortico(host: LabHost, directory: string): Promise<Service> {
  const main = process.env.PORTICO_MAIN ?? join(REPOSITORY, 'src', 'main.ts');
  return Service.start({
    name: `Portico on ${host.name}`,
    prefix: host.prefix,
    command: process.execPath,
    args: [main, 'run', '--config', join(directory, 'portico.yaml')],
    cwd: directory,
    startLimitMs: 60_000,
    isReady: async () =>
      (await webRequest({ base: metricsUrl(host), path: '/health/ready', timeoutMs: 5000 })).status === 200,
  });
}

function startNginx(kind: FrontKind, host: LabHost, directory: string): Promise<Service> {
  const state = readPeerState('nginx');
  if (state.state === 'missing') throw new Error(`no nginx: ${state.why}`);
  // A path behind the port, were it only `/`, makes nginx send its own idea of the path (Synapse's manual warns of it).
  const upstream = `http://${host.ipv4}:${HOMESERVER_PORT}${kind === 'normalising nginx' ? '/' : ''}`;
  const listen = [443, 8448].flatMap((port) => [`${host.ipv4}:${port}`, `[${host.ipv6}]:${port}`]);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `  ${name}_temp_path ${join(directory, `tmp-${name}`)};\n`,
  );
  const config = join(directory, 'nginx.conf');
  writeFileSync(
    config,
    `daemon off;\nuser root;\nworker_processes 1;\npid ${join(directory, 'nginx.pid')};\nerror_log stderr;\n` +
      `events {}\nhttp {\n  access_log off;\n${temporary.join('')}` +
      `  server {\n${listen.map((one) => `    listen ${one} ssl;\n`).join('')}` +
      `    ssl_certificate ${join(directory, 'chain.pem')};\n    ssl_certificate_key ${join(directory, 'key.pem')};\n` +
      `    client_max_body_size 50M;\n` +
      `    location / {\n      proxy_pass ${upstream};\n      proxy_set_header Host $host:$server_port;\n` +
      `      proxy_set_header X-Forwarded-For $remote_addr;\n      proxy_set_header X-Forwarded-Proto https;\n    }\n  }\n}\n`,
  );
  return Service.start({
    name: `nginx on ${host.name}`,
    prefix: host.prefix,
    command: state.path,
    args: ['-p', directory, '-e', 'stderr', '-c', config],
    cwd: directory,
    startLimitMs: 30_000,
    isReady: () => accepts(host.ipv4, 8448),
  });
}

/** True when somebody listens there. */
function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 5000 });
    const end = (answer: boolean) => (): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.on('connect', end(true)).on('error', end(false)).on('timeout', end(false));
  });
}
