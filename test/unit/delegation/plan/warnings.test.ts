import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { PlanSite } from '../../../../src/delegation/plan/plan-site.ts';
import type { FrontSeen, SiteLook } from '../../../../src/delegation/plan/site-look.ts';
import { PLAN_WARNING_ORDER, planWarnings } from '../../../../src/delegation/plan/warnings.ts';
import type { ResolutionWarning } from '../../../../src/delegation/resolve/types.ts';
import { address, asked, caa, OWN, planSite, siteLook, srv, wellKnown } from './world.ts';

type Spoil = (look: SiteLook, site: PlanSite) => SiteLook;

const evidence = (look: SiteLook, changes: Partial<SiteLook['evidence']>): SiteLook => ({
  ...look,
  evidence: { ...look.evidence, ...changes },
});
const document = (look: SiteLook, changes: Parameters<typeof wellKnown>[0]): SiteLook =>
  evidence(look, { resolution: { ...look.evidence.resolution, wellKnown: wellKnown(changes) } });
const resolution = (look: SiteLook, code: ResolutionWarning['code'], seen: string): SiteLook =>
  evidence(look, { resolution: { ...look.evidence.resolution, warnings: [{ code, seen, step: '4' }] } });
const dns = (look: SiteLook, entries: [string, ReturnType<typeof asked>][]): SiteLook => ({
  ...look,
  dns: new Map([...look.dns, ...entries]),
});
const front = (look: SiteLook, https: { server: string | null; network: string | null }): SiteLook => {
  const failure = { code: 'DIAL_TIMEOUT', message: 'no connection', reason: null };
  const seen: FrontSeen = {
    name: 'matrix.example.com',
    address: '192.0.2.99',
    https: { ok: true, value: https },
    matrixPort: { ok: false, failure },
  };
  return { ...look, fronts: [seen] };
};
const valid = { outcome: 'valid', status: 200, problem: null, contentType: 'application/json' } as const;

/** Code, how the world is spoiled, and what the fix must say. */
const ROWS: [code: string, spoil: Spoil, fix: string, site?: Partial<PlanSite>][] = [
  [
    'server-document-overrules-srv',
    (look) => document(look, { ...valid, mServer: 'old.example.com:443' }),
    'answer https://example.com/.well-known/matrix/server with 404',
  ],
  [
    'srv-record-not-as-configured',
    (look) => dns(look, [['SRV _matrix-fed._tcp.example.com', asked(srv('_matrix-fed', 8448, 'old.example.com'))]]),
    'Set _matrix-fed._tcp.example.com. IN SRV 10 0 8448 matrix.example.com.',
  ],
  [
    'srv-record-not-as-configured',
    (look) => dns(look, [['SRV _matrix-fed._tcp.example.com', asked(srv('_matrix-fed', 8448, 'old.example.com'))]]),
    'Remove the SRV record _matrix-fed._tcp.example.com, or set delegation: srv',
    { delegation: 'none', baseDomain: 'here', hosts: [] },
  ],
  [
    'srv-target-is-cname',
    (look) =>
      resolution(
        look,
        'srv-target-is-cname',
        '_matrix-fed._tcp.example.com points to matrix.example.com, which is a CNAME for a.example → b.example.',
      ),
    'Replace the CNAME record of matrix.example.com by A and AAAA records, or point the SRV record to b.example.',
  ],
  [
    'srv-target-dangling',
    (look) =>
      resolution(
        look,
        'srv-target-dangling',
        '_matrix-fed._tcp.example.com points to gone.example.com, which has no address: NXDOMAIN.',
      ),
    'Point the SRV record to a name with an A or AAAA record',
  ],
  ['srv-record-invalid', (look) => resolution(look, 'srv-invalid', 'leads nowhere'), 'Remove the record'],
  [
    'srv-service-deprecated',
    (look) => resolution(look, 'srv-service-deprecated', 'Found by _matrix._tcp.example.com'),
    'Add _matrix-fed._tcp.example.com. IN SRV 10 0 8448 matrix.example.com. and keep the old record',
  ],
  [
    'address-not-ours',
    (look) => dns(look, [['AAAA matrix.example.com', asked(address('matrix.example.com', 'AAAA', '2001:db8::bad'))]]),
    'Set matrix.example.com. IN AAAA 2001:db8::7 instead',
  ],
  [
    'private-address',
    (look) => resolution(look, 'private-address', '10.0.0.1 is private'),
    'Publish the public address',
  ],
  [
    'family-lookup-failed',
    (look) => resolution(look, 'family-lookup-failed', 'AAAA: SERVFAIL'),
    'Make the name servers answer',
  ],
  [
    'caa-forbids-issuer',
    (look) => ({
      ...look,
      caa: new Map([['example.com', { kind: 'found', at: 'example.com', records: [caa('sectigo.com')] }]]),
    }),
    'Add example.com. IN CAA 0 issue "letsencrypt.org"',
  ],
  [
    'caa-unanswered',
    (look) => ({ ...look, caa: new Map([['example.com', { kind: 'failed', at: 'example.com', why: 'SERVFAIL' }]]) }),
    'Make the name servers of example.com answer for type CAA',
  ],
  [
    'server-document-not-as-configured',
    (look) => document(look, { ...valid, mServer: 'old.example.com:443' }),
    'Serve {"m.server":"matrix.example.com:443"} at https://example.com/.well-known/matrix/server',
    { delegation: 'well-known' },
  ],
  [
    'server-document-invalid',
    (look) => document(look, { outcome: 'invalid', status: 500, problem: 'status 500' }),
    '404',
  ],
  [
    'server-document-untrusted',
    (look) =>
      document(look, { outcome: 'unreachable', status: null, problemCode: 'TLS_UNTRUSTED', problem: 'expired' }),
    'Serve a certificate for the base domain',
  ],
  [
    'client-document-not-as-configured',
    (look) => {
      const { client } = look.evidence;
      return client === null
        ? look
        : evidence(look, { client: { ...client, json: { 'm.homeserver': { base_url: 'https://old.example.com' } } } });
    },
    'Serve {"m.homeserver":{"base_url":"https://matrix.example.com"}} at',
  ],
  [
    'client-document-cors',
    (look) => {
      const { client } = look.evidence;
      return client === null
        ? look
        : evidence(look, { client: { ...client, hops: client.hops.map((hop) => ({ ...hop, cors: null })) } });
    },
    'Access-Control-Allow-Origin: *',
  ],
  [
    'cdn-blocks-8448',
    (look) => front(look, { server: 'nginx', network: 'Cloudflare' }),
    'Take matrix.example.com out of the network (a plain DNS record)',
  ],
  [
    'port-8448-closed',
    (look) => front(look, { server: 'nginx', network: null }),
    'set _matrix-fed._tcp.example.com. IN SRV 10 0 443 matrix.example.com.',
  ],
  [
    'cdn-in-front',
    (look) => ({
      ...look,
      fronts: [
        {
          name: 'matrix.example.com',
          address: '192.0.2.99',
          https: { ok: true, value: { server: 'cloudflare', network: 'cloudflare' } },
          matrixPort: null,
        },
      ],
    }),
    'watch for changed URIs',
  ],
  [
    'upper-case',
    (look) => document(look, { ...valid, mServer: 'Matrix.example.com:443' }),
    'Serve {"m.server":"matrix.example.com:443"}',
    { delegation: 'well-known' },
  ],
];

describe('warnings of a plan', () => {
  it.for(['srv', 'well-known'] as const)('none where everything is as wanted: %s', (delegation) => {
    const site = planSite({ delegation });
    const look = siteLook(site);
    const seen = delegation === 'srv' ? look : document(look, { ...valid, mServer: 'matrix.example.com:443' });
    expect(planWarnings(site, OWN, seen)).toEqual([]);
  });

  it.for(ROWS)('%s', ([code, spoil, fix, changes]) => {
    const site = planSite(changes);
    const found = planWarnings(site, OWN, spoil(siteLook(site), site));
    const one = found.find((warning) => warning.code === code);
    expect(found.map((warning) => warning.code)).toContain(code);
    expect(one?.fix).toContain(fix);
    for (const text of [one?.seen, one?.why, one?.spec]) expect(text).not.toBe('');
  });

  it('every one has a row here and on the page', () => {
    const page = readFileSync(new URL('../../../../docs/plan.md', import.meta.url), 'utf8');
    const rows = new Set(ROWS.map(([code]) => code));
    // Of the documents for clients and for support the doctor's own tests have all rows.
    const own = PLAN_WARNING_ORDER.filter((code) => !/^(client|support)-document-/.test(code));
    expect(own.filter((code) => !rows.has(code))).toEqual([]);
    expect(own.filter((code) => !page.includes(`\`${code}\``) && !code.startsWith('server-document-'))).toEqual([]);
  });

  it('one CAA record that stands for several names is told once', () => {
    const found = { kind: 'found', at: 'example.com', records: [caa('sectigo.com')] } as const;
    const certify = ['example.com', 'matrix.example.com'].map((name) => ({
      name,
      wildcard: false,
      challenges: ['http-01'],
    }));
    const look = { ...siteLook(), caa: new Map(certify.map(({ name }) => [name, found])) };
    const warnings = planWarnings(planSite({ certify }), OWN, look);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]?.seen).toContain('for example.com, matrix.example.com they do not name letsencrypt.org');
  });

  it('come in the order of harm', () => {
    const site = planSite();
    const spoiled = ROWS.filter(([, , , changes]) => changes === undefined).toReversed();
    let look = siteLook(site);
    for (const [code, spoil] of spoiled) {
      if (
        [
          'server-document-overrules-srv',
          'srv-target-is-cname',
          'address-not-ours',
          'caa-forbids-issuer',
          'cdn-blocks-8448',
        ].includes(code)
      ) {
        const before = look.evidence.resolution;
        look = spoil(look, site);
        const { resolution } = look.evidence;
        const warnings = [...new Set([...before.warnings, ...resolution.warnings])];
        const wellKnownSeen = resolution.wellKnown;
        look = evidence(look, { resolution: { ...resolution, warnings, wellKnown: wellKnownSeen } });
      }
    }
    expect(planWarnings(site, OWN, look).map(({ code }) => code)).toEqual([
      'server-document-overrules-srv',
      'srv-target-is-cname',
      'address-not-ours',
      'caa-forbids-issuer',
      'cdn-blocks-8448',
    ]);
  });

  it('what is merely not there yet is no warning', () => {
    const site = planSite({ delegation: 'well-known' });
    const look = siteLook(site);
    const client = look.evidence.client;
    const empty = evidence(document(look, {}), {
      client:
        client === null
          ? null
          : { ...client, status: 404, json: undefined, hops: [{ url: '', status: 404, cors: '*' }] },
    });
    expect(planWarnings(site, OWN, { ...empty, dns: new Map() })).toEqual([]);
  });

  it('says nothing of addresses where this machine has none to compare with', () => {
    const look = dns(siteLook(), [['A matrix.example.com', asked(address('matrix.example.com', 'A', '192.0.2.1'))]]);
    expect(planWarnings(planSite(), { v4: [], v6: [] }, look)).toEqual([]);
  });

  it('does not take its own impatience for silence of others', () => {
    const failed = { kind: 'failed', at: 'example.com', why: 'given up' } as const;
    const look = { ...siteLook(), caa: new Map([['example.com', failed]]), cutShort: true };
    expect(planWarnings(planSite(), OWN, look)).toEqual([]);
  });
});
