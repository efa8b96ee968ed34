/** What the tests need to know of a homeserver, whichever it is. */
import type { Service } from './service.ts';

/** The kinds there are. */
export type HomeserverKind = 'synapse' | 'dendrite';

/** How to start one. */
export interface HomeserverOptions {
  /** Its Matrix identity, `localhost:PORT` with the port of the front door's federation listener. */
  readonly serverName: string;
  /** Where clients find it, through the front door. */
  readonly clientUrl: string;
  /** Free port for its plain HTTP listener. */
  readonly port: number;
  /** Address of that listener; default 127.0.0.1. */
  readonly address?: string;
  /** Port of a listener for federation alone; the other one is for clients then. Synapse only. */
  readonly federationPort?: number;
  /** What the command line begins with, to run it elsewhere: `ip netns exec NAME`. */
  readonly prefix?: readonly string[];
  /** An empty directory for its state. */
  readonly directory: string;
  /** Certificates (PEM) of the authorities it trusts for federation. */
  readonly trustedCas: readonly string[];
}

/** A running homeserver. */
export interface Homeserver {
  readonly kind: HomeserverKind;
  readonly service: Service;
}
