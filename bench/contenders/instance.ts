/** Contenders that run. */
import { mkdtempSync, chmodSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Running } from '../measure/processes.ts';
import { untilListening } from '../setup/listening.ts';
import { SERVER_NAME, freePort } from '../setup/stand.ts';
import type { Stand } from '../setup/stand.ts';
import type { Contender, SiteFiles } from './contender.ts';

/** One that runs. */
export interface Instance {
  readonly contender: Contender;
  readonly port: number;
  readonly running: Running;
  /** From its start until it took connections, in milliseconds. */
  readonly startMs: number;
  /** Directory with its config and logs; gone after `stop`. */
  readonly directory: string;
  stop(): Promise<void>;
}

/** How it differs from the usual. */
export interface InstanceOptions {
  readonly sites?: readonly SiteFiles[];
  readonly nodeFlags?: readonly string[];
}

/** The site that is served when nothing else is said. */
export function usualSite(stand: Stand): SiteFiles {
  return siteFiles(join(stand.directory, 'tls'), SERVER_NAME);
}

/** A name and where `loader certs` put its files. */
export function siteFiles(directory: string, name: string): SiteFiles {
  const path = join(directory, name);
  return { name, chain: `${path}.pem`, key: `${path}.key`, both: `${path}.both` };
}

/**
 * Starts a contender in front of a backend.
 *
 * @throws Error when it does not come up; the message has its last words
 */
export async function startInstance(
  stand: Stand,
  contender: Contender,
  backendPort: number,
  options: InstanceOptions = {},
): Promise<Instance> {
  const directory = mkdtempSync(join(stand.directory, `${contender.id}-`));
  // nginx' worker is somebody else.
  chmodSync(directory, 0o755);
  const port = await freePort();
  const launch = contender.prepare({
    stand,
    directory,
    port,
    backendPort,
    sites: options.sites ?? [usualSite(stand)],
    nodeFlags: options.nodeFlags ?? [],
  });
  const running = await stand.processes.start({ ...launch, cpu: stand.cpus.contender, log: join(directory, 'log') });
  const startMs = await untilListening(running, port, contender.title);
  return {
    contender,
    port,
    running,
    startMs,
    directory,
    stop: async () => {
      await running.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
