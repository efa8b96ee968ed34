/** Our DNS against Knot, a server that peers and authorities meet in the world: look-ups, signed updates. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findZone, followAliases, queryEach, zoneServers } from '../../src/dns/authoritative.ts';
import type { DnsClient } from '../../src/dns/dns-client.ts';
import { createStubClient } from '../../src/dns/stub-client.ts';
import { TSIG_ALGORITHMS, type TsigKey } from '../../src/dns/tsig.ts';
import { sendUpdate } from '../../src/dns/update.ts';
import type { TextChange } from '../../src/dns/update-wire.ts';
import { systemClock } from '../../src/base/clock.ts';
import { describePeers } from './harness/describe-peers.ts';
import { startKnot, type Knot, type KnotKey } from './harness/knot.ts';

const ZONE = `
@ 60 IN A 192.0.2.80
@ 60 IN CAA 0 issue "ca.example; accounturi=https://ca.example/1"
@ 60 IN CAA 128 iodef "mailto:a@example.test"
_matrix-fed._tcp 300 IN SRV 10 5 8448 hs
_matrix-fed._tcp 300 IN SRV 20 0 443 other.example.net.
_matrix._tcp 300 IN SRV 0 0 0 .
hs 60 IN A 127.0.0.1
hs 60 IN AAAA 2001:db8::1
alias 60 IN CNAME hs
far 60 IN CNAME target.elsewhere.test.
round 60 IN CNAME square
square 60 IN CNAME round
long 60 IN TXT "${'l'.repeat(255)}" "${'m'.repeat(255)}" "n"
${Array.from({ length: 60 }, (_, i) => `many 60 IN TXT "${String(i).padStart(3, '0')} ${'z'.repeat(80)}"`).join('\n')}
sub 60 IN NS ns.sub
ns.sub 60 IN A 127.0.0.1
ns.sub 60 IN AAAA ::1
`;

let knot: Knot;
let client: DnsClient;
let direct: DnsClient;

function keyOf({ name, algorithm, secret }: KnotKey): TsigKey {
  return { name, algorithm, secret: Buffer.from(secret, 'base64') };
}

function update(key: TsigKey, changes: TextChange[], now: () => number = systemClock.now): Promise<void> {
  const prerequisites = [{ kind: 'rrset-absent', name: changes[0]!.name, type: 'CNAME' }] as const;
  return sendUpdate(knot.server, { zone: 'example.test', prerequisites, changes }, key, {
    random: randomBytes,
    clock: { now },
  });
}

const text = (kind: 'add' | 'delete', name: string, value: string): TextChange => ({
  kind,
  name,
  text: value,
  ttl: 60,
});

describePeers(['knot'], 'DNS with Knot', () => {
  beforeAll(async () => {
    knot = await startKnot({
      'example.test': ZONE,
      'sub.example.test':
        '@ 60 IN SOA ns h 1 1 1 1 1\n@ 60 IN NS ns\n@ 60 IN NS gone\nns 60 IN A 127.0.0.1\nns 60 IN AAAA ::1\n',
      'elsewhere.test': 'target 60 IN A 192.0.2.7\n',
    });
    const options = { servers: [knot.server], random: randomBytes, timeoutMs: 10_000 };
    client = createStubClient(options);
    direct = createStubClient({ ...options, recursion: false });
  });
  afterAll(async () => {
    await knot.stop();
  });

  it('reads SRV records, the root as target among them', async () => {
    const { answers, authoritative, rcode } = await client.query('_matrix-fed._tcp.example.test', 'SRV');
    expect({ authoritative, rcode }).toEqual({ authoritative: true, rcode: 'NOERROR' });
    const name = '_matrix-fed._tcp.example.test';
    expect(answers).toHaveLength(2);
    expect(answers).toEqual(
      expect.arrayContaining([
        { name, ttl: 300, type: 'SRV', priority: 10, weight: 5, port: 8448, target: 'hs.example.test' },
        { name, ttl: 300, type: 'SRV', priority: 20, weight: 0, port: 443, target: 'other.example.net' },
      ]),
    );
    expect((await client.query('_matrix._tcp.example.test', 'SRV')).answers).toMatchObject([{ target: '' }]);
  });

  it('reads addresses of both families, behind an alias too', async () => {
    expect((await client.query('hs.example.test', 'AAAA')).answers).toMatchObject([{ address: '2001:db8::1' }]);
    expect((await client.query('ALIAS.example.test.', 'A')).answers).toMatchObject([
      { name: 'alias.example.test', type: 'CNAME', target: 'hs.example.test' },
      { name: 'hs.example.test', type: 'A', address: '127.0.0.1' },
    ]);
  });

  it('joins the strings of long texts', async () => {
    expect((await client.query('long.example.test', 'TXT')).answers).toMatchObject([
      { text: `${'l'.repeat(255)}${'m'.repeat(255)}n` },
    ]);
  });

  it('reads CAA records', async () => {
    const { answers } = await client.query('example.test', 'CAA');
    expect(answers).toHaveLength(2);
    expect(answers).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          critical: false,
          tag: 'issue',
          value: 'ca.example; accounturi=https://ca.example/1',
        }),
        expect.objectContaining({ critical: true, tag: 'iodef', value: 'mailto:a@example.test' }),
      ]),
    );
  });

  it('tells no such name from no such record, with the SOA that says how long that holds', async () => {
    const soa = { name: 'example.test', type: 'SOA', primary: 'ns.example.test', serial: 1, minimum: 1 };
    expect(await client.query('nobody.example.test', 'A')).toMatchObject({ rcode: 'NXDOMAIN', authority: [soa] });
    expect(await client.query('hs.example.test', 'TXT')).toMatchObject({ rcode: 'NOERROR', authority: [soa] });
    expect(await client.query('example.org', 'A')).toMatchObject({ rcode: 'REFUSED', answers: [] });
  });

  it('turns to TCP for what does not fit into a datagram', async () => {
    const { answers } = await client.query('many.example.test', 'TXT');
    expect(answers).toHaveLength(60);
  });

  it('finds zones, from names that exist and that do not, and below delegations', async () => {
    expect(await findZone('example.test', direct)).toBe('example.test');
    expect(await findZone('a.b.c.example.test', direct)).toBe('example.test');
    expect(await findZone('_acme-challenge.alias.example.test', direct)).toBe('example.test');
    expect(await findZone('alias.example.test', direct)).toBe('example.test');
    expect(await findZone('x.sub.example.test', direct)).toBe('sub.example.test');
    await expect(findZone('x.example.org', direct)).rejects.toMatchObject({
      code: 'DNS_NO_ZONE',
      message: expect.stringMatching(/REFUSED/),
    });
  });

  it('finds every address of the servers of a zone, and asks each of them', async () => {
    const found = await zoneServers('x.sub.example.test', client, undefined, knot.server.port);
    expect(found).toEqual({
      zone: 'sub.example.test',
      servers: [
        { address: '127.0.0.1', port: knot.server.port },
        { address: '::1', port: knot.server.port },
      ],
      withoutAddress: ['gone.sub.example.test'],
    });
    // Nobody listens on ::1.
    const clientOf = (server: typeof knot.server) =>
      createStubClient({ servers: [server], random: randomBytes, recursion: false });
    const replies = await queryEach(found.servers, clientOf, 'ns.sub.example.test', 'A');
    expect(replies).toMatchObject([
      { server: { address: '127.0.0.1' }, answer: { rcode: 'NOERROR', authoritative: true } },
      { server: { address: '::1' }, error: { code: 'DNS_UNREACHABLE' } },
    ]);
  });

  it('follows aliases to their end, and says so when there is none', async () => {
    expect(await followAliases('far.example.test', client)).toBe('target.elsewhere.test');
    expect(await followAliases('nobody.example.test', client)).toBe('nobody.example.test');
    await expect(followAliases('round.example.test', client)).rejects.toMatchObject({
      code: 'DNS_ALIAS_LOOP',
      message: expect.stringMatching(/round\.example\.test → square\.example\.test → round\.example\.test/),
    });
  });

  it.each(TSIG_ALGORITHMS)('adds and removes one value beside others, signed with %s', async (algorithm) => {
    const key = keyOf(knot.keys[algorithm]);
    const name = `_acme-challenge.${algorithm}.example.test`;
    await update(key, [text('add', name, 'one')]);
    await update(key, [text('add', name, 'two')]);
    await update(key, [text('add', name, 'two')]);
    expect((await knot.ask(name, 'TXT')).toSorted()).toEqual(['"one"', '"two"']);
    await update(key, [text('delete', name, 'one')]);
    expect(await knot.ask(name, 'TXT')).toEqual(['"two"']);
    await update(key, [text('delete', name, 'one')]);
    await update(key, [text('delete', name, 'two')]);
    expect(await client.query(name, 'TXT')).toMatchObject({ rcode: 'NXDOMAIN' });
  });

  it('agrees with knsupdate on what a value is, long ones too', async () => {
    const name = 'agree.example.test';
    const long = 'w'.repeat(300);
    await update(keyOf(knot.keys['hmac-sha256']), [text('add', name, long)]);
    expect(await knot.ask(name, 'TXT')).toEqual([`"${'w'.repeat(255)}" "${'w'.repeat(45)}"`]);
    await knot.update(
      knot.keys['hmac-sha512'],
      `zone example.test\nupdate delete ${name}. TXT "${'w'.repeat(255)}" "${'w'.repeat(45)}"\nupdate add ${name}. 60 TXT "a b"`,
    );
    expect((await client.query(name, 'TXT')).answers).toMatchObject([{ text: 'a b' }]);
    await update(keyOf(knot.keys['hmac-sha384']), [text('delete', name, 'a b')]);
    expect(await knot.ask(name, 'TXT')).toEqual([]);
  });

  it('tells what is wrong with a key apart', async () => {
    const good = keyOf(knot.keys['hmac-sha256']);
    const change = [text('add', 'never.example.test', 'x')];
    await expect(update({ ...good, name: 'stranger' }, change)).rejects.toMatchObject({ code: 'DNS_UPDATE_KEY' });
    await expect(update({ ...good, algorithm: 'hmac-sha512' }, change)).rejects.toMatchObject({
      code: 'DNS_UPDATE_KEY',
    });
    await expect(update({ ...good, secret: randomBytes(32) }, change)).rejects.toMatchObject({
      code: 'DNS_UPDATE_SIGNATURE',
    });
    // Knot tells strangers nothing: to a key that may not, it says the same as to one that it does not know.
    await expect(update(keyOf(knot.powerless), change)).rejects.toMatchObject({
      code: 'DNS_UPDATE_KEY',
      message: expect.stringMatching(/powerless.*example\.test/),
    });
    expect(await knot.ask('never.example.test', 'TXT')).toEqual([]);
  });

  it.each([
    ['behind', -3600],
    ['ahead', 3600],
  ])('says how far the clocks are apart when ours is %s', async (_, seconds) => {
    const key = keyOf(knot.keys['hmac-sha384']);
    const late = update(key, [text('add', 'never.example.test', 'x')], () => Date.now() + seconds * 1000);
    await expect(late).rejects.toMatchObject({
      code: 'DNS_UPDATE_TIME',
      message: expect.stringMatching(
        seconds < 0 ? /(3599|360[0-9]) s ahead of ours/ : /(3599|3600|359[0-9]) s behind ours/,
      ),
    });
    expect(await knot.ask('never.example.test', 'TXT')).toEqual([]);
  });

  it('changes nothing when a condition does not hold, or the zone is another server’s', async () => {
    const key = keyOf(knot.keys['hmac-sha256']);
    await expect(update(key, [text('add', 'alias.example.test', 'x')])).rejects.toMatchObject({
      code: 'DNS_UPDATE_PREREQUISITE',
      message: expect.stringMatching(/no CNAME record at alias\.example\.test/),
    });
    const foreign = { zone: 'example.org', prerequisites: [], changes: [text('add', 'a.example.org', 'x')] };
    await expect(
      sendUpdate(knot.server, foreign, key, { random: randomBytes, clock: systemClock }),
    ).rejects.toMatchObject({
      code: 'DNS_UPDATE_REFUSED',
      message: expect.stringMatching(/example\.org is not its zone/),
    });
  });
});
