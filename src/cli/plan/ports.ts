/** Ports to open in the firewall, and ports that have to be forwarded. */
import { formatListenAddress } from '../../base/address.ts';
import { peersPlace } from '../../delegation/plan/plan-site.ts';
import type { PlanContext, PlanLine, PlanSection } from './section.ts';

interface PortPlan {
  readonly port: number;
  readonly direction: 'in' | 'out';
  readonly why: string;
  /** The listener; null: there is none on this port, and it has to be forwarded to one. */
  readonly listener: string | null;
}

/** The section `ports`. */
export function portsSection(context: PlanContext): PlanSection {
  const { config, sites } = context;
  const challenges = new Set(sites.flatMap(({ certify }) => certify.flatMap((name) => name.challenges)));
  const wanted = new Map<number, string[]>();
  const want = (port: number, why: string): void => {
    const reasons = wanted.get(port) ?? [];
    if (!reasons.includes(why)) wanted.set(port, [...reasons, why]);
  };
  for (const site of sites) want(peersPlace(site).port, 'peers');
  want(443, 'clients');
  if (sites.some(({ baseDomain }) => baseDomain === 'here')) want(443, 'discovery documents');
  if (challenges.has('tls-alpn-01')) want(443, 'tls-alpn-01');
  if (challenges.has('http-01')) want(80, 'http-01');
  const listeners = config.listeners.map(({ role, address }) => ({
    role,
    port: address.port,
    text: formatListenAddress(address),
  }));
  for (const { role, port } of listeners) {
    if (port !== 0) want(port, role === 'http' ? 'redirects to https' : role === 'federation' ? 'peers' : 'clients');
  }
  const inbound = [...wanted].map(([port, reasons]): PortPlan => ({
    port,
    direction: 'in',
    why: reasons.join(', '),
    listener: listeners.find((listener) => listener.port === port)?.text ?? null,
  }));
  const issuers = [...new Set(sites.flatMap((site) => site.issuers.map(({ directoryUrl }) => new URL(directoryUrl))))];
  const hosts = [...new Map(issuers.map((url) => [url.host, url])).values()];
  const outbound = hosts.map((url): PortPlan => ({
    port: url.port === '' ? 443 : Number(url.port),
    direction: 'out',
    why: `certificates from ${url.hostname}`,
    listener: null,
  }));
  const data = [...inbound.sort((a, b) => b.port - a.port), ...outbound];
  return { key: 'ports', title: 'Ports', data, lines: data.map((one) => portLine(one)) };
}

function portLine({ port, direction, why, listener }: PortPlan): PlanLine {
  const label = `${direction === 'in' ? 'in ' : 'out'} ${`${String(port)}/tcp`.padEnd(9)} ${why}`;
  if (direction === 'out') return { depth: 0, text: label };
  if (listener === null) return { depth: 0, text: `${label}: no listener, forward it to one`, kind: 'warn' };
  const plain = listener === `:${String(port)}`;
  return { depth: 0, text: plain ? label : `${label} (listening on ${listener})` };
}
