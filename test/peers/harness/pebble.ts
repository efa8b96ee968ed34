/**
 * Pebble with a configuration of the test's own, on free ports of the loopback, and pebble-challtestsrv as its DNS. Every name
 * resolves to 127.0.0.1 unless the test says otherwise; challenges are looked for at `httpPort` and `tlsPort`.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { createTestCa } from '../../helpers/test-certificates.ts';
import { readPeerState } from '../install/peer.ts';
import { freePorts } from './free-ports.ts';
import { Service, ServiceStartError } from './service.ts';

/** What differs from test to test. */
export interface PebbleOptions {
  /** For its files; made when it is not there. */
  readonly directory: string;
  /** External account bindings that it requires: key ID and base64url key. */
  readonly eab?: Readonly<Record<string, string>>;
  readonly profiles?: Readonly<Record<string, { readonly description: string; readonly validityPeriod: number }>>;
  /** Names it issues nothing for. */
  readonly blocked?: readonly string[];
  readonly alternateRoots?: number;
  /** How many of a hundred nonces it refuses; its own default is 5. */
  readonly nonceRejectPercent?: number;
  /** How many of a hundred valid authorizations it uses again; its own default is 50. */
  readonly authzReusePercent?: number;
  /** Where it looks names up, `address:port`, instead of its own pebble-challtestsrv. */
  readonly dnsServer?: string;
}

const START_LIMIT_MS = 30_000;
const TRIES = 3;
const ISSUER_NAME = 'pebble.example';

export class Pebble {
  readonly directoryUrl: string;
  /** Trusted for the directory. */
  readonly tlsCaPem: string;
  /** Where Pebble looks for HTTP-01 answers, on whatever address the name has. */
  readonly httpPort: number;
  /** Where it looks for TLS-ALPN-01 answers. */
  readonly tlsPort: number;
  /** UDP and TCP, on 127.0.0.1. */
  readonly dnsPort: number;
  readonly #managementUrl: string;
  readonly #challengeUrl: string;
  readonly #services: readonly Service[];

  private constructor(ports: readonly number[], tlsCaPem: string, services: readonly Service[]) {
    const [acme = 0, management = 0, http = 0, tls = 0, dns = 0, challenges = 0] = ports;
    this.directoryUrl = `https://127.0.0.1:${acme}/dir`;
    this.tlsCaPem = tlsCaPem;
    this.httpPort = http;
    this.tlsPort = tls;
    this.dnsPort = dns;
    this.#managementUrl = `https://127.0.0.1:${management}`;
    this.#challengeUrl = `http://127.0.0.1:${challenges}`;
    this.#services = services;
  }

  /** @throws ServiceStartError */
  static async start(options: PebbleOptions): Promise<Pebble> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await Pebble.#startOn(await freePorts(6), options);
      } catch (error) {
        const mayRepeat = error instanceof ServiceStartError && error.portTaken && attempt < TRIES;
        if (!mayRepeat) throw error;
      }
    }
  }

  static async #startOn(ports: readonly number[], options: PebbleOptions): Promise<Pebble> {
    const state = readPeerState('pebble');
    if (state.state === 'missing') throw new Error(state.why);
    const { directory } = options;
    mkdirSync(directory, { recursive: true });
    const tls = await createTestCa();
    const { cert, key } = await tls.issue(['127.0.0.1', 'localhost']);
    const file = (name: string, content: string): string => {
      const path = join(directory, name);
      writeFileSync(path, content);
      return path;
    };
    const [acme = 0, management = 0, httpPort = 0, tlsPort = 0, dns = 0, challenges = 0] = ports;
    const config = {
      pebble: {
        listenAddress: `127.0.0.1:${acme}`,
        managementListenAddress: `127.0.0.1:${management}`,
        certificate: file('tls.pem', cert),
        privateKey: file('tls-key.pem', key),
        httpPort,
        tlsPort,
        externalAccountBindingRequired: options.eab !== undefined,
        ...(options.eab && { externalAccountMACKeys: options.eab }),
        caaIdentities: [ISSUER_NAME],
        domainBlocklist: options.blocked ?? [],
        retryAfter: { authz: 1, order: 1 },
        keyAlgorithm: 'ecdsa',
        ...(options.profiles && { profiles: options.profiles }),
      },
    };
    const configFile = file('pebble.json', JSON.stringify(config));
    const dnsService = await Service.start({
      name: 'pebble-challtestsrv',
      command: join(state.path, 'pebble-challtestsrv'),
      args: [
        ...['-http01', '', '-https01', '', '-tlsalpn01', '', '-doh', ''],
        ...['-dnsserver', `127.0.0.1:${dns}`, '-management', `127.0.0.1:${challenges}`],
        ...['-defaultIPv4', '127.0.0.1', '-defaultIPv6', ''],
      ],
      cwd: directory,
      isReady: async () => (await listens(dns)) && (await listens(challenges)),
      startLimitMs: START_LIMIT_MS,
    });
    try {
      const pebble = await Service.start({
        name: 'pebble',
        command: join(state.path, 'pebble'),
        args: ['-config', configFile, '-dnsserver', options.dnsServer ?? `127.0.0.1:${dns}`, '-strict'],
        cwd: directory,
        env: {
          PEBBLE_VA_NOSLEEP: '1',
          PEBBLE_WFE_NONCEREJECT: String(options.nonceRejectPercent ?? 5),
          PEBBLE_AUTHZREUSE: String(options.authzReusePercent ?? 50),
          PEBBLE_ALTERNATE_ROOTS: String(options.alternateRoots ?? 0),
        },
        isReady: async () => (await listens(acme)) && (await listens(management)),
        startLimitMs: START_LIMIT_MS,
      });
      return new Pebble(ports, tls.ca, [pebble, dnsService]);
    } catch (error) {
      await dnsService.stop();
      throw error;
    }
  }

  /** The root that certificates of chain `index` end in, PEM; 0 is the default one. */
  async root(index: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const outgoing = request(`${this.#managementUrl}/roots/${index}`, { ca: this.tlsCaPem }, (incoming) => {
        let text = '';
        incoming.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        incoming.on('end', () => resolve(text));
        incoming.on('error', reject);
      });
      outgoing.on('error', reject);
      outgoing.end();
    });
  }

  /** Suggests when to renew a certificate. @param leaf - PEM */
  async suggestRenewal(leaf: string, start: Date, end: Date): Promise<void> {
    const suggestedWindow = { start: start.toISOString(), end: end.toISOString() };
    const body = JSON.stringify({ certificate: leaf, ariResponse: JSON.stringify({ suggestedWindow }) });
    await new Promise<void>((resolve, reject) => {
      const url = `${this.#managementUrl}/set-renewal-info/`;
      const outgoing = request(
        url,
        { ca: this.tlsCaPem, method: 'POST', headers: { 'user-agent': 'test' } },
        (incoming) => {
          let text = '';
          incoming.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
          incoming.on('end', () => {
            if (incoming.statusCode === 200) resolve();
            else reject(new Error(`Pebble answers set-renewal-info with ${incoming.statusCode ?? 0}: ${text}`));
          });
          incoming.on('error', reject);
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }

  /** Adds a TXT record. @param host - without the dot at the end */
  async addTxt(host: string, value: string): Promise<void> {
    await this.#tell('set-txt', { host: `${host}.`, value });
  }

  /** Removes all TXT records of a name. */
  async clearTxt(host: string): Promise<void> {
    await this.#tell('clear-txt', { host: `${host}.` });
  }

  /** Lets a name resolve to these addresses. */
  async setAddresses(host: string, addresses: readonly string[]): Promise<void> {
    await this.#tell('add-a', { host: `${host}.`, addresses });
  }

  /** Lets look-ups of a name fail. */
  async breakName(host: string): Promise<void> {
    await this.#tell('set-servfail', { host: `${host}.` });
  }

  /** Restricts a name to these authorities. */
  async setCaa(host: string, issuers: readonly string[]): Promise<void> {
    await this.#tell('add-caa', { host: `${host}.`, policies: issuers.map((value) => ({ tag: 'issue', value })) });
  }

  describeLogs(): string {
    return this.#services.map((service) => service.describeLog(60)).join('\n');
  }

  async stop(): Promise<void> {
    await Promise.all(this.#services.map((service) => service.stop()));
  }

  async #tell(command: string, body: object): Promise<void> {
    const response = await fetch(`${this.#challengeUrl}/${command}`, { method: 'POST', body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`pebble-challtestsrv answers ${command} with ${response.status}`);
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port });
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('close', () => socket.destroy());
    socket.once('connect', () => socket.destroy());
  });
}
