import { describe, expect, it } from 'vitest';
import { caaObstacle } from '../../../../src/delegation/plan/caa.ts';
import { isOurs, ownAddresses } from '../../../../src/delegation/plan/own-addresses.ts';
import { propose } from '../../../../src/delegation/plan/propose.ts';
import type { ProposalFacts } from '../../../../src/delegation/plan/propose.ts';
import { planRecords } from '../../../../src/delegation/plan/records.ts';
import { baseDocuments, snippets } from '../../../../src/delegation/plan/snippets.ts';
import { address, asked, caa, nameOf, OWN, planSite, siteLook, srv } from './world.ts';

describe('CAA', () => {
  it.for<[string, Parameters<typeof caaObstacle>[0], boolean, string | null]>([
    ['no records', [], false, null],
    ['only iodef', [caa('mailto:a@example.com', 'iodef')], false, null],
    ['another authority', [caa('sectigo.com')], false, 'issuer'],
    ['nobody at all', [caa(';')], false, 'issuer'],
    ['ours among others', [caa('sectigo.com'), caa('LetsEncrypt.org')], false, null],
    ['another account is not for us to judge', [caa('letsencrypt.org; accounturi=https://x.test/1')], false, null],
    ['our challenge', [caa('letsencrypt.org; validationmethods=dns-01,http-01')], false, null],
    ['another challenge', [caa('letsencrypt.org;validationmethods=dns-01')], false, 'challenge'],
    ['wildcards: issue counts without issuewild', [caa('letsencrypt.org')], true, null],
    ['wildcards: issuewild comes first', [caa('letsencrypt.org'), caa(';', 'issuewild')], true, 'issuer'],
    ['issuewild is nothing to plain names', [caa(';', 'issuewild')], false, null],
  ])('%s', ([, records, wildcard, obstacle]) => {
    expect(caaObstacle(records, ['letsencrypt.org'], wildcard, ['http-01'])).toBe(obstacle);
  });
});

describe('addresses of this machine', () => {
  it('are the public ones', () => {
    const found = ownAddresses({
      lo: [{ address: '127.0.0.1' }, { address: '::1' }],
      eth0: [{ address: '9.9.9.9' }, { address: 'fe80::1' }, { address: '2a00::1' }],
      none: undefined,
    });
    expect(found).toEqual({ v4: ['9.9.9.9'], v6: ['2a00::1'] });
  });

  it.for<[string, string, Parameters<typeof isOurs>[1], string]>([
    ['the same', '198.51.100.7', OWN, 'yes'],
    ['the same, spelt otherwise', '2001:DB8:0::7', OWN, 'yes'],
    ['another', '198.51.100.8', OWN, 'no'],
    ['behind translation', '198.51.100.8', { v4: [], v6: [] }, 'unknown'],
    ['IPv6 in a container', '2001:db8::8', { v4: [], v6: [] }, 'unknown'],
    ['IPv6 on a machine that has IPv4 only', '2001:db8::8', { v4: ['198.51.100.7'], v6: [] }, 'no'],
  ])('%s', ([, one, own, verdict]) => {
    expect(isOurs(one, own)).toBe(verdict);
  });
});

describe('proposals', () => {
  const facts = (changes: Partial<ProposalFacts> = {}): ProposalFacts => ({
    name: nameOf('example.com'),
    addresses: [],
    mServer: null,
    webServer: false,
    srvTarget: null,
    problem: null,
    ...changes,
  });
  it.for<[string, Partial<ProposalFacts>, object]>([
    ['an IP address', { name: nameOf('192.0.2.1') }, { delegation: 'none' }],
    ['a port', { name: nameOf('example.com:8449') }, { delegation: 'none' }],
    ['no address yet', {}, { delegation: 'none', baseDomain: 'here' }],
    ['leads here', { addresses: ['198.51.100.7'], webServer: true }, { delegation: 'none', baseDomain: 'here' }],
    [
      'leads elsewhere',
      { addresses: ['192.0.2.9'] },
      { delegation: 'well-known', delegatedName: 'matrix.example.com:443', baseDomain: 'elsewhere' },
    ],
    [
      'a document there',
      { addresses: ['192.0.2.9'], mServer: 'Hs.example.com' },
      { delegation: 'well-known', delegatedName: 'hs.example.com', baseDomain: 'elsewhere' },
    ],
    [
      'a document here',
      { addresses: ['198.51.100.7'], mServer: 'hs.example.com:443' },
      { delegation: 'well-known', baseDomain: 'here' },
    ],
    [
      'an SRV record',
      { addresses: ['192.0.2.9'], srvTarget: 'hs.example.com' },
      { delegation: 'srv', host: 'hs.example.com', baseDomain: 'elsewhere' },
    ],
    ['DNS away', { problem: 'DNS_TIMEOUT' }, { delegation: 'none', because: expect.stringContaining('DNS_TIMEOUT') }],
  ])('%s', ([, changes, wanted]) => {
    expect(propose(facts(changes), OWN)).toMatchObject(wanted);
  });

  it('behind translation a web server that answers is another one', () => {
    const own = { v4: [], v6: [] };
    expect(propose(facts({ addresses: ['192.0.2.9'], webServer: true }), own).baseDomain).toBe('elsewhere');
    expect(propose(facts({ addresses: ['192.0.2.9'] }), own).delegation).toBe('none');
  });
});

describe('records', () => {
  const states = (...args: Parameters<typeof planRecords>) =>
    planRecords(...args).map(({ type, name, wanted, state }) => `${type} ${name} ${wanted ?? '?'} ${state}`);

  it('srv: found as wanted, and what is missing', () => {
    expect(states(planSite(), OWN, siteLook())).toEqual([
      'A matrix.example.com 198.51.100.7 set',
      'AAAA matrix.example.com 2001:db8::7 set',
      'SRV _matrix-fed._tcp.example.com 10 0 8448 matrix.example.com. set',
      'SRV _matrix._tcp.example.com 10 0 8448 matrix.example.com. missing',
    ]);
  });

  it('without the network: what is wanted', () => {
    expect(states(planSite({ delegation: 'well-known' }), { v4: [], v6: [] }, null)).toEqual([
      'A matrix.example.com ? not-looked-up',
    ]);
  });

  it('a target of another name with an address of this machine will do', () => {
    const look = siteLook();
    const dns = new Map([
      ...look.dns,
      ['SRV _matrix-fed._tcp.example.com', asked(srv('_matrix-fed', 443, 'hs.example.com'))] as const,
      ['A hs.example.com', asked(address('hs.example.com', 'A', '198.51.100.7'))] as const,
    ]);
    expect(states(planSite(), OWN, { ...look, dns })[2]).toMatch(/ set$/);
  });

  it('long TXT values are cut as zone files want, and compared without regard to blanks', () => {
    const value = `letsencrypt.org; accounturi=https://x.test/${'1'.repeat(300)}`;
    const name = '_validation-persist.example.com';
    const site = planSite({ persist: [{ name, value, note: null }] });
    const text = { name, ttl: 1, type: 'TXT', text: value.replace('; ', ';') } as const;
    const look = siteLook();
    const [record] = planRecords(site, OWN, { ...look, dns: new Map([[`TXT ${name}`, asked(text)]]) }).slice(-1);
    expect(record?.state).toBe('set');
    expect(record?.wanted).toMatch(/^"[^"]{255}" "[^"]+"$/);
  });
});

describe('snippets', () => {
  const client = JSON.stringify({ 'm.homeserver': { base_url: 'https://m.test' }, note: 'it\'s $host `x` {$A} \\ "' });
  const documents = baseDocuments({ server: null, client, support: null, policyServer: null, maxAgeSeconds: 1 });
  const { nginx, caddy, apache } = snippets(documents, { to: 'm.test' });

  it('a document that must not be there answers 404, with CORS', () => {
    expect(nginx).toContain(
      'location = /.well-known/matrix/server {\n    default_type application/json;\n    add_header Access-Control-Allow-Origin "*" always;\n    return 404;',
    );
    expect(caddy).toContain(
      'handle /.well-known/matrix/server {\n    header Access-Control-Allow-Origin "*"\n    respond 404',
    );
    expect(apache).toContain('Redirect 404 /.well-known/matrix/server');
  });

  it('bodies mean the same JSON and nothing to the server that reads them', () => {
    const inNginx = /return 200 '(.*)';/.exec(nginx)?.[1] ?? '';
    const inCaddy = /respond `(.*)` 200/.exec(caddy)?.[1] ?? '';
    expect(inNginx + inCaddy).not.toMatch(/[$'`]/);
    expect(JSON.parse(inNginx.replaceAll('\\\\', '\\'))).toEqual(JSON.parse(client));
    expect(JSON.parse(inCaddy)).toEqual(JSON.parse(client));
  });

  it('lead challenges here', () => {
    for (const text of [nginx, caddy, apache]) expect(text).toMatch(/acme-challenge.*[\s\S]*http:\/\/m\.test/);
  });

  it('what is too long for nginx comes from a file', () => {
    const long = [{ path: '/.well-known/matrix/client', body: JSON.stringify('x'.repeat(4000)) }];
    expect(snippets(long, null).nginx).toContain('alias /var/www/matrix-well-known/client;');
  });
});
