/**
 * `npm run lab`: real homeservers that find each other by every form of delegation, over real DNS and verified certificates,
 * each on a host of its own. Makes the hosts, runs lab.ts on one of them, and removes whatever it made.
 *
 * `npm run lab -- FORM…` runs only these forms; `broken` stands for the mistakes. Exit code 0 when every check passed, or when the lab cannot be made here (with
 * the reason; with CI=true that is a failure).
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { preparePeers } from '../install.ts';
import type { PeerName } from '../install/peer.ts';
import { createNetwork, obstacle, removeNetwork } from './network.ts';

const NEEDED: readonly PeerName[] = ['synapse', 'dendrite', 'knot', 'nginx'];
const LIMIT_MS = 15 * 60_000;

function cannot(why: string): number {
  console.log(`lab: skipped: ${why}`);
  if (process.env.CI === 'true') console.log('lab: CI=true: that is a failure');
  return process.env.CI === 'true' ? 1 : 0;
}

async function main(): Promise<number> {
  const why = await obstacle();
  if (why !== null) return cannot(why);
  const { missing } = await preparePeers(NEEDED);
  if (missing.length > 0) return cannot(missing.map(({ peer, why: reason }) => `${peer}: ${reason}`).join('; '));
  try {
    const { client } = await createNetwork();
    const [command = '', ...prefix] = client.prefix;
    const lab = [process.execPath, join(import.meta.dirname, 'lab.ts'), ...process.argv.slice(2)];
    const child = spawn(command, [...prefix, ...lab], {
      stdio: 'inherit',
      env: { ...process.env, PORTICO_LAB_OWNER: String(process.pid) },
    });
    const timer = setTimeout(() => child.kill('SIGTERM'), LIMIT_MS);
    // Ctrl-C reaches the child by itself; it stops its services, and the hosts are removed after it.
    const passOn = (signal: NodeJS.Signals): void => {
      child.kill(signal);
    };
    process.on('SIGINT', passOn).on('SIGTERM', passOn);
    const code = await new Promise<number>((resolve) => {
      child.on('error', (error) => {
        console.error(error.message);
        resolve(1);
      });
      child.on('close', (ended) => resolve(ended ?? 1));
    });
    clearTimeout(timer);
    return code;
  } finally {
    await removeNetwork();
  }
}

process.exitCode = await main();
