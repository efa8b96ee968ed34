/** Metrics of client connections and TLS handshakes. */
import type { Registry } from 'prom-client';
import { defineFamily, LabelledCounter } from './metric-family.ts';

/** A listener's role, as in the config. */
type Role = 'https' | 'federation' | 'http';

/** Calls of the listeners. */
export interface ConnectionMetrics {
  connectionOpened(role: Role): void;
  /** Once for each `connectionOpened`. */
  connectionClosed(role: Role): void;
  handshakeStarted(): void;
  /** @param version - `TLSv1.3` or `TLSv1.2`, as Node's `getProtocol()` says it */
  handshakeFinished(version: string, resumed: boolean): void;
  /** @param reason - a stable code such as `SNI_UNKNOWN`, `HANDSHAKE_TIMEOUT`, or OpenSSL's `ERR_SSL_…` */
  handshakeFailed(reason: string): void;
}

const ROLES = ['https', 'federation', 'http'] as const;

/** Registers the families and returns their calls. */
export function createConnectionMetrics(registry: Registry): ConnectionMetrics {
  const opened: Record<Role, number> = { https: 0, federation: 0, http: 0 };
  const closed: Record<Role, number> = { https: 0, federation: 0, http: 0 };
  const full = new LabelledCounter([], 8);
  const resumptions = new LabelledCounter([], 8);
  const failures = new LabelledCounter();
  let handshaking = 0;

  defineFamily(registry, {
    name: 'portico_connections',
    type: 'gauge',
    help: 'Open client connections, by the role of the listener',
    labels: ['role'],
    samples: () => ROLES.map((role) => ({ labels: { role }, value: opened[role] - closed[role] })),
  });
  defineFamily(registry, {
    name: 'portico_connections_total',
    type: 'counter',
    help: 'Client connections accepted, by the role of the listener',
    labels: ['role'],
    samples: () => ROLES.map((role) => ({ labels: { role }, value: opened[role] })),
  });
  defineFamily(registry, {
    name: 'portico_tls_handshakes_in_progress',
    type: 'gauge',
    help: 'TLS handshakes that have begun and not ended',
    labels: [],
    samples: () => [{ labels: {}, value: handshaking }],
  });
  defineFamily(registry, {
    name: 'portico_tls_handshakes_total',
    type: 'counter',
    help: 'TLS handshakes completed, by version and whether a session was resumed (true, false)',
    labels: ['version', 'resumed'],
    samples: () =>
      ([[full, 'false'], [resumptions, 'true']] as const).flatMap(([counter, resumed]) =>
        counter.samples('version').map(({ labels, value }) => ({ labels: { ...labels, resumed }, value })),
      ), // prettier-ignore
  });
  defineFamily(registry, {
    name: 'portico_tls_handshake_failures_total',
    type: 'counter',
    help: 'TLS handshakes that failed, by reason (a stable code, or the code of OpenSSL)',
    labels: ['reason'],
    samples: () => failures.samples('reason'),
  });

  return {
    connectionOpened: (role) => {
      opened[role]++;
    },
    connectionClosed: (role) => {
      closed[role]++;
    },
    handshakeStarted: () => {
      handshaking++;
    },
    handshakeFinished: (version, resumed) => {
      handshaking--;
      (resumed ? resumptions : full).add(version);
    },
    handshakeFailed: (reason) => {
      handshaking--;
      failures.add(reason);
    },
  };
}
