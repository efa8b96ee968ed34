/**
 * Ways to get it wrong, as data: each is one form with one mistake, the cause in words, and what a peer sees of it. That some
 * of them are hardly seen is the point: whoever checks a server must name the cause before its users meet it.
 */
import { DEFAULTS, ZONE, addresses, namesOf, type Plan } from './forms.ts';
import type { LabHost } from './network.ts';

/** What a peer can do with the server. */
export interface SeenByPeers {
  /** Ask for a user's profile: the plainest of signed requests, and all that many a test of a server asks for. */
  readonly profile: boolean;
  /** Join a room as a user whose name holds `/`: such names stand in the paths of signed requests. */
  readonly join: boolean;
}

/** A mistake. */
export interface BrokenVariant {
  readonly id: string;
  readonly title: string;
  /** What the first finding about it has to name. */
  readonly cause: string;
  /** The code of that finding. */
  readonly finding: string;
  /** The same where the config is not known; null: nothing is found without it. */
  readonly withoutConfig: string | null;
  /** Portico refuses some mistakes; those are made with an nginx in its place. A normalising one stands before Portico. */
  readonly front: 'portico' | 'nginx' | 'normalising nginx';
  readonly seen: SeenByPeers;
  plan(home: LabHost, web: LabHost): Plan;
}

const WORKS: SeenByPeers = { profile: true, join: true };
const DEAD: SeenByPeers = { profile: false, join: false };
/** Nobody has it. */
const DEAD_IPV6 = 'fd77::dead';

/** Found without delegation, except for one mistake. */
function undelegated(id: string, home: LabHost, change: Partial<Plan> = {}): Plan {
  const { base } = namesOf(id, 'broken');
  return {
    ...DEFAULTS,
    serverName: base,
    clientUrl: `https://${base}`,
    records: addresses(base, home),
    certificate: [base],
    ...change,
  };
}

/** Found by an SRV record that leads to `target`, with the base domain elsewhere. */
function bySrv(id: string, home: LabHost, web: LabHost, target: string, change: Partial<Plan> = {}): Plan {
  const { base, matrix } = namesOf(id, 'broken');
  const clientUrl = `https://${matrix}`;
  return {
    ...DEFAULTS,
    serverName: base,
    clientUrl,
    records: [
      ...addresses(base, web),
      ...addresses(matrix, home),
      `_matrix-fed._tcp.${base}. 60 IN SRV 10 0 8448 ${target}.${base}.`,
      `alias.${base}. 60 IN CNAME ${matrix}.`,
      ...addresses(`old.${base}`, web),
    ],
    web: { name: base, delegatesTo: null, clientUrl },
    site: { delegation: 'srv', base_domain: 'elsewhere', hosts: [matrix] },
    certificate: [base, matrix],
    ...change,
  };
}

export const BROKEN: readonly BrokenVariant[] = [
  {
    id: 'wrong-certificate',
    title: 'certificate for another name',
    cause: 'the certificate is not for the name that peers ask for',
    finding: 'certificate-wrong-name',
    withoutConfig: 'certificate-wrong-name',
    front: 'nginx',
    seen: DEAD,
    plan: (home) => undelegated('wrong-certificate', home, { certificate: [`www.wrong-certificate.broken.${ZONE}`] }),
  },
  {
    id: 'document-overrules-srv',
    title: 'a forgotten document overrules the SRV record',
    cause: 'the base domain serves a document, which counts before the SRV record, and leads elsewhere',
    finding: 'server-document-overrules-srv',
    withoutConfig: 'server-document-overrules-srv',
    front: 'portico',
    seen: DEAD,
    plan: (home, web) => {
      const { base, matrix } = namesOf('document-overrules-srv', 'broken');
      const document = { name: base, delegatesTo: `old.${base}`, clientUrl: `https://${matrix}` };
      return bySrv('document-overrules-srv', home, web, 'matrix', { web: document });
    },
  },
  {
    id: 'srv-to-cname',
    title: 'SRV to a CNAME',
    cause: 'the target of the SRV record is an alias, which RFC 2782 forbids',
    finding: 'srv-target-is-cname',
    withoutConfig: 'srv-target-is-cname',
    front: 'portico',
    seen: WORKS,
    plan: (home, web) => bySrv('srv-to-cname', home, web, 'alias'),
  },
  {
    id: 'dead-aaaa',
    title: 'one dead AAAA',
    cause: 'one of the addresses does not answer',
    finding: 'address-dead',
    withoutConfig: 'address-dead',
    front: 'portico',
    seen: WORKS,
    plan: (home) => {
      const { base } = namesOf('dead-aaaa', 'broken');
      const records = [`${base}. 60 IN A ${home.ipv4}`, `${base}. 60 IN AAAA ${DEAD_IPV6}`];
      return undelegated('dead-aaaa', home, { records });
    },
  },
  {
    id: 'normalising-nginx',
    title: 'nginx in between that normalises',
    cause: 'something in between changes the bytes of the request target, so that signatures break',
    finding: 'uri-changed',
    withoutConfig: null,
    front: 'normalising nginx',
    seen: { profile: true, join: false },
    plan: (home) => undelegated('normalising-nginx', home),
  },
  {
    id: 'missing-cors',
    title: 'client document without CORS',
    cause: 'browsers may not read the client document of the base domain',
    finding: 'client-document-cors',
    withoutConfig: 'client-document-cors',
    front: 'portico',
    seen: WORKS,
    plan: (home, web) => {
      const { base, matrix } = namesOf('missing-cors', 'broken');
      const document = { name: base, delegatesTo: null, clientUrl: `https://${matrix}`, cors: false };
      return bySrv('missing-cors', home, web, 'matrix', { web: document });
    },
  },
];
