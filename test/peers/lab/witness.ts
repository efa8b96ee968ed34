/** What came to a host of the lab, as its network saw it (witness.py): the evidence that discovery is held against. */
import { join } from 'node:path';
import { Service } from '../harness/service.ts';
import { readPeerState } from '../install/peer.ts';
import type { LabHost } from './network.ts';

/** A connection that a peer opened. */
export interface SeenHello {
  readonly address: string;
  readonly port: number;
  /** Null: none was sent. */
  readonly sni: string | null;
}

/** A federation request of a peer, as it was handed to the homeserver. */
export interface SeenRequest {
  readonly host: string;
  readonly path: string;
}

/** Watches one host. */
export class Witness {
  readonly #service: Service;

  private constructor(service: Service) {
    this.#service = service;
  }

  /**
   * Starts to watch what `peer` does at `host`.
   *
   * @param homeserverPorts - where the front hands requests on to the homeserver, in plain HTTP
   * @throws ServiceStartError
   */
  static async start(host: LabHost, peer: LabHost, homeserverPorts: readonly number[]): Promise<Witness> {
    const state = readPeerState('synapse');
    if (state.state === 'missing') throw new Error(`no Python of Synapse's: ${state.why}`);
    const script = join(import.meta.dirname, 'witness.py');
    const service = await Service.start({
      name: `witness on ${host.name}`,
      prefix: host.prefix,
      command: join(state.path, 'bin', 'python'),
      args: [script, peer.ipv4, peer.ipv6, ...homeserverPorts.map(String)],
      cwd: import.meta.dirname,
      startLimitMs: 30_000,
      isReady: (running) => Promise.resolve(running.log.startsWith('watching')),
    });
    return new Witness(service);
  }

  /** Everything until now. */
  seen(): { readonly hellos: readonly SeenHello[]; readonly requests: readonly SeenRequest[] } {
    const lines = this.#service.log.split('\n').filter((line) => line.startsWith('{') && line.endsWith('}'));
    const all = lines.map((line) => JSON.parse(line) as SeenHello | SeenRequest);
    return {
      hellos: all.filter((one): one is SeenHello => 'port' in one),
      requests: all.filter((one): one is SeenRequest => 'host' in one),
    };
  }

  /** The end of what it wrote, for a failure message. */
  describeLog(): string {
    return this.#service.describeLog(12);
  }

  async stop(): Promise<void> {
    await this.#service.stop();
  }
}
