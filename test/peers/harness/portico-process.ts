/** Starts the real program as an operator does: a YAML file, `portico run --config`, SIGTERM at the end. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { REPOSITORY } from '../install/place.ts';
import type { HomeserverKind } from './homeserver.ts';
import { Service } from './service.ts';
import { webRequest } from './web-request.ts';

/** Which ports it listens on, and what it stands in front of. */
export interface PorticoOptions {
  /** `localhost:` and the federation port. */
  readonly serverName: string;
  readonly kind: HomeserverKind;
  /** Base URL of the homeserver. */
  readonly homeserver: string;
  readonly httpsPort: number;
  readonly federationPort: number;
  readonly metricsPort: number;
  /** An empty directory for the config and the store. */
  readonly directory: string;
  /** Sections added to the config. */
  readonly config?: Readonly<Record<string, unknown>>;
}

/** A running Portico. */
export class PorticoProcess {
  readonly service: Service;
  /** PEM of its local CA. */
  readonly ca: string;

  private constructor(service: Service, ca: string) {
    this.service = service;
    this.ca = ca;
  }

  /**
   * Starts it and waits until it is ready.
   *
   * @throws ServiceStartError
   */
  static async start(options: PorticoOptions): Promise<PorticoProcess> {
    const { directory } = options;
    mkdirSync(directory, { recursive: true });
    const file = join(directory, 'portico.yaml');
    writeFileSync(
      file,
      stringify({
        listeners: [
          { address: `127.0.0.1:${options.httpsPort}`, role: 'https' },
          { address: `127.0.0.1:${options.federationPort}`, role: 'federation' },
        ],
        sites: [
          {
            server_name: options.serverName,
            homeserver: { url: options.homeserver, kind: options.kind },
            client: { base_url: `https://localhost:${options.httpsPort}` },
          },
        ],
        certificates: [{ names: ['localhost'], local_ca: true }],
        store: { path: 'store' },
        metrics: { listen: `127.0.0.1:${options.metricsPort}` },
        ...options.config,
      }),
    );
    const service = await Service.start({
      name: `Portico ${options.serverName}`,
      command: process.execPath,
      args: [process.env.PORTICO_MAIN ?? join(REPOSITORY, 'src', 'main.ts'), 'run', '--config', file],
      cwd: directory,
      startLimitMs: 60_000,
      isReady: async () => {
        const base = `http://127.0.0.1:${options.metricsPort}`;
        return (await webRequest({ base, path: '/health/ready', timeoutMs: 5000 })).status === 200;
      },
    });
    return new PorticoProcess(service, readFileSync(join(directory, 'store', 'local_ca', 'ca.pem'), 'utf8'));
  }

  /**
   * Stops it with SIGTERM.
   *
   * @throws Error when it does not end with exit code 0 by itself
   */
  async stop(): Promise<void> {
    const { code, signal } = await this.service.stop();
    if (code === 0 && signal === null) return;
    throw new Error(
      `Portico did not end well after SIGTERM: ${signal ?? `exit code ${code ?? 'none'}`}\n${this.service.describeLog(40)}`,
    );
  }
}
