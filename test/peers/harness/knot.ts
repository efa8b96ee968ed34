/**
 * A real authoritative DNS server (Knot) on a free port of loopback, which takes updates signed with TSIG. It needs no rights:
 * everything it writes is in its own directory.
 *
 * ```ts
 * const knot = await startKnot({ 'example.test': 'hs 60 IN A 127.0.0.1\n' });
 * createStubClient({ servers: [knot.server], random: randomBytes });
 * ```
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { DnsServer } from '../../../src/dns/server-address.ts';
import { TSIG_ALGORITHMS, type TsigAlgorithm } from '../../../src/dns/tsig.ts';
import { readPeerState } from '../install/peer.ts';
import { freePorts } from './free-ports.ts';
import { Service, ServiceStartError } from './service.ts';

const START_LIMIT_MS = 20_000;
const TRIES = 3;
const ASK_LIMIT_MS = 20_000;

/** A shared key that the server knows; all of them may change TXT records, unless they are `readonly`. */
export interface KnotKey {
  readonly name: string;
  readonly algorithm: TsigAlgorithm;
  /** Base64, as in a config. */
  readonly secret: string;
}

/** A running server. */
export interface Knot extends AsyncDisposable {
  readonly server: DnsServer;
  /** One that may update, per algorithm. */
  readonly keys: Readonly<Record<TsigAlgorithm, KnotKey>>;
  /** Known to the server, and allowed nothing. */
  readonly powerless: KnotKey;
  readonly service: Service;
  /** What `kdig +short` prints, line by line: another implementation's view. */
  ask(name: string, type: string): Promise<string[]>;
  /** Runs `knsupdate` with these commands, signed with the key. */
  update(key: KnotKey, commands: string): Promise<void>;
  stop(): Promise<void>;
}

/** Where to listen and what else to say in the config. */
export interface KnotOptions {
  /** Default 127.0.0.1; further addresses listen on the same port. */
  readonly addresses?: readonly string[];
  /** Default: a free one. */
  readonly port?: number;
}

/**
 * Starts it with these zones.
 * @param zones - name → records in the form of a zone file, relative to the name; SOA and NS (`ns`, 127.0.0.1) are there already
 * unless the text has an SOA of its own
 */
export async function startKnot(zones: Readonly<Record<string, string>>, options: KnotOptions = {}): Promise<Knot> {
  for (let tries = 1; ; tries++) {
    try {
      return await startOnce(zones, options);
    } catch (error) {
      if (!(error instanceof ServiceStartError) || !error.portTaken || tries === TRIES) throw error;
    }
  }
}

async function startOnce(zones: Readonly<Record<string, string>>, options: KnotOptions): Promise<Knot> {
  const state = readPeerState('knot');
  if (state.state === 'missing') throw new Error(state.why);
  const { addresses = ['127.0.0.1'] } = options;
  const port = options.port ?? (await freePorts(1))[0]!;
  const directory = mkdtempSync(join(tmpdir(), 'portico-knot-'));
  const key = (name: string, algorithm: TsigAlgorithm): KnotKey => ({
    name,
    algorithm,
    secret: randomBytes(32).toString('base64'),
  });
  const keys = Object.fromEntries(
    TSIG_ALGORITHMS.map((algorithm) => [algorithm, key(`key-${algorithm.slice(5)}`, algorithm)]),
  ) as Record<TsigAlgorithm, KnotKey>;
  const powerless = key('powerless', 'hmac-sha256');

  for (const name of ['run', 'db', 'zones']) mkdirSync(join(directory, name));
  for (const [zone, text] of Object.entries(zones)) writeFileSync(zoneFile(directory, zone), zoneText(zone, text));
  const config = join(directory, 'knot.conf');
  const listen = addresses.map((address) => `${address}@${port}`);
  writeFileSync(config, configText(directory, listen, [...Object.values(keys), powerless], Object.keys(zones)));

  let service: Service;
  try {
    service = await Service.start({
      name: 'knot',
      command: state.path,
      args: ['-c', config],
      cwd: directory,
      startLimitMs: START_LIMIT_MS,
      isReady: async () => {
        const soas = await Promise.all(Object.keys(zones).map((zone) => dig(port, zone, 'SOA')));
        return soas.every((lines) => lines.length > 0);
      },
    });
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
  const stop = async (): Promise<void> => {
    await service.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  return {
    server: { address: addresses[0] ?? '127.0.0.1', port },
    keys,
    powerless,
    service,
    ask: (name, type) => dig(port, name, type),
    update: (signer, commands) => knsupdate(directory, port, signer, commands),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function zoneFile(directory: string, zone: string): string {
  return join(directory, 'zones', `${zone}.zone`);
}

function zoneText(zone: string, records: string): string {
  const apex = '@ 60 IN SOA ns hostmaster 1 3600 600 86400 1\n@ 60 IN NS ns\nns 60 IN A 127.0.0.1\n';
  return `$ORIGIN ${zone}.\n$TTL 60\n${/\bSOA\b/.test(records) ? '' : apex}${records}`;
}

/** One worker of each kind is plenty, and the machine is small. */
function configText(directory: string, listen: string[], keys: KnotKey[], zones: string[]): string {
  const mayUpdate = keys.filter(({ name }) => name !== 'powerless').map(({ name }) => name);
  return `
server:
    rundir: "${join(directory, 'run')}"
    listen: [ ${listen.join(', ')} ]
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
key:
${keys.map(({ name, algorithm, secret }) => `  - id: ${name}\n    algorithm: ${algorithm}\n    secret: ${secret}`).join('\n')}
acl:
  - id: update
    key: [ ${mayUpdate.join(', ')} ]
    action: update
    update-type: [ TXT ]
template:
  - id: default
    storage: "${join(directory, 'zones')}"
    file: "%s.zone"
    acl: update
    zonefile-sync: -1
    zonefile-load: difference
    journal-content: changes
zone:
${zones.map((zone) => `  - domain: ${zone}`).join('\n')}
`;
}

async function dig(port: number, name: string, type: string): Promise<string[]> {
  const args = ['@127.0.0.1', '-p', String(port), '+short', '+timeout=2', '+retry=0', name, type];
  const { stdout } = await promisify(execFile)('kdig', args, { timeout: ASK_LIMIT_MS });
  return stdout.split('\n').filter((line) => line !== '' && !line.startsWith(';'));
}

async function knsupdate(directory: string, port: number, key: KnotKey, commands: string): Promise<void> {
  const number = readdirSync(directory).length;
  const file = join(directory, `update-${number}.txt`);
  writeFileSync(file, `server 127.0.0.1 ${port}\n${commands}\nsend\n`);
  const args = ['-y', `${key.algorithm}:${key.name}:${key.secret}`, file];
  await promisify(execFile)('knsupdate', args, { timeout: ASK_LIMIT_MS });
}
