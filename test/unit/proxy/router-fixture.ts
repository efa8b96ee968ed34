/** Snapshots for router tests: two sites, three listeners, everything else at its plainest. */
import { REQUEST_CLASSES, type RequestClass } from '../../../src/base/request-class.ts';
import type { ClassLimits, LimitsData } from '../../../src/policy/class-limits.ts';
import type { ConnectionFacts, RequestFacts } from '../../../src/proxy/route.ts';
import type { ListenerData, SiteData, Snapshot, UpstreamData } from '../../../src/proxy/snapshot.ts';

export function upstream(id: string): UpstreamData {
  return { id, transport: 'tcp', host: '127.0.0.1', port: 8008, socketPath: '', ca: null };
}

function classLimits(maxBodyBytes: number): ClassLimits {
  return {
    responseHeadMs: 60_000,
    responseIdleMs: 60_000,
    requestIdleMs: 60_000,
    minRequestRate: 0,
    minResponseRate: 0,
    maxBodyBytes,
    maxConcurrent: null,
  };
}

const limits: LimitsData = {
  // A different body limit for each class tells in a test which class's limits a route got.
  classes: Object.fromEntries(REQUEST_CLASSES.map((name, index) => [name, classLimits(1000 + index)])) as Record<
    RequestClass,
    ClassLimits
  >,
  connectionsPerAddress: 100,
  requestsPerAddress: 100,
  maxConnections: 1000,
  maxHandshakes: 100,
  handshakeMs: 10_000,
  requestHeadMs: 10_000,
  keepAliveMs: 10_000,
  maxHeadBytes: 16_384,
  maxTargetBytes: 8192,
  maxFields: 100,
  connectMs: 5000,
  upstreamIdleConnections: 10,
  upstreamIdleMs: 5000,
  upstreamMaxConnections: 100,
  queueMs: 5000,
};

export function site(serverName: string, more: Partial<SiteData> = {}): SiteData {
  return {
    serverName,
    hosts: [serverName],
    homeserver: upstream(`homeserver of ${serverName}`),
    federation: null,
    wellKnown: { server: null, client: null, support: null, policyServer: null, maxAgeSeconds: 3600 },
    expose: [],
    fallback: { kind: 'status', status: 404 },
    ...more,
  };
}

export function listener(role: ListenerData['role'], port: number): ListenerData {
  return { host: undefined, port, role, only: null, http2: false };
}

export function snapshot(sites: readonly SiteData[], more: Partial<Snapshot> = {}): Snapshot {
  return {
    version: 1,
    listeners: [listener('https', 443), listener('federation', 8448), listener('http', 80)],
    sites,
    certificates: [],
    defaultName: sites[0]?.serverName ?? '',
    minTlsVersion: 'TLSv1.2',
    ticketKey: { key: '', activeFrom: 0 },
    trustedProxies: [],
    limits,
    ...more,
  };
}

export function request(target: string, more: Partial<RequestFacts> = {}): RequestFacts {
  return { method: 'GET', target, authority: 'example.com', hasBody: false, ...more };
}

export function connection(more: Partial<ConnectionFacts> = {}): ConnectionFacts {
  return {
    role: 'https',
    only: null,
    servername: null,
    certificateNames: [],
    peer: '192.0.2.1',
    localPort: 443,
    ...more,
  };
}

/** The value of a field of an answer, or undefined. */
export function fieldOf(fields: readonly string[], name: string): string | undefined {
  const index = fields.findIndex((field, at) => at % 2 === 0 && field.toLowerCase() === name.toLowerCase());
  return index === -1 ? undefined : fields[index + 1];
}
