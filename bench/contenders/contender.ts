/** What a contender is: a proxy that can be written a config for, started, and told apart by what it speaks. */
import type { Launch } from '../measure/processes.ts';
import type { Origin, Stand } from '../setup/stand.ts';

/** What a row needs a contender to speak towards clients. */
export type Protocol = 'h1' | 'h2' | 'websocket';

/** One certificate: PEM files of chain and key, and both in one. */
export interface CertificateFiles {
  readonly chain: string;
  readonly key: string;
  readonly both: string;
}

/** A name and its certificate. */
export interface SiteFiles extends CertificateFiles {
  readonly name: string;
}

/** Where an instance is to run. Paths are the host's; `stand.inside` turns them into the chroot's. */
export interface Place {
  readonly stand: Stand;
  /** A directory of its own. */
  readonly directory: string;
  /** Port of 127.0.0.1 for TLS. */
  readonly port: number;
  /** Port of 127.0.0.1 where the backend speaks HTTP/1.1. */
  readonly backendPort: number;
  /** The sites it serves, at least one; the first answers for names that nobody has. */
  readonly sites: readonly SiteFiles[];
  /** Flags for Node, for a contender that runs on it: a profile. */
  readonly nodeFlags?: readonly string[];
}

/** The programs to compare. */
export interface Contender {
  readonly id: string;
  /** For people. */
  readonly title: string;
  readonly origin: Origin;
  readonly speaks: ReadonlySet<Protocol>;
  /** Can be given thousands of sites. */
  readonly manySites: boolean;
  /** Its version. */
  version(stand: Stand): Promise<string>;
  /** Writes its config into the directory and says how to start it. */
  prepare(place: Place): Omit<Launch, 'cpu' | 'log'>;
}
