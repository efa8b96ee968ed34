/** The base domains' other web server: a real nginx that serves the two documents, where there are any, and nothing else. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestCa } from '../../helpers/test-certificates.ts';
import { readPeerState } from '../install/peer.ts';
import { Service } from '../harness/service.ts';
import { webRequest } from '../harness/web-request.ts';
import type { WebSite } from './forms.ts';
import type { LabHost } from './network.ts';

/** As an operator copies it from the manual of a homeserver. */
function serverBlock(site: WebSite, host: LabHost, directory: string): string {
  const document = (path: string, value: unknown): string =>
    `    location = ${path} {\n` +
    `      default_type application/json;\n` +
    (site.cors === false ? '' : `      add_header Access-Control-Allow-Origin *;\n`) +
    `      return 200 '${JSON.stringify(value)}';\n    }\n`;
  const server =
    site.delegatesTo === null ? '' : document('/.well-known/matrix/server', { 'm.server': site.delegatesTo });
  const client = document('/.well-known/matrix/client', { 'm.homeserver': { base_url: site.clientUrl } });
  return `  server {
    listen ${host.ipv4}:443 ssl;
    listen [${host.ipv6}]:443 ssl;
    server_name ${site.name};
    ssl_certificate ${join(directory, `${site.name}.pem`)};
    ssl_certificate_key ${join(directory, `${site.name}.key`)};
${server}${client}    location / { return 404; }
  }
`;
}

/**
 * Starts it for all of these sites.
 *
 * @throws ServiceStartError
 */
export async function startWeb(
  host: LabHost,
  directory: string,
  ca: TestCa,
  sites: readonly WebSite[],
): Promise<Service> {
  const state = readPeerState('nginx');
  if (state.state === 'missing') throw new Error(`no nginx: ${state.why}`);
  mkdirSync(directory, { recursive: true });
  for (const { name } of sites) {
    const { cert, key } = await ca.issue([name]);
    writeFileSync(join(directory, `${name}.pem`), cert);
    writeFileSync(join(directory, `${name}.key`), key, { mode: 0o600 });
  }
  const config = join(directory, 'nginx.conf');
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `  ${name}_temp_path ${join(directory, `tmp-${name}`)};\n`,
  );
  writeFileSync(
    config,
    `daemon off;\nuser root;\nworker_processes 1;\npid ${join(directory, 'nginx.pid')};\nerror_log stderr;\n` +
      `events {}\nhttp {\n  access_log off;\n  server_names_hash_bucket_size 128;\n${paths.join('')}` +
      `${sites.map((site) => serverBlock(site, host, directory)).join('')}}\n`,
  );
  const [first] = sites;
  return Service.start({
    name: 'nginx',
    prefix: host.prefix,
    command: state.path,
    args: ['-p', directory, '-e', 'stderr', '-c', config],
    cwd: directory,
    startLimitMs: 30_000,
    isReady: async () => {
      const path = '/.well-known/matrix/client';
      return (
        (await webRequest({ base: `https://${first?.name ?? ''}`, ca: ca.ca, path, timeoutMs: 5000 })).status === 200
      );
    },
  });
}
