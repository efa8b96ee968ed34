/** What one would write on Node with a package: the baselines that Portico has to be worth its own relay against. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Contender, Protocol } from './contender.ts';

const BENCH = join(import.meta.dirname, '..');

function relay(id: string, packageName: string, speaks: readonly Protocol[]): Contender {
  return {
    id,
    title: packageName,
    origin: 'npm',
    speaks: new Set(speaks),
    manySites: false,
    version: () => {
      const text = readFileSync(join(BENCH, 'node_modules', packageName, 'package.json'), 'utf8');
      const { version } = JSON.parse(text) as { version: string };
      return Promise.resolve(`${version}, Node ${process.versions.node}`);
    },
    prepare: ({ port, backendPort, sites, nodeFlags = [] }) => {
      const [site] = sites;
      if (site === undefined) throw new Error('a contender needs a site');
      const program = join(import.meta.dirname, 'relays', `${id}.ts`);
      const setting = JSON.stringify({ port, backendPort, chain: site.chain, key: site.key });
      return { command: process.execPath, args: [...nodeFlags, program, setting] };
    },
  };
}

/** The package that most Node proxies are made of. */
export const httpProxy = relay('http-proxy', 'http-proxy', ['h1', 'websocket']);

/** Node's https server in front of undici's pool. */
export const undici = relay('undici', 'undici', ['h1']);
