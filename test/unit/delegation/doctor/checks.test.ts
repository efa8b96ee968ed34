/** Every finding: a healthy server spoiled in one way, and what the doctor says first about it. */
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { UriCanary } from '../../../../src/delegation/canary/uri-canary.ts';
import { CATALOGUE, FINDING_CODES } from '../../../../src/delegation/doctor/catalogue.ts';
import type { FindingCode } from '../../../../src/delegation/doctor/catalogue.ts';
import { CHECKS } from '../../../../src/delegation/doctor/checks/index.ts';
import { factsOf } from '../../../../src/delegation/doctor/facts.ts';
import { tapLines } from '../../../../src/delegation/doctor/tap.ts';
import { diagnosisLines } from '../../../../src/cli/doctor/text.ts';
import { recordingTerminal } from '../../cli/recording-terminal.ts';
import { diagnose } from '../../../../src/delegation/doctor/diagnose.ts';
import type { Evidence, PlaceSeen } from '../../../../src/delegation/doctor/evidence.ts';
import type { ResolutionWarning } from '../../../../src/delegation/resolve/types.ts';
import type { WellKnownSeen } from '../../../../src/delegation/resolve/well-known.ts';
import { PorticoError } from '../../../../src/base/errors.ts';
import {
  bad,
  CLIENT,
  DAY,
  DEAD,
  document,
  EXPECTED,
  good,
  HEALTHY,
  HOUR,
  json,
  keyDocument,
  leaf,
  NOTHING,
  NOW,
  OTHER_KEY,
  place,
  RESOLUTION,
  SUPPORT,
  TARGET,
  tls,
  VERSION,
  WELL_KNOWN,
} from './healthy.ts';

const V6 = '2001:503:ba3e::2:30';

const SENT = new UriCanary({
  secret: Buffer.alloc(32),
  clock: { now: () => NOW, monotonic: () => 0 },
  random: randomBytes,
}).question().target;

const with_ = (changes: Partial<Evidence>): Evidence => ({ ...HEALTHY, ...changes });
const onePlace = (changes: Partial<PlaceSeen>): Evidence => with_({ places: [place(undefined, changes)] });
const warned = (code: ResolutionWarning['code']): Evidence =>
  with_({ resolution: { ...RESOLUTION, warnings: [{ code, step: '6', seen: 'Seen.' }] } });
const wellKnown = (changes: Partial<WellKnownSeen>, expected: Evidence['expected'] = null): Evidence =>
  with_({ resolution: { ...RESOLUTION, wellKnown: { ...WELL_KNOWN, ...changes } }, expected });
const valid = { outcome: 'valid', mServer: 'hs.example.com:443', problem: null, status: 200 } as const;
const noCors = (path: string, value: unknown, status = 200) => {
  const seen = document(path, value, { status });
  return { ...seen, hops: [{ url: seen.url, status, cors: null }] };
};

const DEAD_PLACE = place(V6, { tls: DEAD, ...NOTHING, otherPort: null });
const OVERRULED = ['_matrix-fed._tcp.example.com: hs.example.com port 8448'];

/** First finding; title; evidence; what `seen` says. */
const ROWS: readonly (readonly [FindingCode, string, Evidence, RegExp])[] = [
  [
    'name-does-not-resolve',
    'no address',
    with_({
      places: [],
      resolution: { ...RESOLUTION, targets: [], error: new PorticoError('RESOLVE_NO_ADDRESS', 'No address.') },
    }),
    /^Step 6: No address\.$/,
  ],
  ['srv-target-is-cname', 'SRV to a CNAME', warned('srv-target-is-cname'), /^Seen/],
  ['srv-target-dangling', 'SRV to nowhere', warned('srv-target-dangling'), /^Seen/],
  ['srv-service-deprecated', 'only _matrix', warned('srv-service-deprecated'), /^Seen/],
  ['srv-record-invalid', 'SRV with port 0', warned('srv-invalid'), /^Seen/],
  ['family-lookup-failed', 'SERVFAIL for AAAA', warned('family-lookup-failed'), /^Seen/],
  ['private-address', 'an address of 10/8', warned('private-address'), /^Seen/],
  ['upper-case', 'Example.com', warned('upper-case'), /^Seen/],
  [
    'srv-record-missing',
    'delegation: srv without a record',
    with_({ expected: { ...EXPECTED, delegation: 'srv' } }),
    /no SRV record _matrix-fed\._tcp\.example\.com/,
  ],
  [
    'server-document-overrules-srv',
    'a document beside delegation: srv',
    wellKnown(valid, { ...EXPECTED, delegation: 'srv' }),
    /says "hs\.example\.com:443", and the config says delegation: srv/,
  ],
  [
    'server-document-overrules-srv',
    'a document that leads nowhere beside an SRV record, without a config',
    { ...wellKnown(valid), overruledSrv: OVERRULED, places: [DEAD_PLACE] },
    /says "hs\.example\.com:443", where nobody answers, and there is _matrix-fed\._tcp\.example\.com: hs\.example\.com port 8448/,
  ],
  [
    'server-document-not-as-configured',
    'a document beside delegation: none',
    wellKnown(valid, EXPECTED),
    /delegation: none/,
  ],
  [
    'server-document-not-as-configured',
    'another name than delegated_name',
    wellKnown(valid, { ...EXPECTED, delegation: 'well-known', mServer: 'matrix.example.com:443' }),
    /says "hs\.example\.com:443", the config "matrix\.example\.com:443"/,
  ],
  [
    'server-document-missing',
    '404 beside delegation: well-known',
    wellKnown({}, { ...EXPECTED, delegation: 'well-known', mServer: 'matrix.example.com:443' }),
    /status 404/,
  ],
  ['server-document-invalid', 'HTML', wellKnown({ outcome: 'invalid', problem: 'it is not JSON' }), /it is not JSON/],
  [
    'server-document-invalid',
    'too large',
    wellKnown({
      outcome: 'unreachable',
      problemCode: 'HTTP_TOO_LARGE',
      problem: 'the body is larger than 51200 bytes.',
    }),
    /larger than/,
  ],
  [
    'server-document-slow',
    'a base domain that drops packets',
    wellKnown({
      outcome: 'unreachable',
      problemCode: 'DIAL_TIMEOUT',
      problem: '198.41.0.4 port 443: no connection within 10000 ms.',
    }),
    /no connection within/,
  ],
  [
    'server-document-untrusted',
    'a base domain with a bad certificate',
    wellKnown({
      outcome: 'unreachable',
      problemCode: 'TLS_UNTRUSTED',
      problem: '198.41.0.4 port 443, /.well-known/matrix/server: the certificate is for a, not for b.',
    }),
    /: the certificate is for a, not for b\.$/,
  ],
  ['server-document-content-type', 'text/html', wellKnown({ ...valid, contentType: 'text/html' }), /text\/html/],
  [
    'server-document-differs',
    'addresses that disagree',
    with_({
      serverDocuments: [
        { address: '198.41.0.4', says: good('m.server a.example:443') },
        { address: V6, says: good('status 404') },
      ],
    }),
    /198\.41\.0\.4: m\.server a\.example:443; 2001:503:ba3e::2:30: status 404/,
  ],
  [
    'server-document-address-dead',
    'one address of the base domain is dead',
    with_({
      serverDocuments: [
        { address: '198.41.0.4', says: good('status 404') },
        { address: V6, says: bad('DIAL_TIMEOUT', `${V6} port 443: no connection within 10000 ms.`) },
      ],
    }),
    /^2001:503:ba3e::2:30: no answer \(no connection within 10000 ms\)\.$/,
  ],
  [
    'server-document-differs',
    'one address with a bad certificate',
    with_({
      serverDocuments: [
        { address: '198.41.0.4', says: good('m.server a.example:443') },
        { address: V6, says: bad('TLS_UNTRUSTED', `${V6} port 443, /x: the certificate is not trusted (X).`) },
      ],
    }),
    /no answer \(the certificate is not trusted \(X\)\)/,
  ],
  [
    'port-8448-closed',
    '443 answers, 8448 does not',
    onePlace({ tls: DEAD, ...NOTHING }),
    /^198\.41\.0\.4:8448: ECONNREFUSED; port 443 of the same address answers\.$/,
  ],
  [
    'no-address-answers',
    'nothing answers',
    with_({
      places: ['198.41.0.4', V6].map((address) =>
        place(address, { tls: DEAD, ...NOTHING, otherPort: { port: 443, keys: DEAD } }),
      ),
    }),
    /^198\.41\.0\.4:8448: ECONNREFUSED; \[2001:503:ba3e::2:30\]:8448: ECONNREFUSED\.$/,
  ],
  [
    'address-dead',
    'one AAAA that does not answer',
    with_({ places: [place(), place(V6, { tls: DEAD, ...NOTHING, otherPort: { port: 443, keys: DEAD } })] }),
    /^\[2001:503:ba3e::2:30\]:8448: ECONNREFUSED\.$/,
  ],
  [
    'address-not-checked',
    'no IPv6 on this machine',
    with_({
      places: [
        place(),
        place(V6, { ...NOTHING, tls: bad('DIAL_FAILED', `${V6} port 8448: ENETUNREACH.`, 'ENETUNREACH') }),
      ],
    }),
    /ENETUNREACH/,
  ],
  [
    'tls-refused',
    'an alert instead of a handshake',
    onePlace({ ...NOTHING, tls: bad('TLS_FAILED', '198.41.0.4 port 8448: no TLS handshake: unrecognized name.') }),
    /with SNI example\.com, no TLS handshake: unrecognized name/,
  ],
  [
    'certificate-wrong-name',
    'the certificate of the SRV target',
    with_({
      places: [
        place(undefined, {
          target: { ...TARGET, addressName: 'hs.example.com', srv: { service: '_matrix-fed', priority: 0, weight: 0 } },
          tls: good(tls({}, { names: ['hs.example.com'] })),
        }),
      ],
    }),
    /peers check for example\.com, the certificate is for hs\.example\.com: that is the target of the SRV record/,
  ],
  [
    'certificate-dates',
    'expired',
    onePlace({ tls: good(tls({ chainProblem: 'CERT_HAS_EXPIRED' }, { notAfter: NOW - DAY })) }),
    /expired on 2026-11-30/,
  ],
  [
    'certificate-dates',
    'not yet valid',
    onePlace({ tls: good(tls({ chainProblem: 'CERT_NOT_YET_VALID' }, { notBefore: NOW + DAY })) }),
    /not valid before 2026-12-02/,
  ],
  [
    'certificate-dates',
    'an expired intermediate',
    onePlace({ tls: good(tls({ chainProblem: 'CERT_HAS_EXPIRED' })) }),
    /of the chain/,
  ],
  [
    'certificate-chain-incomplete',
    'only the leaf',
    onePlace({ tls: good(tls({ chain: [leaf()], chainProblem: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' })) }),
    /without the certificate of Intermediate/,
  ],
  [
    'certificate-untrusted',
    'a CA of its own',
    onePlace({ tls: good(tls({ chainProblem: 'SELF_SIGNED_CERT_IN_CHAIN' })) }),
    /issued by Root \(SELF_SIGNED_CERT_IN_CHAIN\)/,
  ],
  [
    'certificate-expires-soon',
    '13 days left',
    onePlace({ tls: good(tls({}, { notBefore: NOW - 76 * DAY, notAfter: NOW + 13 * DAY + HOUR })) }),
    /in 13 days/,
  ],
  [
    'certificate-expires-soon',
    'one of six days left',
    onePlace({ tls: good(tls({}, { notBefore: NOW - 5 * DAY, notAfter: NOW + DAY })) }),
    /in 1 days/,
  ],
  [
    'key-document-unreachable',
    'status 404',
    onePlace({ keys: good(json({ errcode: 'M_UNRECOGNIZED' }, { status: 404 })) }),
    /with Host example\.com, status 404 M_UNRECOGNIZED/,
  ],
  [
    'key-document-unreachable',
    'no response',
    onePlace({ keys: bad('HTTP_TIMEOUT', '198.41.0.4 port 8448, /_matrix/key/v2/server: no answer within 10000 ms.') }),
    /with Host example\.com, no answer within/,
  ],
  [
    'key-document-invalid',
    'HTML',
    onePlace({ keys: good(json(undefined, { text: '<html>' })) }),
    /not JSON, but "<html>"/,
  ],
  [
    'key-document-invalid',
    'no keys',
    onePlace({ keys: good(json(keyDocument({ verify_keys: {} }))) }),
    /no ed25519 key/,
  ],
  [
    'key-document-invalid',
    'no valid_until_ts',
    onePlace({ keys: good(json(keyDocument({ valid_until_ts: 'x' }))) }),
    /no valid_until_ts/,
  ],
  [
    'key-document-other-server',
    'the keys of another server',
    onePlace({ keys: good(json(keyDocument({ server_name: 'matrix.example.com' }))) }),
    /those of matrix\.example\.com/,
  ],
  [
    'key-signature-invalid',
    'signed by another key',
    onePlace({ keys: good(json(keyDocument({}, undefined, OTHER_KEY))) }),
    /ed25519:1 is missing or does not verify/,
  ],
  [
    'key-signature-invalid',
    'changed after signing',
    onePlace({ keys: good(json({ ...keyDocument(), valid_until_ts: NOW + 2 * DAY })) }),
    /does not verify/,
  ],
  [
    'key-document-expired',
    'yesterday',
    onePlace({ keys: good(json(keyDocument({ valid_until_ts: NOW - 1 }))) }),
    /valid until 2026-12-01T11:59/,
  ],
  [
    'key-document-expires-soon',
    'within the hour',
    onePlace({ keys: good(json(keyDocument({ valid_until_ts: NOW + HOUR - 1 }))) }),
    /valid until/,
  ],
  [
    'key-document-valid-too-long',
    'eight days',
    onePlace({ keys: good(json(keyDocument({ valid_until_ts: NOW + 8 * DAY }))) }),
    /valid until 2026-12-09/,
  ],
  [
    'federation-version-unavailable',
    'a redirect',
    onePlace({ version: good(json(undefined, { status: 302, location: 'https://www.example.com/' })) }),
    /status 302, a redirect to https:\/\/www\.example\.com/,
  ],
  ['federation-version-unavailable', 'no server in it', onePlace({ version: good(json({})) }), /no server name/],
  [
    'content-type-not-json',
    'text/plain',
    onePlace({ keys: good(json(keyDocument(), { contentType: 'text/plain' })) }),
    /key\/v2\/server has text\/plain/,
  ],
  [
    'split-brain',
    'other keys at the other address',
    with_({
      places: [place(), place(V6, { keys: good(json(keyDocument({}, OTHER_KEY))), otherPort: null })],
    }),
    /198\.41\.0\.4:8448 is example\.com with ed25519:1 .*; \[2001:503:ba3e::2:30\]:8448 is example\.com with ed25519:1/,
  ],
  [
    'split-brain',
    'another version at the other address',
    with_({
      places: [place(), place(V6, { version: good(json({ server: { name: 'Dendrite', version: '0.15.2' } })) })],
    }),
    /Synapse 1\.163\.0; .*Dendrite 0\.15\.2/,
  ],
  [
    'ports-disagree',
    'another homeserver on 443',
    onePlace({ otherPort: { port: 443, keys: good(json(keyDocument({ server_name: 'old.example.com' }))) } }),
    /port 8448 gives example\.com .*, port 443 gives old\.example\.com/,
  ],
  [
    'host-form-refused',
    'Host with port gets 421',
    onePlace({
      otherHost: { host: 'example.com:8448', reply: good(json({ errcode: 'M_UNRECOGNIZED' }, { status: 421 })) },
    }),
    /Host example\.com is answered, Host example\.com:8448 gives status 421 M_UNRECOGNIZED/,
  ],
  [
    'without-sni-refused',
    'no certificate without SNI',
    onePlace({ withoutSni: bad('TLS_FAILED', '198.41.0.4 port 8448: no TLS handshake: closed.') }),
    /no TLS handshake: closed/,
  ],
  [
    'without-sni-wrong-certificate',
    'traefik.default',
    onePlace({ withoutSni: good(tls({}, { names: ['x.traefik.default'] })) }),
    /for x\.traefik\.default/,
  ],
  [
    'tls12-refused',
    'TLS 1.3 only',
    onePlace({ tls12: bad('TLS_FAILED', '198.41.0.4 port 8448: no TLS handshake: protocol version.') }),
    /protocol version/,
  ],
  [
    'uri-changed',
    'a proxy that decodes slashes',
    onePlace({ canary: { sent: SENT, reply: good(json({})), received: SENT.replaceAll('G%2FG', 'G/G') } }),
    /: %2F became \/, %2F became \/ in the query\.$/,
  ],
  [
    'canary-lost',
    'a proxy that refuses',
    onePlace({ canary: { sent: SENT, reply: good(json({}, { status: 400 })), received: null } }),
    /status 400/,
  ],
  [
    'canary-lost',
    'another server',
    onePlace({ canary: { sent: SENT, reply: good(json({})), received: null } }),
    /not from this Portico/,
  ],
  [
    'cdn-in-front',
    'cloudflare',
    onePlace({ keys: good(json(keyDocument(), { server: 'cloudflare' })) }),
    /"cloudflare"/,
  ],
  ['client-document-invalid', 'HTML', with_({ client: document('client', undefined), expected: null }), /not JSON/],
  [
    'client-document-invalid',
    'no base_url',
    with_({ client: document('client', {}), expected: null }),
    /no m\.homeserver\.base_url/,
  ],
  [
    'client-document-invalid',
    'http',
    with_({ client: document('client', { 'm.homeserver': { base_url: 'http://example.com' } }), expected: null }),
    /browsers want https/,
  ],
  [
    'client-document-invalid',
    'status 500',
    with_({ client: document('client', {}, { status: 500 }), expected: null }),
    /status 500/,
  ],
  [
    'client-document-cors',
    'none on 200',
    with_({ client: noCors('client', CLIENT) }),
    /\(status 200\) has no Access-Control-Allow-Origin/,
  ],
  [
    'client-document-cors',
    'none on 404',
    with_({ client: noCors('client', {}, 404), expected: null }),
    /\(status 404\) has no/,
  ],
  [
    'client-document-cors',
    'none on a redirect',
    with_({
      client: {
        ...document('client', CLIENT),
        hops: [
          { url: 'https://example.com/.well-known/matrix/client', status: 302, cors: null },
          { url: 'https://www.example.com/.well-known/matrix/client', status: 200, cors: '*' },
        ],
      },
    }),
    /\(status 302\) has no/,
  ],
  [
    'client-document-cors',
    'two stars',
    with_({
      client: { ...document('client', CLIENT), hops: [{ url: 'https://example.com/', status: 200, cors: '*, *' }] },
    }),
    /Access-Control-Allow-Origin: \*, \*/,
  ],
  [
    'client-document-not-as-configured',
    'a key is missing',
    with_({ expected: { ...EXPECTED, client: { ...CLIENT, 'org.matrix.msc4143.rtc_foci': [] } } }),
    /org\.matrix\.msc4143\.rtc_foci is missing/,
  ],
  [
    'client-document-not-as-configured',
    'status 404',
    with_({ client: document('client', {}, { status: 404 }) }),
    /status 404/,
  ],
  [
    'client-document-missing',
    'status 404 of a stranger',
    with_({ client: document('client', {}, { status: 404 }), expected: null }),
    /status 404/,
  ],
  [
    'client-base-url-unreachable',
    'status 502',
    with_({ versions: { url: 'https://example.com/_matrix/client/versions', reply: good(json({}, { status: 502 })) } }),
    /status 502/,
  ],
  [
    'client-base-url-unreachable',
    'no versions',
    with_({ versions: { url: 'https://x/', reply: good(json({})) } }),
    /no versions/,
  ],
  [
    'client-base-url-cors',
    'no CORS',
    with_({ versions: { url: 'https://x/', reply: good(json({ versions: [] }, { cors: null })) } }),
    /no Access-Control/,
  ],
  [
    'support-document-invalid',
    'empty',
    with_({ support: document('support', {}), expected: null }),
    /neither contacts nor support_page/,
  ],
  [
    'support-document-invalid',
    'a contact without address',
    with_({ support: document('support', { contacts: [{ role: 'm.role.admin' }] }), expected: null }),
    /neither matrix_id nor email_address/,
  ],
  [
    'support-document-cors',
    'none on 404',
    with_({ support: noCors('support', {}, 404), expected: null }),
    /status 404/,
  ],
  [
    'support-document-not-as-configured',
    'other contacts',
    with_({ support: document('support', { ...SUPPORT, support_page: 'https://x.example' }) }),
    /another document/,
  ],
  ['not-everything-checked', 'the budget is spent', with_({ exhausted: true }), /early, after 23 requests/],
];

describe('the doctor', () => {
  it('finds nothing wrong with a healthy server', () => {
    expect(diagnose(HEALTHY)).toMatchObject({ ok: true, findings: [] });
    expect(diagnose({ ...HEALTHY, expected: null }).findings).toEqual([]);
  });

  it.for(ROWS)('%s: %s', ([code, , evidence, seen]) => {
    const { findings, ok } = diagnose(evidence);
    expect(findings[0]).toMatchObject({ code, severity: CATALOGUE[code].severity });
    expect(findings[0]?.seen).toMatch(seen);
    expect(ok).toBe(findings.every(({ severity }) => severity !== 'error'));
    for (const one of findings) expect(one.seen).toMatch(/^[A-Z0-9[h].*\.$/s);
  });

  it('has a row for every code that a check can give, and for no other', () => {
    const given = new Set(CHECKS.flatMap(({ codes }) => codes));
    const shown = new Set(ROWS.map(([code]) => code));
    expect(FINDING_CODES.filter((code) => !given.has(code))).toEqual([]);
    expect([...given].filter((code) => !shown.has(code))).toEqual([]);
  });

  it('lets no check give a code that it does not name', () => {
    for (const [, title, evidence] of ROWS) {
      for (const check of CHECKS) {
        for (const { code } of check.judge(evidence)) expect(check.codes, title).toContain(code);
      }
    }
  });

  it('takes no certificate of six days for an old one while it is young', () => {
    const young = onePlace({ tls: good(tls({}, { notBefore: NOW - 3 * DAY, notAfter: NOW + 3 * DAY })) });
    expect(diagnose(young).findings).toEqual([]);
  });

  it('says private addresses are fine where they are allowed', () => {
    expect(diagnose({ ...warned('private-address'), allowPrivate: true }).findings).toEqual([]);
  });

  it('says the same of two places once', () => {
    const places = ['198.41.0.4', V6].map((address) =>
      place(address, { tls: good(tls({}, { names: ['b.example'] })) }),
    );
    const found = diagnose(with_({ places })).findings.filter(({ code }) => code === 'certificate-dates');
    expect(found).toEqual([]);
    const dates = ['198.41.0.4', V6].map((address) => place(address, { tls: good(tls({}, { notAfter: NOW - DAY })) }));
    expect(diagnose(with_({ places: dates })).findings[0]?.seen).toBe(
      '198.41.0.4:8448 and [2001:503:ba3e::2:30]:8448: expired on 2026-11-30.',
    );
  });

  it('tells causes before consequences', () => {
    const places = [
      place(undefined, { tls: good(tls({}, { names: ['b.example'] })), version: good(json({}, { status: 421 })) }),
    ];
    const { expected, resolution } = wellKnown(valid, { ...EXPECTED, delegation: 'srv' });
    const { findings } = diagnose({
      ...HEALTHY,
      expected,
      resolution: { ...resolution, step: '3.2' },
      places,
      client: noCors('client', CLIENT),
    });
    expect(findings.map(({ code }) => code)).toEqual([
      'server-document-overrules-srv',
      'certificate-wrong-name',
      'federation-version-unavailable',
      'client-document-cors',
    ]);
  });

  it('takes a document and an SRV record for meant when peers get in', () => {
    const both = { ...wellKnown(valid), overruledSrv: OVERRULED };
    expect(diagnose(both).findings).toEqual([]);
    expect(diagnose({ ...both, places: [...both.places, DEAD_PLACE] }).findings.map(({ code }) => code)).toEqual([
      'address-dead',
    ]);
  });

  it('says once what is wrong with the certificate of several addresses', () => {
    const other = { tls: good(tls({}, { names: ['www.example.com'] })) };
    const { findings } = diagnose(with_({ places: [place(undefined, other), place(V6, other)] }));
    expect(findings.filter(({ code }) => code === 'certificate-wrong-name')).toMatchObject([
      {
        seen: `198.41.0.4:8448 and [${V6}]:8448: peers check for example.com, the certificate is for www.example.com.`,
      },
    ]);
  });

  it('does not judge what was not asked for want of budget', () => {
    const none = bad('REQUEST_BUDGET', 'Not asked.');
    const spent = onePlace({
      keys: none,
      version: none,
      withoutSni: none,
      tls12: none,
      otherPort: { port: 443, keys: none },
    });
    expect(diagnose({ ...spent, exhausted: true }).findings.map(({ code }) => code)).toEqual([
      'not-everything-checked',
    ]);
  });

  it('says nothing of a base domain without a web server, nor of addresses out of reach', () => {
    const refused = bad('DIAL_FAILED', 'a port 443: ECONNREFUSED.', 'ECONNREFUSED');
    const away = bad('DIAL_FAILED', 'a port 443: ENETUNREACH.', 'ENETUNREACH');
    const at = (...says: (typeof refused | ReturnType<typeof good<string>>)[]) =>
      with_({ serverDocuments: says.map((one, index) => ({ address: `198.41.0.${index}`, says: one })) });
    expect(diagnose(at(refused, refused)).findings).toEqual([]);
    expect(diagnose(at(good('status 404'), away)).findings).toEqual([]);
  });

  it('lets no stranger write to the terminal', () => {
    const evil = '\u001b[2J\u202e\r\n';
    const version = good(json({ server: { name: `Synapse${evil}`, version: evil } }));
    const places = [
      place(undefined, { keys: good(json(keyDocument({ server_name: `x${evil}` }))), version }),
      place(V6, { tls: good(tls({}, { names: [`b${evil}`] })) }),
    ];
    const diagnosis = diagnose(with_({ places, client: document('client', { 'm.homeserver': { base_url: evil } }) }));
    const lines = [
      ...diagnosisLines(diagnosis, recordingTerminal()),
      ...tapLines([diagnosis]),
      ...factsOf(diagnosis).values(),
    ];
    expect(lines.length).toBeGreaterThan(20);
    for (const line of lines) expect(line).not.toMatch(/[\p{Cc}\u202e]/u);
  });

  it('reads any JSON without falling over', () => {
    for (const value of [
      null,
      1,
      'x',
      [],
      {},
      { server: null },
      { server_name: 1 },
      { verify_keys: { 'ed25519:1': null } },
      { contacts: {} },
    ]) {
      const reply = good(json(value));
      const spoiled = onePlace({ keys: reply, version: reply, otherPort: { port: 443, keys: reply } });
      const diagnosis = diagnose({
        ...spoiled,
        client: document('client', value),
        support: document('support', value),
        versions: { url: 'https://x/', reply },
      });
      expect(diagnosis.ok).toBe(false);
    }
    expect(VERSION.server.name).toBe('Synapse');
  });
});
