/** Portico as it stands in this checkout, with its access log and metrics on. */
import { existsSync, globSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { porticoVersion } from '../../src/cli/version.ts';
import type { Contender, Place } from './contender.ts';

/** All load comes from one address here, which no real crowd does: the limits per address make room for it. */
const MANY = 100_000;
const ROOT = join(import.meta.dirname, '..', '..');

/** What users run, dist/, when it is not older than the source; else the source. They differ in how long a start takes. */
export function porticoEntry(root = ROOT): string {
  const built = join(root, 'dist', 'main.js');
  const source = join(root, 'src');
  if (!existsSync(built)) return join(source, 'main.ts');
  const builtAt = statSync(built).mtimeMs;
  const isNewer = globSync('**/*.ts', { cwd: source }).some((name) => statSync(join(source, name)).mtimeMs > builtAt);
  return isNewer ? join(source, 'main.ts') : built;
}

/** Its config. */
export function porticoConfig(place: Pick<Place, 'directory' | 'port' | 'backendPort' | 'sites'>): string {
  return stringify({
    listeners: [{ address: `127.0.0.1:${String(place.port)}`, role: 'https' }],
    sites: place.sites.map(({ name }) => ({
      server_name: name,
      homeserver: `http://127.0.0.1:${String(place.backendPort)}`,
      // Whatever is no Matrix path goes to the backend too, as with the others.
      fallback: { proxy: `http://127.0.0.1:${String(place.backendPort)}` },
    })),
    certificates: place.sites.map(({ name, chain, key }) => ({ names: [name], files: { chain, key } })),
    store: { path: join(place.directory, 'store') },
    log: { level: 'info', access: true },
    metrics: { listen: '127.0.0.1:0' },
    limits: {
      connections_per_address: MANY,
      requests_per_address: MANY,
      max_connections: MANY,
      upstream_max_connections: MANY,
    },
  });
}

/** The subject. */
export const portico: Contender = {
  id: 'portico',
  title: 'Portico',
  origin: 'checkout',
  speaks: new Set(['h1', 'h2', 'websocket']),
  manySites: true,
  version: () =>
    Promise.resolve(
      `${porticoVersion()}, Node ${process.versions.node}${porticoEntry().endsWith('.ts') ? ', not built' : ''}`,
    ),
  prepare: (place) => {
    const config = join(place.directory, 'portico.yaml');
    writeFileSync(config, porticoConfig(place));
    return {
      command: process.execPath,
      args: [...(place.nodeFlags ?? []), porticoEntry(), 'run', '--config', config],
      output: join(place.directory, 'access.log'),
    };
  },
};
