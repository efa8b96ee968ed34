/** Caddy: reverse_proxy with kept-alive upstream connections, certificates from files, no log. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runStep } from '../../test/peers/install/step.ts';
import type { Contender } from './contender.ts';

/** What the config depends on. */
export interface CaddySetting {
  readonly port: number;
  readonly backendPort: number;
  readonly certificates: readonly { readonly certificate: string; readonly key: string }[];
}

/** Its config. */
export function caddyConfig(setting: CaddySetting): string {
  const proxy = {
    handler: 'reverse_proxy',
    upstreams: [{ dial: `127.0.0.1:${String(setting.backendPort)}` }],
    transport: { protocol: 'http', keep_alive: { max_idle_conns_per_host: 512, idle_timeout: '300s' } },
  };
  return JSON.stringify({
    admin: { disabled: true, config: { persist: false } },
    logging: { logs: { default: { level: 'ERROR' } } },
    apps: {
      http: {
        servers: {
          front: {
            listen: [`127.0.0.1:${String(setting.port)}`],
            protocols: ['h1', 'h2'],
            automatic_https: { disable: true },
            // Whatever name is asked for; the certificates are chosen by it all the same.
            tls_connection_policies: [{}],
            strict_sni_host: false,
            routes: [{ handle: [proxy] }],
          },
        },
      },
      tls: { certificates: { load_files: setting.certificates } },
    },
  });
}

/** Caddy of the chroot. */
export const caddy: Contender = {
  id: 'caddy',
  title: 'Caddy',
  origin: 'chroot',
  speaks: new Set(['h1', 'h2', 'websocket']),
  manySites: true,
  version: async (stand) => {
    const args = [stand.root, 'caddy', 'version'];
    const text = await runStep({ log: 'bench-caddy-version', command: 'chroot', args, timeoutMs: 10_000 });
    return text.trim().replace(/^v/, '').replace(/ .*/, '');
  },
  prepare: ({ stand, directory, port, backendPort, sites }) => {
    const config = join(directory, 'caddy.json');
    const certificates = sites.map(({ chain, key }) => ({ certificate: stand.inside(chain), key: stand.inside(key) }));
    writeFileSync(config, caddyConfig({ port, backendPort, certificates }));
    const home = stand.inside(directory);
    return {
      command: 'chroot',
      args: [stand.root, 'caddy', 'run', '--config', stand.inside(config)],
      env: { HOME: home, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home },
    };
  },
};
