/** The lab's DNS: a real Knot, the only server that any host knows. */
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readPeerState } from '../install/peer.ts';
import { Service } from '../harness/service.ts';
import type { LabHost } from './network.ts';

const ASK_LIMIT_MS = 10_000;

/**
 * Starts it with one zone.
 *
 * @param records - lines of the zone file, names absolute
 * @throws ServiceStartError
 */
export async function startDns(
  host: LabHost,
  directory: string,
  zone: string,
  records: readonly string[],
): Promise<Service> {
  const state = readPeerState('knot');
  if (state.state === 'missing') throw new Error(`no Knot: ${state.why}`);
  for (const name of ['run', 'db', 'zones']) mkdirSync(join(directory, name), { recursive: true });
  const text = [
    `${zone}. 60 IN SOA ns.${zone}. hostmaster.${zone}. 1 3600 600 86400 1`,
    `${zone}. 60 IN NS ns.${zone}.`,
    `ns.${zone}. 60 IN A ${host.ipv4}`,
    ...records,
  ];
  writeFileSync(join(directory, 'zones', `${zone}.zone`), `${text.join('\n')}\n`);
  const config = join(directory, 'knot.conf');
  writeFileSync(
    config,
    `
server:
    rundir: "${join(directory, 'run')}"
    listen: [ ${host.ipv4}@53 ]
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "${join(directory, 'db')}"
    journal-db-max-size: 16M
    kasp-db-max-size: 16M
    timer-db-max-size: 16M
log:
  - target: stderr
    any: info
template:
  - id: default
    storage: "${join(directory, 'zones')}"
    file: "%s.zone"
zone:
  - domain: ${zone}
`,
  );
  return Service.start({
    name: 'knot',
    prefix: host.prefix,
    command: state.path,
    args: ['-c', config],
    cwd: directory,
    startLimitMs: 30_000,
    isReady: async () => {
      const query = [`@${host.ipv4}`, '+short', '+timeout=1', '+retry=0', zone, 'SOA'];
      const { stdout } = await promisify(execFile)('kdig', query, { timeout: ASK_LIMIT_MS });
      return stdout.includes('hostmaster');
    },
  });
}
