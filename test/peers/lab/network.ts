/**
 * Hosts for the lab: a network namespace each, on one bridge that stands in a namespace of its own, so that nothing of it is
 * in the machine's own network. Each has an address of both families and its own resolv.conf. Everything is removed by name.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram } from '../install/find-program.ts';

const IP_LIMIT_MS = 20_000;
/** iproute2 looks here for files that `ip netns exec` mounts over those in /etc. */
const ETC_NETNS = '/etc/netns';
const NAMESPACES = '/run/netns';
/** The creator's process id is in the name: what a dead one left can be told. */
const OURS = /^portico(\d+)-\w+$/;
const SBIN = '/usr/sbin:/sbin';
const BRIDGE = 'bridge';

/** Last part of each host's addresses. */
export const HOSTS = { dns: 53, web: 80, peer: 10, synapse: 20, dendrite: 30, client: 2 } as const;
export type HostName = keyof typeof HOSTS;

/** One host. */
export interface LabHost {
  readonly name: HostName;
  readonly namespace: string;
  readonly ipv4: string;
  readonly ipv6: string;
  /** What a command line begins with to be run there. */
  readonly prefix: readonly string[];
}

/** The program that makes namespaces, or null. */
function ipProgram(): string | null {
  return findProgram('ip') ?? findProgram('ip', SBIN);
}

async function ip(...args: string[]): Promise<string> {
  return (await promisify(execFile)(ipProgram() ?? 'ip', args, { timeout: IP_LIMIT_MS })).stdout;
}

/** Why namespaces cannot be made here, or null when they can. It is tried. */
export async function obstacle(): Promise<string | null> {
  if (process.platform !== 'linux') return 'network namespaces are of Linux';
  if (process.getuid?.() !== 0) return 'not root, and only root makes network namespaces';
  if (ipProgram() === null) return 'there is no program `ip` (Debian package iproute2)';
  const name = namespaceOf('try');
  try {
    await ip('netns', 'add', name);
    await ip('-n', name, 'link', 'add', BRIDGE, 'type', 'bridge');
    await ip('-n', name, 'link', 'add', 'one', 'type', 'veth', 'peer', 'name', 'two');
    return null;
  } catch (error) {
    return `namespaces, bridges or veth pairs cannot be made: ${error instanceof Error ? error.message.trim() : String(error)}`;
  } finally {
    await removeNamespace(name);
  }
}

function namespaceOf(host: string, pid = process.pid): string {
  return `portico${pid}-${host}`;
}

/** A host as it is named by the process that made the network. */
export function hostOf(name: HostName, pid: number): LabHost {
  const namespace = namespaceOf(name, pid);
  return {
    name,
    namespace,
    ipv4: `10.77.0.${HOSTS[name]}`,
    ipv6: `fd77::${HOSTS[name]}`,
    prefix: [ipProgram() ?? 'ip', 'netns', 'exec', namespace],
  };
}

/** Makes all hosts; the names of the process that calls are taken. */
export async function createNetwork(): Promise<Record<HostName, LabHost>> {
  await removeLeftovers();
  const bridge = namespaceOf('lan');
  await ip('netns', 'add', bridge);
  await ip('-n', bridge, 'link', 'add', BRIDGE, 'type', 'bridge');
  await ip('-n', bridge, 'link', 'set', BRIDGE, 'up');
  const dns = hostOf('dns', process.pid);
  const entries: [HostName, LabHost][] = [];
  for (const name of Object.keys(HOSTS) as HostName[]) {
    const host = hostOf(name, process.pid);
    await addHost(host, bridge);
    const etc = join(ETC_NETNS, host.namespace);
    mkdirSync(etc, { recursive: true });
    writeFileSync(join(etc, 'resolv.conf'), `nameserver ${dns.ipv4}\noptions timeout:2 attempts:2\n`);
    entries.push([name, host]);
  }
  return Object.fromEntries(entries) as Record<HostName, LabHost>;
}

async function addHost(host: LabHost, bridge: string): Promise<void> {
  const { name, namespace } = host;
  await ip('netns', 'add', namespace);
  await ip('link', 'add', 'eth0', 'netns', namespace, 'type', 'veth', 'peer', 'name', name, 'netns', bridge);
  await ip('-n', bridge, 'link', 'set', name, 'master', BRIDGE, 'up');
  await ip('-n', namespace, 'link', 'set', 'lo', 'up');
  await ip('-n', namespace, 'addr', 'add', `${host.ipv4}/24`, 'dev', 'eth0');
  await ip('-n', namespace, 'addr', 'add', `${host.ipv6}/64`, 'dev', 'eth0', 'nodad');
  await ip('-n', namespace, 'link', 'set', 'eth0', 'up');
}

/** Removes what this process made; it need not be whole. */
export async function removeNetwork(): Promise<void> {
  for (const name of ['lan', ...Object.keys(HOSTS)]) await removeNamespace(namespaceOf(name));
}

/** Removes what processes left that are gone. */
async function removeLeftovers(): Promise<void> {
  const names = [NAMESPACES, ETC_NETNS].flatMap((directory) => (existsSync(directory) ? readdirSync(directory) : []));
  for (const name of new Set(names)) {
    const pid = OURS.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) await removeNamespace(name);
  }
}

async function removeNamespace(name: string): Promise<void> {
  rmSync(join(ETC_NETNS, name), { recursive: true, force: true });
  if (!existsSync(join(NAMESPACES, name))) return;
  // Whoever still runs there was started by the lab, and would keep the namespace alive without its name.
  for (const pid of (await ip('netns', 'pids', name)).split('\n').filter((line) => line !== '')) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It has ended by itself in the meantime.
    }
  }
  await ip('netns', 'delete', name);
}
