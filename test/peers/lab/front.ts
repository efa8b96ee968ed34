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

/** Where Portico listens when an nginx stands before it. */
const BEHIND = 1000;

/** The ports Portico listens on, for those that clients and peers come to. */
export function porticoPort(kind: FrontKind, publicPort: number): number {
  return kind === 'normalising nginx' ? publicPort + BEHIND : publicPort;
}

/** The program, as a file for Node. */
export function porticoMain(): string {
  return process.env.PORTICO_MAIN ?? join(REPOSITORY, 'src', 'main.ts');
}

/** Starts a front in a directory that holds `chain.pem`, `key.pem` and, for Portico, `portico.yaml`; the outermost last. */
export async function startFront(kind: FrontKind, host: LabHost, directory: string): Promise<Service[]> {
  const portico = kind === 'nginx' ? [] : [await startPortico(host, directory)];
  if (kind === 'portico') return portico;
  try {
    return [...portico, await startNginx(kind, host, directory)];
  } catch (error) {
    for (const service of portico) await service.stop();
    throw error;
  }
}

/** URL of Portico's metrics. */
export function metricsUrl(host: LabHost): string {
  return `http://${host.ipv4}:${METRICS_PORT}`;
}

function startPortico(host: LabHost, directory: string): Promise<Service> {
  return Service.start({
    name: `Portico on ${host.name}`,
    prefix: host.prefix,
    command: process.execPath,
    args: [porticoMain(), 'run', '--config', join(directory, 'portico.yaml')],
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
  const upstream = (port: number): string =>
    kind === 'nginx' ? `http://${host.ipv4}:${HOMESERVER_PORT}` : `https://${host.ipv4}:${porticoPort(kind, port)}/`;
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `  ${name}_temp_path ${join(directory, `tmp-${name}`)};\n`,
  );
  const config = join(directory, 'nginx.conf');
  writeFileSync(
    config,
    `daemon off;\nuser root;\nworker_processes 1;\npid ${join(directory, 'nginx.pid')};\nerror_log stderr;\n` +
      `events {}\nhttp {\n  access_log off;\n${temporary.join('')}` +
      `  ssl_certificate ${join(directory, 'chain.pem')};\n  ssl_certificate_key ${join(directory, 'key.pem')};\n` +
      `  client_max_body_size 50M;\n  proxy_ssl_server_name on;\n  proxy_ssl_name $host;\n` +
      `  proxy_set_header Host $host:$server_port;\n  proxy_set_header X-Forwarded-For $remote_addr;\n` +
      `  proxy_set_header X-Forwarded-Proto https;\n` +
      `${[443, 8448].map((port) => serverBlock(port, host, upstream(port))).join('')}}\n`,
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

function serverBlock(port: number, host: LabHost, upstream: string): string {
  const listen = [host.ipv4, `[${host.ipv6}]`].map((address) => `    listen ${address}:${port} ssl;\n`).join('');
  return `  server {\n${listen}    location / {\n      proxy_pass ${upstream};\n    }\n  }\n`;
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
