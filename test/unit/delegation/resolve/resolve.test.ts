/** Server discovery on paper: every step of the specification, and what real homeservers' own tests hold against it. */
import { describe, expect, it } from 'vitest';
import { resolveServerName } from '../../../../src/delegation/resolve/resolve.ts';
import { resolutionJson } from '../../../../src/delegation/resolve/json.ts';
import { DELEGATED_STEPS, SERVER_STEPS } from '../../../../src/delegation/resolve/steps/index.ts';
import { scripted } from './scripted.ts';
import type { Web, Zone } from './scripted.ts';

const URL_OF = (name: string) => `https://${name}/.well-known/matrix/server`;
const delegating = (name: string, mServer: string): Web => ({ [URL_OF(name)]: { body: `{"m.server":"${mServer}"}` } });

interface Row {
  readonly title: string;
  readonly name: string;
  readonly zone?: Zone;
  readonly web?: Web;
  /** step, then each target as `address,address port`, then Host, SNI, certificate name */
  readonly expected: readonly [
    step: string,
    targets: readonly string[],
    host: string,
    sni: string | null,
    certificate: string,
  ];
}

const BASE: Zone = { 'A a.test': ['1.2.3.4'] };

const FOUND: readonly Row[] = [
  {
    title: 'step 1: an IPv4 address',
    name: '1.2.3.4',
    expected: ['1', ['1.2.3.4 8448'], '1.2.3.4', null, '1.2.3.4'],
  },
  {
    title: 'step 1: an IPv4 address with a port',
    name: '1.2.3.4:1234',
    expected: ['1', ['1.2.3.4 1234'], '1.2.3.4:1234', null, '1.2.3.4'],
  },
  {
    title: 'step 1: an IPv6 address',
    name: '[2606:4700::1]',
    expected: ['1', ['2606:4700::1 8448'], '[2606:4700::1]', null, '2606:4700::1'],
  },
  {
    title: 'step 1: an IPv6 address with a port',
    name: '[2606:4700::1]:8080',
    expected: ['1', ['2606:4700::1 8080'], '[2606:4700::1]:8080', null, '2606:4700::1'],
  },
  {
    title: 'step 2: a port, with no look at well-known or SRV',
    name: 'a.test:7652',
    zone: { ...BASE, 'AAAA a.test': ['2606:4700::1'], 'SRV _matrix-fed._tcp.a.test': ['0 0 1 b.test'] },
    web: delegating('a.test', 'b.test:1'),
    expected: ['2', ['1.2.3.4,2606:4700::1 7652'], 'a.test:7652', 'a.test', 'a.test'],
  },
  {
    title: 'step 3.1: an IP literal in the document: Host is the IP, not the server name',
    name: 'a.test',
    zone: BASE,
    web: delegating('a.test', '5.6.7.8'),
    expected: ['3.1', ['5.6.7.8 8448'], '5.6.7.8', null, '5.6.7.8'],
  },
  {
    title: 'step 3.1: an IPv6 literal with a port in the document',
    name: 'a.test',
    zone: BASE,
    web: delegating('a.test', '[2606:4700::2]:443'),
    expected: ['3.1', ['2606:4700::2 443'], '[2606:4700::2]:443', null, '2606:4700::2'],
  },
  {
    title: 'step 3.2: host and port in the document (resolvematrix 3b)',
    name: '3b.s.test',
    zone: {
      'A 3b.s.test': ['1.1.1.1'],
      'A wk.3b.s.test': ['2.2.2.2'],
      'SRV _matrix-fed._tcp.wk.3b.s.test': ['0 0 1 x'],
    },
    web: delegating('3b.s.test', 'wk.3b.s.test:7753'),
    expected: ['3.2', ['2.2.2.2 7753'], 'wk.3b.s.test:7753', 'wk.3b.s.test', 'wk.3b.s.test'],
  },
  {
    title: 'step 3.3: SRV of the delegated name; the certificate is not for the target (3c.msc4040)',
    name: '3c.s.test',
    zone: {
      'A 3c.s.test': ['1.1.1.1'],
      'SRV _matrix-fed._tcp.wk.3c.s.test': ['10 0 7053 srv.wk.3c.s.test'],
      'SRV _matrix._tcp.wk.3c.s.test': ['10 0 7754 other.test'],
      'A srv.wk.3c.s.test': ['3.3.3.3'],
    },
    web: delegating('3c.s.test', 'wk.3c.s.test'),
    expected: ['3.3', ['3.3.3.3 7053'], 'wk.3c.s.test', 'wk.3c.s.test', 'wk.3c.s.test'],
  },
  {
    title: 'step 3.4: the old service when the new one does not exist (3c)',
    name: '3c.s.test',
    zone: {
      'A 3c.s.test': ['1.1.1.1'],
      'SRV _matrix._tcp.wk.3c.s.test': ['10 0 7754 srv.wk.3c.s.test'],
      'A srv.wk.3c.s.test': ['3.3.3.3'],
    },
    web: delegating('3c.s.test', 'wk.3c.s.test'),
    expected: ['3.4', ['3.3.3.3 7754'], 'wk.3c.s.test', 'wk.3c.s.test', 'wk.3c.s.test'],
  },
  {
    title: 'step 3.5: the delegated name on 8448 (3d)',
    name: '3d.s.test',
    zone: { 'A 3d.s.test': ['1.1.1.1'], 'A wk.3d.s.test': ['4.4.4.4'] },
    web: delegating('3d.s.test', 'wk.3d.s.test'),
    expected: ['3.5', ['4.4.4.4 8448'], 'wk.3d.s.test', 'wk.3d.s.test', 'wk.3d.s.test'],
  },
  {
    title: 'step 4: SRV of the server name (4.msc4040)',
    name: '4.s.test',
    zone: {
      'A 4.s.test': ['1.1.1.1'],
      'SRV _matrix-fed._tcp.4.s.test': ['10 0 7054 srv.4.s.test'],
      'A srv.4.s.test': ['5.5.5.5'],
    },
    expected: ['4', ['5.5.5.5 7054'], '4.s.test', '4.s.test', '4.s.test'],
  },
  {
    title: 'step 4 with no address for the server name itself',
    name: 'a.test',
    zone: { 'SRV _matrix-fed._tcp.a.test': ['10 0 8448 hs.a.test'], 'A hs.a.test': ['5.5.5.5'] },
    expected: ['4', ['5.5.5.5 8448'], 'a.test', 'a.test', 'a.test'],
  },
  {
    title: 'step 5: the old service (4)',
    name: '4.s.test',
    zone: { 'SRV _matrix._tcp.4.s.test': ['10 0 7855 srv.4.s.test'], 'A srv.4.s.test': ['5.5.5.5'] },
    expected: ['5', ['5.5.5.5 7855'], '4.s.test', '4.s.test', '4.s.test'],
  },
  {
    title: 'step 6: nothing but addresses (5)',
    name: '5.s.test',
    zone: { 'A 5.s.test': ['6.6.6.6'], 'AAAA 5.s.test': ['2606:4700::5'] },
    expected: ['6', ['6.6.6.6,2606:4700::5 8448'], '5.s.test', '5.s.test', '5.s.test'],
  },
  {
    title: 'step 6 through a CNAME',
    name: 'a.test',
    zone: { 'CNAME a.test': ['b.test'], 'A b.test': ['7.7.7.7'] },
    expected: ['6', ['7.7.7.7 8448'], 'a.test', 'a.test', 'a.test'],
  },
  {
    title: 'step 6 for IPv6 only',
    name: 'a.test',
    zone: { 'AAAA a.test': ['2606:4700::5'] },
    expected: ['6', ['2606:4700::5 8448'], 'a.test', 'a.test', 'a.test'],
  },
  {
    title: 'an internationalised name in its ASCII form',
    name: 'xn--bcher-kva.test',
    zone: { 'A xn--bcher-kva.test': ['1.2.3.4'] },
    expected: ['6', ['1.2.3.4 8448'], 'xn--bcher-kva.test', 'xn--bcher-kva.test', 'xn--bcher-kva.test'],
  },
  {
    title: 'upper case: Host as written, SNI and certificate in lower case',
    name: 'A.Test',
    zone: BASE,
    expected: ['6', ['1.2.3.4 8448'], 'A.Test', 'a.test', 'a.test'],
  },
];

async function resolved(row: Pick<Row, 'name' | 'zone' | 'web'>, random?: () => number) {
  const { deps, dns, fetched } = scripted(row.zone ?? {}, row.web, random);
  const resolution = await resolveServerName(row.name, deps);
  return { resolution, dns, fetched };
}

describe('resolveServerName', () => {
  it.for(FOUND)('$title', async (row) => {
    const { resolution } = await resolved(row);
    const [step, targets, host, sni, certificateName] = row.expected;
    expect(resolution.error).toBeNull();
    expect(resolution.step).toBe(step);
    expect(resolution.targets.map(({ addresses, port }) => `${addresses.join(',')} ${port}`)).toEqual(targets);
    for (const target of resolution.targets) expect(target).toMatchObject({ host, sni, certificateName });
  });

  it('reaches every step in that table', () => {
    const numbers = [...SERVER_STEPS, ...DELEGATED_STEPS].map(({ number }) => number);
    const reached = new Set(FOUND.map(({ expected: [step] }) => step));
    expect(numbers.filter((number) => number !== '3' && !reached.has(number))).toEqual([]);
    expect(numbers).toEqual(['1', '2', '3', '4', '5', '6', '3.1', '3.2', '3.3', '3.4', '3.5']);
  });

  it.for(['1.2.3.4', '[::1]:443', 'a.test:8448'])('asks neither well-known nor SRV for %s', async (name) => {
    const { dns, fetched } = await resolved({ name, zone: BASE });
    expect(fetched).toEqual([]);
    expect(dns.asked.filter((question) => question.startsWith('SRV'))).toEqual([]);
  });

  it.for(
    [
      ['', 'localhost:http', '1234]', '[1234', '[1.2.3.4]', 'underscore_.com', 'percent%65.com', 'newline.com\n'],
      [
        '.empty-label.com',
        '1234:5678:80',
        ':80',
        'https://a.test',
        'a.test/',
        'a.test:0',
        'a.test:65536',
        'bücher.test',
      ],
    ].flat(),
  )('refuses %j', async (name) => {
    await expect(resolved({ name })).rejects.toMatchObject({ code: 'RESOLVE_NAME_INVALID' });
  });
});

describe('well-known documents that are none lead to step 4', () => {
  const SRV: Zone = { ...BASE, 'SRV _matrix-fed._tcp.a.test': ['10 0 8448 hs.a.test'], 'A hs.a.test': ['5.5.5.5'] };

  it.for<[string, Web]>([
    ['404', { [URL_OF('a.test')]: { status: 404, body: '{"m.server":"b.test:443"}' } }],
    ['500', { [URL_OF('a.test')]: { status: 500 } }],
    ['no connection', {}],
    ['an untrusted certificate', { [URL_OF('a.test')]: new Error('not trusted') }],
    ['HTML', { [URL_OF('a.test')]: { body: '<html>' } }],
    ['no m.server', { [URL_OF('a.test')]: { body: '{}' } }],
    ['an array', { [URL_OF('a.test')]: { body: '["m.server"]' } }],
    ['a number', { [URL_OF('a.test')]: { body: '{"m.server": 1}' } }],
    ['a URL', { [URL_OF('a.test')]: { body: '{"m.server": "https://b.test"}' } }],
    ['an empty name', { [URL_OF('a.test')]: { body: '{"m.server": ""}' } }],
    ['a bad port', { [URL_OF('a.test')]: { body: '{"m.server": "b.test:http"}' } }],
    ['a redirect to http', { [URL_OF('a.test')]: { status: 302, headers: { location: 'http://a.test/' } } }],
    ['a redirect to itself', { [URL_OF('a.test')]: { status: 302, headers: { location: URL_OF('a.test') } } }],
    ['a redirect without Location', { [URL_OF('a.test')]: { status: 302 } }],
    ['more than 50 KiB', { [URL_OF('a.test')]: { body: `{"m.server":"b.test:443"}${' '.repeat(51_200)}` } }],
  ])('%s', async ([, web]) => {
    const { resolution } = await resolved({ name: 'a.test', zone: SRV, web });
    expect(resolution).toMatchObject({ step: '4', delegated: null, error: null });
    expect(resolution.wellKnown?.mServer).toBeNull();
    expect(resolution.wellKnown?.problem).toBeTruthy();
  });

  it('sees a circle at its first turn', async () => {
    const web: Web = {
      [URL_OF('a.test')]: { status: 307, headers: { location: '/b' } },
      'https://a.test/b': { status: 307, headers: { location: `${URL_OF('a.test')}#again` } },
    };
    const { resolution, fetched } = await resolved({ name: 'a.test', zone: SRV, web });
    expect(resolution.wellKnown?.problem).toBe('it redirects in a circle');
    expect(fetched).toHaveLength(2);
  });

  it('gives up after ten redirects', async () => {
    const web = Object.fromEntries(
      Array.from({ length: 30 }, (_, index) => [
        index === 0 ? URL_OF('a.test') : `https://a.test/${index}`,
        { status: 301, headers: { location: `/${index + 1}` } },
      ]),
    );
    const { resolution, fetched } = await resolved({ name: 'a.test', zone: SRV, web });
    expect(resolution.step).toBe('4');
    expect(fetched).toHaveLength(11);
  });

  it('follows a redirect to another host, whose addresses are looked up', async () => {
    const web: Web = {
      [URL_OF('a.test')]: { status: 301, headers: { location: 'https://www.a.test/doc?x=1' } },
      'https://www.a.test/doc?x=1': { body: '{"m.server":"hs.a.test:443"}', headers: { 'content-type': 'text/html' } },
    };
    const { resolution, fetched } = await resolved({
      name: 'a.test',
      zone: { ...SRV, 'A www.a.test': ['8.8.8.8'] },
      web,
    });
    expect(resolution).toMatchObject({ step: '3.2', delegated: { text: 'hs.a.test:443' } });
    expect(fetched).toEqual([
      { url: URL_OF('a.test'), addresses: ['1.2.3.4'] },
      { url: 'https://www.a.test/doc?x=1', addresses: ['8.8.8.8'] },
    ]);
  });
});

describe('SRV records', () => {
  const hosts: Zone = { 'A x.test': ['1.0.0.1'], 'A y.test': ['1.0.0.2'], 'AAAA y.test': ['2606::2'] };
  const srv = (...records: string[]): Zone => ({ ...hosts, 'SRV _matrix-fed._tcp.a.test': records });

  it('give all targets, lowest priority first', async () => {
    const { resolution } = await resolved({ name: 'a.test', zone: srv('20 0 2 x.test', '10 0 1 y.test') });
    expect(resolution.targets.map(({ addressName, port }) => `${addressName ?? ''}:${port}`)).toEqual([
      'y.test:1',
      'x.test:2',
    ]);
  });

  it('say with "." that there is no service: the old one is not asked', async () => {
    const zone = { ...srv('0 0 0 .'), 'SRV _matrix._tcp.a.test': ['0 0 8448 x.test'] };
    const { resolution, dns } = await resolved({ name: 'a.test', zone });
    expect(resolution).toMatchObject({ step: '4', targets: [], error: { code: 'RESOLVE_SERVICE_DISABLED' } });
    expect(dns.asked).not.toContain('SRV _matrix._tcp.a.test');
  });

  it.for(['SERVFAIL', 'REFUSED', 'timeout'] as const)('%s ends discovery, where NXDOMAIN would not', async (rcode) => {
    const zone: Zone = { ...BASE, 'SRV _matrix-fed._tcp.a.test': rcode, 'SRV _matrix._tcp.a.test': ['0 0 1 x.test'] };
    const { resolution } = await resolved({ name: 'a.test', zone });
    expect(resolution).toMatchObject({ step: '4', targets: [], error: { code: 'RESOLVE_SRV_FAILED' } });
  });

  it('of the old service are not asked when the new one has a dead target', async () => {
    const zone = { ...srv('0 0 8448 gone.test'), 'SRV _matrix._tcp.a.test': ['0 0 8448 x.test'] };
    const { resolution, dns } = await resolved({ name: 'a.test', zone });
    expect(resolution).toMatchObject({ step: '4', targets: [], error: { code: 'RESOLVE_NO_ADDRESS' } });
    expect(dns.asked).not.toContain('SRV _matrix._tcp.a.test');
    expect(resolution.warnings.map(({ code }) => code)).toEqual(['srv-target-dangling']);
  });

  it('with one dead target lead to the other', async () => {
    const { resolution } = await resolved({ name: 'a.test', zone: srv('0 0 8448 gone.test', '1 0 8448 x.test') });
    expect(resolution.targets.map(({ addressName }) => addressName)).toEqual(['x.test']);
    expect(resolution.warnings).toMatchObject([{ code: 'srv-target-dangling', step: '4' }]);
  });

  it('to a CNAME work, with a warning', async () => {
    const zone = { ...srv('0 0 8448 alias.test'), 'CNAME alias.test': ['x.test'] };
    const { resolution } = await resolved({ name: 'a.test', zone });
    expect(resolution.targets).toMatchObject([{ addresses: ['1.0.0.1'], certificateName: 'a.test' }]);
    expect(resolution.warnings).toMatchObject([{ code: 'srv-target-is-cname' }]);
  });

  it('that are themselves found through a CNAME are no reason to warn', async () => {
    const zone = { ...hosts, 'CNAME _matrix-fed._tcp.a.test': ['s.test'], 'SRV s.test': ['0 0 8448 x.test'] };
    const { resolution } = await resolved({ name: 'a.test', zone });
    expect(resolution).toMatchObject({ step: '4', warnings: [] });
  });

  it('with port 0 or a "." among others are left out', async () => {
    const { resolution } = await resolved({ name: 'a.test', zone: srv('0 0 0 x.test', '0 0 1 .', '0 0 3 y.test') });
    expect(resolution.targets.map(({ port }) => port)).toEqual([3]);
    expect(resolution.warnings.map(({ code }) => code)).toEqual(['srv-invalid', 'srv-invalid']);
  });

  it('are bounded: no zone makes us look up more than ten targets', async () => {
    const records = Array.from({ length: 200 }, (_, index) => `${index} 0 8448 t${index}.test`);
    const zone = Object.fromEntries(records.map((_, index) => [`A t${index}.test`, ['1.1.1.1']]));
    const { resolution, dns } = await resolved({ name: 'a.test', zone: { ...srv(...records), ...zone } });
    expect(resolution.targets).toHaveLength(10);
    expect(dns.asked.filter((question) => question.startsWith('A t'))).toHaveLength(10);
  });

  it('of the deprecated service come with a warning', async () => {
    const zone = { ...hosts, 'SRV _matrix._tcp.a.test': ['0 0 8448 x.test'] };
    const { resolution } = await resolved({ name: 'a.test', zone });
    expect(resolution).toMatchObject({ step: '5', warnings: [{ code: 'srv-service-deprecated' }] });
  });
});

describe('addresses', () => {
  it.for<[string, Zone, string]>([
    ['NXDOMAIN', {}, 'NXDOMAIN'],
    ['no record', { 'TXT a.test': ['x'] }, 'A: no A record, AAAA: no AAAA record'],
    ['SERVFAIL', { 'A a.test': 'SERVFAIL', 'AAAA a.test': 'SERVFAIL' }, 'SERVFAIL from 192.0.2.53:53'],
  ])('%s: nothing to connect to', async ([, zone, why]) => {
    const { resolution } = await resolved({ name: 'a.test', zone });
    expect(resolution).toMatchObject({ step: '6', targets: [], error: { code: 'RESOLVE_NO_ADDRESS' } });
    expect(resolution.error?.message).toContain(why);
  });

  it('one family that cannot be looked up leaves the other, with a warning', async () => {
    const { resolution } = await resolved({ name: 'a.test', zone: { ...BASE, 'AAAA a.test': 'SERVFAIL' } });
    expect(resolution.targets).toMatchObject([{ addresses: ['1.2.3.4'] }]);
    expect(resolution.warnings).toContainEqual(expect.objectContaining({ code: 'family-lookup-failed' }));
  });

  it('in private ranges are named', async () => {
    const { resolution } = await resolved({ name: 'a.test', zone: { 'A a.test': ['10.0.0.1', '1.1.1.1'] } });
    expect(resolution.warnings).toMatchObject([{ code: 'private-address', seen: expect.stringContaining('10.0.0.1') }]);
  });
});

describe('what was tried', () => {
  it('is there in order, with outcome and time', async () => {
    const { resolution } = await resolved({ name: 'a.test', zone: BASE });
    expect(resolution.tried.map(({ step, what, result, outcome }) => [step, what, result, outcome])).toEqual([
      ['3', 'A a.test', 'found', '1.2.3.4'],
      ['3', 'AAAA a.test', 'absent', 'no AAAA record'],
      ['3', URL_OF('a.test'), 'failed', 'a.test: ECONNREFUSED.'],
      ['4', 'SRV _matrix-fed._tcp.a.test', 'absent', 'NXDOMAIN'],
      ['5', 'SRV _matrix._tcp.a.test', 'absent', 'NXDOMAIN'],
      ['6', 'A a.test', 'found', '1.2.3.4'],
      ['6', 'AAAA a.test', 'absent', 'no AAAA record'],
    ]);
    for (const { ms } of resolution.tried) expect(ms).toBeGreaterThan(0);
  });

  it('has the shape of the contract as JSON', async () => {
    const { resolution } = await resolved({ name: '1.2.3.4', zone: BASE });
    expect(resolutionJson(resolution)).toMatchObject({
      server_name: '1.2.3.4',
      step: '1',
      results: [{ addresses: ['1.2.3.4'], port: 8448, host: '1.2.3.4', sni: null, certificate_name: '1.2.3.4' }],
      tried: [{ step: '1', what: '1.2.3.4', outcome: 'an IP literal', ms: 5 }],
      error: null,
    });
  });
});
