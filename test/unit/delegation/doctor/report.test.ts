/** What the doctor prints for programs: the Go tester's report, TAP, JSON; and what it compares between two looks. */
import { describe, expect, it } from 'vitest';
import { diagnose } from '../../../../src/delegation/doctor/diagnose.ts';
import { changes, factsOf } from '../../../../src/delegation/doctor/facts.ts';
import { doctorJson } from '../../../../src/delegation/doctor/json.ts';
import { federationReport } from '../../../../src/delegation/doctor/report.ts';
import { tapLines } from '../../../../src/delegation/doctor/tap.ts';
import { diagnosisLines } from '../../../../src/cli/doctor/text.ts';
import { recordingTerminal } from '../../cli/recording-terminal.ts';
import {
  DAY,
  DEAD,
  good,
  HEALTHY,
  json,
  KEY,
  keyDocument,
  NOTHING,
  NOW,
  OTHER_KEY,
  place,
  RESOLUTION,
  TARGET,
  tls,
  WELL_KNOWN,
} from './healthy.ts';

const healthy = diagnose(HEALTHY);
const V6 = '2001:503:ba3e::2:30';
const wrongName = diagnose({
  ...HEALTHY,
  places: [place(undefined, { tls: good(tls({}, { names: ['b.example'] })) })],
});

describe('federationReport', () => {
  it('has exactly the keys of the Go tester', () => {
    const report = federationReport(HEALTHY);
    expect(Object.keys(report)).toEqual([
      'WellKnownResult',
      'DNSResult',
      'ConnectionReports',
      'ConnectionErrors',
      'Version',
      'FederationOK',
    ]);
    expect(Object.keys(report.DNSResult)).toEqual([
      'SRVSkipped',
      'SRVCName',
      'SRVRecords',
      'SRVError',
      'Hosts',
      'Addrs',
    ]);
    const connection = report.ConnectionReports['198.41.0.4:8448'];
    expect(connection).toMatchObject({
      Certificates: [
        {
          SubjectCommonName: 'example.com',
          IssuerCommonName: 'Intermediate',
          SHA256Fingerprint: 'ZmluZ2VycHJpbnQ',
          DNSNames: ['example.com'],
        },
        {},
      ],
      Cipher: { Version: 'TLS 1.3', CipherSuite: 'TLS_AES_128_GCM_SHA256' },
      Checks: {
        AllChecksOK: true,
        MatchingServerName: true,
        FutureValidUntilTS: true,
        HasEd25519Key: true,
        AllEd25519ChecksOK: true,
        Ed25519Checks: { 'ed25519:1': { ValidEd25519: true, MatchingSignature: true } },
        ValidCertificates: true,
      },
      Errors: [],
      Ed25519VerifyKeys: { 'ed25519:1': KEY.publicKey },
    });
    expect(report).toMatchObject({
      DNSResult: { SRVSkipped: false, SRVError: null, Addrs: ['198.41.0.4:8448', `[${V6}]:8448`] },
      Version: { name: 'Synapse', version: '1.163.0' },
      FederationOK: true,
    });
  });

  it('tells the document and the SRV records that led there', () => {
    const srv = { service: '_matrix-fed._tcp.hs.example', priority: 10, weight: 5 };
    const target = { ...TARGET, addressName: 'a.hs.example', srv };
    const wellKnown = { ...WELL_KNOWN, outcome: 'valid', mServer: 'hs.example', problem: null } as const;
    const resolution = { ...RESOLUTION, step: '3.3', targets: [target], wellKnown } as const;
    expect(federationReport({ ...HEALTHY, resolution })).toMatchObject({
      WellKnownResult: { 'm.server': 'hs.example', CacheExpiresAt: NOW / 1000 + 3600 },
      DNSResult: {
        SRVCName: '_matrix-fed._tcp.hs.example.',
        SRVRecords: [{ Target: 'a.hs.example.', Port: 8448, Priority: 10, Weight: 5 }],
        Hosts: { 'a.hs.example': { Addrs: TARGET.addresses } },
      },
    });
  });

  it.for([
    ['a dead address', [place(), place(V6, { tls: DEAD, ...NOTHING })]],
    ['no address', []],
    ['a wrong certificate', [place(undefined, { tls: good(tls({}, { names: ['b.example'] })) })]],
    ['an untrusted certificate', [place(undefined, { tls: good(tls({ chainProblem: 'CERT_UNTRUSTED' })) })]],
    ['keys of another server', [place(undefined, { keys: good(json(keyDocument({ server_name: 'b.example' }))) })]],
    ['an expired document', [place(undefined, { keys: good(json(keyDocument({ valid_until_ts: NOW - DAY }))) })]],
    ['a bad signature', [place(undefined, { keys: good(json(keyDocument({}, KEY, OTHER_KEY))) })]],
    ['no version', [place(undefined, { version: good(json({}, { status: 404 })) })]],
  ] as const)('is not OK with %s', ([, places]) => {
    expect(federationReport({ ...HEALTHY, places }).FederationOK).toBe(false);
  });
});

describe('tapLines', () => {
  const CASES = [
    'well_known_reachable',
    'well_known_valid',
    'well_known_consistent',
    'srv_or_dns_resolves',
    'tls_valid',
    'version_reachable',
    'keys_reachable',
    'keys_valid_ed25519',
    'federation_ok',
  ];

  it('has the nine cases, those about a document skipped where there is none', () => {
    const [version, plan, ...lines] = tapLines([healthy]);
    expect([version, plan]).toEqual(['TAP version 13', '1..9']);
    expect(lines).toEqual(
      CASES.map((name, index) => `ok ${index + 1} - ${name}${index < 3 ? ' # SKIP no well-known document' : ''}`),
    );
  });

  it('says what failed, and why', () => {
    const lines = tapLines([wrongName]);
    expect(lines.filter((line) => line.startsWith('not ok'))).toEqual([
      'not ok 5 - tls_valid',
      'not ok 9 - federation_ok',
    ]);
    expect(lines.at(-1)).toMatch(/^# error certificate-wrong-name: 198\.41\.0\.4:8448: peers check/);
  });

  it('does not skip a document that is not valid', () => {
    const wellKnown = { ...WELL_KNOWN, outcome: 'invalid', status: 200 } as const;
    const lines = tapLines([diagnose({ ...HEALTHY, resolution: { ...RESOLUTION, wellKnown } })]);
    expect(lines.slice(2, 4)).toEqual(['ok 1 - well_known_reachable', 'not ok 2 - well_known_valid']);
  });

  it('numbers on with more than one name', () => {
    const lines = tapLines([healthy, healthy]);
    expect(lines[1]).toBe('1..18');
    expect(lines.at(-1)).toBe('ok 18 - federation_ok example.com');
  });
});

describe('doctorJson', () => {
  it('has the shape of the contract', () => {
    const printed = JSON.parse(JSON.stringify(doctorJson([healthy, wrongName])));
    expect(printed).toMatchObject({
      ok: false,
      servers: [{ server_name: 'example.com', ok: true, findings: [] }, { ok: false }],
    });
    expect(Object.keys(printed.servers[1].findings[0])).toEqual(['code', 'severity', 'seen', 'why', 'fix', 'spec']);
    expect(printed.servers[0].report.FederationOK).toBe(true);
    expect(printed.servers[0].places[0]).toEqual({
      place: '198.41.0.4:8448',
      error: null,
      tls_version: 'TLSv1.3',
      tls12: true,
      http2: false,
      certificate_names: ['example.com'],
      days_left: 60,
      certificate_without_sni: ['example.com'],
      server: { name: 'Synapse', version: '1.163.0' },
      uri_unchanged: null,
    });
  });
});

describe('changes', () => {
  it('sees none between two looks at the same', () => {
    expect(changes(healthy, healthy)).toEqual([]);
  });

  it('tells a new certificate, new keys, a new version, new findings and those that are gone', () => {
    const changed = place(undefined, {
      tls: good(tls({}, { sha256: 'new', notAfter: NOW + 80 * DAY })),
      keys: good(json(keyDocument({}, OTHER_KEY))),
      version: good(json({ server: { name: 'Synapse', version: '1.164.0' } })),
      otherPort: null,
    });
    const after = diagnose({ ...HEALTHY, places: [changed], exhausted: true });
    const before = diagnose({ ...HEALTHY, places: [place()] });
    expect(changes(before, after).map(({ kind, what }) => [kind, what])).toEqual([
      ['fact', 'certificate at 198.41.0.4:8448'],
      ['fact', 'keys at 198.41.0.4:8448'],
      ['fact', 'version at 198.41.0.4:8448'],
      ['finding', 'not-everything-checked'],
    ]);
    expect(changes(after, before).at(-1)).toMatchObject({ what: 'not-everything-checked', after: null });
  });

  it('takes an address that does not answer for a finding, not for a change of its certificate', () => {
    const after = diagnose({ ...HEALTHY, places: [place(), place(V6, { tls: DEAD, ...NOTHING, otherPort: null })] });
    expect(changes(healthy, after).map(({ kind, what }) => [kind, what])).toEqual([['finding', 'address-dead']]);
    expect(factsOf(after).get(`certificate at [${V6}]:8448`)).toBeUndefined();
    expect(changes(after, healthy).map(({ kind, what }) => [kind, what])).toEqual([['finding', 'address-dead']]);
  });
});

describe('diagnosisLines', () => {
  it('say for people what is wrong, why, and what to change', () => {
    const lines = diagnosisLines(wrongName, recordingTerminal());
    const text = lines.join('\n');
    expect(lines[0]).toBe('example.com  ✗ 1 error');
    expect(text).toMatch(/^ {2}✗ certificate-wrong-name {2}error$/m);
    expect(text).toMatch(/^ {4}fix {3}Get a certificate for example\.com and serve it on port 8448\.$/m);
    expect(text).toMatch(
      /^ {2}✗ 198\.41\.0\.4:8448 {2}TLS 1\.3 · certificate for b\.example, 60 days left · Synapse 1\.163\.0/m,
    );
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(110);
  });

  it('say so when everything is fine', () => {
    expect(diagnosisLines(healthy, recordingTerminal())[0]).toBe('example.com  ✓ everything is fine');
    expect(diagnosisLines(healthy, recordingTerminal(true))[0]).toContain('\u001b[32m');
  });
});
