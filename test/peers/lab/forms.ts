/**
 * The ways a server name leads to a homeserver, as data: what stands in DNS, what the base domain's own web server says, and
 * what the operator of Portico writes. Each is made of the one before it as little as may be, so that a row shows one form.
 */
import type { HomeserverKind } from '../harness/homeserver.ts';
import type { LabHost } from './network.ts';

/** Everything of the lab is below it. */
export const ZONE = 'lab.test';
/** A port that nobody would guess: who gets there has read it somewhere. */
const OTHER_PORT = 8449;

/** A document of the base domain's other web server. */
export interface WebSite {
  readonly name: string;
  /** Value of `m.server`; null: there is no such document. */
  readonly delegatesTo: string | null;
  /** Value of `m.homeserver.base_url`. */
  readonly clientUrl: string;
  /** Browsers may read the documents of another origin; left out: they may. */
  readonly cors?: boolean;
}

/** One form, for one homeserver. */
export interface Plan {
  readonly serverName: string;
  /** Where clients go. */
  readonly clientUrl: string;
  /** Lines of the zone; names are absolute. */
  readonly records: readonly string[];
  readonly web: WebSite | null;
  /** `sites[0]` without server name and homeserver. */
  readonly site: Readonly<Record<string, unknown>>;
  readonly federationPort: number;
  /** Names of the one certificate: those that peers and clients ask for. */
  readonly certificate: readonly string[];
  /** The role of the listener that peers come to. */
  readonly enters: 'https' | 'federation';
  /** The homeserver has a listener for federation of its own. */
  readonly federationUrl: boolean;
  /** What the doctor says of it, worst first; no errors, since it works. */
  readonly findings: readonly string[];
}

/** A form of delegation. */
export interface Form {
  readonly id: string;
  readonly title: string;
  plan(kind: HomeserverKind, home: LabHost, web: LabHost): Plan;
}

export const addresses = (name: string, host: LabHost): string[] => [
  `${name}. 60 IN A ${host.ipv4}`,
  `${name}. 60 IN AAAA ${host.ipv6}`,
];
export const service = (prefix: string, name: string, target: string): string =>
  `${prefix}._tcp.${name}. 60 IN SRV 10 0 ${OTHER_PORT} ${target}.`;

/** The other web server answers 404 as most do, without CORS. */
const ELSEWHERE = ['support-document-cors'];

export const DEFAULTS = {
  web: null,
  site: {},
  federationPort: 8448,
  enters: 'federation',
  federationUrl: false,
  findings: [],
} as const;

/** The names that the forms with DNS are made of. */
export function namesOf(id: string, kind: HomeserverKind | 'broken'): { base: string; matrix: string } {
  const base = `${id}.${kind}.${ZONE}`;
  return { base, matrix: `matrix.${base}` };
}

function srvForm(id: string, title: string, prefix: string, findings: readonly string[] = ELSEWHERE): Form {
  return {
    id,
    title,
    plan: (kind, home, web) => {
      const { base, matrix } = namesOf(id, kind);
      const clientUrl = `https://${matrix}`;
      return {
        ...DEFAULTS,
        serverName: base,
        clientUrl,
        records: [...addresses(base, web), ...addresses(matrix, home), service(prefix, base, matrix)],
        web: { name: base, delegatesTo: null, clientUrl },
        site: { delegation: 'srv', base_domain: 'elsewhere', hosts: [matrix] },
        findings,
        federationPort: OTHER_PORT,
        certificate: [base, matrix],
      };
    },
  };
}

/** The forms, in the order in which peers look for them. */
export const FORMS: readonly Form[] = [
  {
    id: 'ip4',
    title: 'IPv4 literal',
    plan: (_kind, home) => ({
      ...DEFAULTS,
      serverName: home.ipv4,
      clientUrl: `https://${home.ipv4}`,
      records: [],
      certificate: [home.ipv4],
    }),
  },
  {
    id: 'ip6',
    title: 'IPv6 literal',
    plan: (_kind, home) => ({
      ...DEFAULTS,
      serverName: `[${home.ipv6}]`,
      clientUrl: `https://[${home.ipv6}]`,
      records: [],
      certificate: [home.ipv6],
    }),
  },
  {
    id: 'port',
    title: 'explicit port',
    plan: (kind, home) => {
      const { base } = namesOf('port', kind);
      return {
        ...DEFAULTS,
        serverName: `${base}:${OTHER_PORT}`,
        clientUrl: `https://${base}`,
        records: addresses(base, home),
        federationPort: OTHER_PORT,
        certificate: [base],
      };
    },
  },
  {
    id: 'well-known-port',
    title: 'well-known, with port',
    plan: (kind, home) => {
      const { base, matrix } = namesOf('well-known-port', kind);
      return {
        ...DEFAULTS,
        serverName: base,
        clientUrl: `https://${matrix}`,
        records: [...addresses(base, home), ...addresses(matrix, home)],
        site: { delegation: 'well-known', delegated_name: `${matrix}:443` },
        certificate: [base, matrix],
        enters: 'https',
      };
    },
  },
  {
    id: 'well-known-srv',
    title: 'well-known, then _matrix-fed',
    plan: (kind, home) => {
      const { base, matrix } = namesOf('well-known-srv', kind);
      const front = `front.${base}`;
      return {
        ...DEFAULTS,
        serverName: base,
        clientUrl: `https://${matrix}`,
        records: [
          ...[base, matrix, front].flatMap((name) => addresses(name, home)),
          service('_matrix-fed', matrix, front),
        ],
        site: { delegation: 'well-known', delegated_name: matrix },
        federationPort: OTHER_PORT,
        certificate: [base, matrix],
      };
    },
  },
  {
    id: 'well-known',
    title: 'well-known elsewhere, no port',
    plan: (kind, home, web) => {
      const { base, matrix } = namesOf('well-known', kind);
      const clientUrl = `https://${matrix}`;
      return {
        ...DEFAULTS,
        serverName: base,
        clientUrl,
        records: [...addresses(base, web), ...addresses(matrix, home)],
        web: { name: base, delegatesTo: matrix, clientUrl },
        findings: ELSEWHERE,
        site: { delegation: 'well-known', delegated_name: matrix, base_domain: 'elsewhere' },
        certificate: [matrix],
      };
    },
  },
  srvForm('srv', '_matrix-fed, base elsewhere', '_matrix-fed'),
  srvForm('srv-legacy', '_matrix, base elsewhere', '_matrix', ['srv-service-deprecated', ...ELSEWHERE]),
  {
    id: 'none',
    title: 'none',
    plan: (kind, home) => {
      const { base } = namesOf('none', kind);
      return {
        ...DEFAULTS,
        serverName: base,
        clientUrl: `https://${base}`,
        records: addresses(base, home),
        certificate: [base],
      };
    },
  },
  {
    id: 'playbook',
    title: "the playbook's layout",
    plan: (kind, home, web) => {
      const { base, matrix } = namesOf('playbook', kind);
      const clientUrl = `https://${matrix}`;
      return {
        ...DEFAULTS,
        serverName: base,
        clientUrl,
        records: [...addresses(base, web), ...addresses(matrix, home)],
        web: { name: base, delegatesTo: `${matrix}:8448`, clientUrl },
        findings: ELSEWHERE,
        site: { delegation: 'well-known', delegated_name: `${matrix}:8448`, base_domain: 'elsewhere' },
        certificate: [matrix],
        federationUrl: true,
      };
    },
  },
];

/** The server that all forms federate with: a Synapse that is found without any delegation. */
export function peerPlan(peer: LabHost): Plan {
  const name = `peer.${ZONE}`;
  return {
    ...DEFAULTS,
    serverName: name,
    clientUrl: `https://${name}`,
    records: addresses(name, peer),
    certificate: [name],
  };
}
