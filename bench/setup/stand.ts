/** Everything a run needs: programs, a directory that is the same inside and outside of the chroot, certificates, CPUs. */
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Debian } from '../../test/peers/install/debian.ts';
import { findProgram } from '../../test/peers/install/find-program.ts';
import { placeOf } from '../../test/peers/install/place.ts';
import { InstallError, runStep } from '../../test/peers/install/step.ts';
import type { Processes } from '../measure/processes.ts';
import { prepareChroot } from './chroot.ts';
import { prepareLoader } from './loader.ts';
import { preparePackages } from './packages.ts';

/** Name that every contender has a certificate for; it resolves to loopback everywhere. */
export const SERVER_NAME = 'localhost';

/** Where a contender's program comes from: this checkout, the chroot, or the npm packages of bench/. */
export type Origin = 'checkout' | 'chroot' | 'npm';

/** What is prepared. */
export interface Stand {
  readonly processes: Processes;
  /** What cannot be had here, and why. */
  readonly missing: ReadonlyMap<Origin, string>;
  /** The chroot, or an empty directory in its place when there is none. */
  readonly root: string;
  /** Directory of this run, within the chroot. */
  readonly directory: string;
  /** The loader of bench/loader. */
  readonly loader: string;
  /** One CPU for the contender, one for load and backend. */
  readonly cpus: { readonly contender: number; readonly load: number };
  /** A path of this run as a program in the chroot sees it. */
  inside(path: string): string;
  /** Removes the run's directory. */
  remove(): void;
}

/**
 * Prepares it; what is in place already is not touched.
 *
 * @param timed - load generators are needed as well
 * @throws InstallError when something that every run needs cannot be had here
 */
export async function prepareStand(processes: Processes, timed: boolean): Promise<Stand> {
  if (availableParallelism() < 2) throw new Error('this takes two CPUs: one for the contender, one for the load');
  const debian = new Debian();
  if (timed) await prepareGenerators(debian);
  const missing = new Map<Origin, string>();
  const orMissing = async <T>(origin: Origin, work: Promise<T>): Promise<T | null> => {
    try {
      return await work;
    } catch (error) {
      if (!(error instanceof InstallError)) throw error;
      missing.set(origin, error.message);
      return null;
    }
  };
  const [chroot, loader] = await Promise.all([
    orMissing('chroot', prepareChroot(debian)),
    prepareLoader(debian),
    orMissing('npm', preparePackages()),
  ]);
  const root = chroot ?? placeOf('bench-run');
  const directory = runDirectory(join(root, 'bench'));
  await runStep({
    log: 'bench-certs',
    command: loader,
    args: ['certs', '-out', join(directory, 'tls'), '-name', SERVER_NAME],
    timeoutMs: 30_000,
  });
  writeFileSync(join(directory, 'body-2k'), matrixBody(2000));
  return {
    processes,
    missing,
    root,
    directory,
    loader,
    cpus: { contender: 0, load: 1 },
    inside: (path) => (path.startsWith(`${root}/`) ? path.slice(root.length) : path),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

async function prepareGenerators(debian: Debian): Promise<void> {
  const packages = [
    ['wrk', 'wrk'],
    ['h2load', 'nghttp2-client'],
  ] as const;
  const missing = packages.filter(([program]) => findProgram(program) === null).map(([, name]) => name);
  if (missing.length > 0) await debian.install('bench', missing);
}

/** A fresh directory named after this process; those of runs that were killed are removed. */
function runDirectory(parent: string): string {
  mkdirSync(parent, { recursive: true, mode: 0o755 });
  for (const name of readdirSync(parent)) {
    if (name === String(process.pid) || !existsSync(`/proc/${name}`)) {
      rmSync(join(parent, name), { recursive: true, force: true });
    }
  }
  const directory = join(parent, String(process.pid));
  mkdirSync(directory, { mode: 0o755 });
  return directory;
}

/** A JSON body of exactly this size (at least 60 bytes), of the shape of an event. */
export function matrixBody(bytes: number): string {
  const [head, tail] = ['{"msgtype":"m.text","body":"', '"}'];
  return head + 'a'.repeat(Math.max(0, bytes - head.length - tail.length)) + tail;
}

/** A TCP port of loopback that was free a moment ago, for programs that cannot choose one and tell. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
