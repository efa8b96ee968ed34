/**
 * Two real homeservers federating on loopback, each behind its own Portico, every certificate verified.
 * Names hold what signed URIs break on: `/ + = .`, literal `%2F`, space and characters beyond ASCII.
 */
import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describePeers, printLogsOnFailure } from './harness/describe-peers.ts';
import { registerAccount } from './harness/matrix-client.ts';
import type { MatrixClient } from './harness/matrix-client.ts';
import { startSites } from './harness/site.ts';
import type { Site, Sites } from './harness/site.ts';
import { startTestOrigin } from './harness/test-origin.ts';
import type { TestOrigin } from './harness/test-origin.ts';
import { webRequest } from './harness/web-request.ts';
import type { WebResponse } from './harness/web-request.ts';

const PASSWORD = 'correct horse battery staple';
/** Just below the 13,107,200 bytes that Synapse takes. */
const BIG_TRANSACTION_BYTES = 12_500_000;
const CHUNK_BYTES = 125_000;
/** Enough that some of version 3's event ids hold `/` and some `+`: each does with a chance of one half. */
const OLD_MESSAGES = 24;

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

describePeers(['synapse', 'dendrite'], 'Synapse and Dendrite federating, each behind Portico', () => {
  let sites: Sites | undefined;
  let origin: TestOrigin;
  let synapse: Site;
  let dendrite: Site;
  let names = 0;
  const newName = (): string => `user${(names += 1)}`;
  const newAccount = (site: Site, localpart = newName()): Promise<MatrixClient> =>
    registerAccount(site.client, localpart, PASSWORD);
  const siteOf = (kind: string): Site => (kind === 'synapse' ? synapse : dendrite);

  beforeAll(async () => {
    origin = await startTestOrigin();
    sites = await startSites({ kinds: ['synapse', 'dendrite'], trustedCas: [origin.ca] });
    [synapse, dendrite] = [sites.all[0]!, sites.all[1]!];
  }, 180_000);
  afterAll(async () => {
    await origin.close();
    await sites?.stop();
  }, 60_000);
  printLogsOnFailure(() => sites);

  it.for([
    { host: 'synapse', guest: 'dendrite', version: '3' },
    { host: 'synapse', guest: 'dendrite', version: '11' },
    { host: 'dendrite', guest: 'synapse', version: '3' },
    { host: 'dendrite', guest: 'synapse', version: '11' },
  ])(
    'a room of version $version made on $host is joined from $guest, with its past, and messages go both ways',
    { timeout: 120_000 },
    async ({ host, guest, version }) => {
      const alice = await newAccount(siteOf(host));
      const bob = await newAccount(siteOf(guest));
      const alias = `room-${alice.userId.slice(1).split(':')[0] ?? ''}`;
      const room = await alice.createRoom({ room_version: version, room_alias_name: alias });
      for (let i = 0; i < OLD_MESSAGES; i += 1) await alice.send(room, `before the join ${i}`);
      expect(await bob.join(`#${alias}:${siteOf(host).serverName}`)).toBe(room);
      await alice.send(room, `from ${host}`);
      const received = await bob.waitForMessage(room, `from ${host}`);
      expect(received.sender).toBe(alice.userId);
      const sent = await bob.send(room, `from ${guest}`);
      expect((await alice.waitForMessage(room, `from ${guest}`)).event_id).toBe(sent);
      // The guest must fetch the past by event id, which in version 3 holds `/` and `+`.
      await bob.waitForMessage(room, 'before the join 3');
    },
  );

  it.for([
    { host: 'synapse', guest: 'dendrite' },
    { host: 'dendrite', guest: 'synapse' },
  ])(
    'a user of $host with / + = . in its name is seen, asked for keys, and invites one of $guest',
    { timeout: 120_000 },
    async ({ host, guest }) => {
      const odd = `a/b+c=d.e-${newName()}`;
      const alice = await newAccount(siteOf(host), odd);
      const bob = await newAccount(siteOf(guest), `x/y+z=.${newName()}`);
      expect(alice.userId).toBe(`@${odd}:${siteOf(host).serverName}`);
      await alice.setDisplayName('Ä/+=.%2F 日本 😀');
      expect(await bob.displayName(alice.userId)).toBe('Ä/+=.%2F 日本 😀');
      const keys = await bob.queryKeys([alice.userId]);
      expect(keys.failures ?? {}).toEqual({});
      const room = await alice.createRoom({ preset: 'private_chat', invite: [bob.userId], room_version: '11' });
      await bob.join(room, [siteOf(host).serverName]);
      await bob.send(room, 'thanks for the invitation');
      expect((await alice.waitForMessage(room, 'thanks for the invitation')).sender).toBe(bob.userId);
    },
  );

  // Synapse makes no alias with white space in it; Dendrite does, and Synapse finds that.
  it.for([
    { host: 'synapse', guest: 'dendrite', name: 'with/slash+plus=equals.dot' },
    { host: 'synapse', guest: 'dendrite', name: 'literal%2Fand%20escapes%25' },
    { host: 'synapse', guest: 'dendrite', name: 'ünïcode-日本-😀' },
    { host: 'synapse', guest: 'dendrite', name: "?query&x#y;z'(~)*" },
    { host: 'dendrite', guest: 'synapse', name: 'with/slash+plus=equals.dot' },
    { host: 'dendrite', guest: 'synapse', name: 'literal%2Fand%20escapes%25' },
    { host: 'dendrite', guest: 'synapse', name: 'ünïcode-日本-😀' },
    { host: 'dendrite', guest: 'synapse', name: "?query&x#y;z'(~)*" },
    { host: 'dendrite', guest: 'synapse', name: 'with space' },
  ])('alias #$name of $host is found and joined from $guest', { timeout: 60_000 }, async ({ host, guest, name }) => {
    const alice = await newAccount(siteOf(host));
    const bob = await newAccount(siteOf(guest));
    const room = await alice.createRoom({ room_version: '11' });
    const alias = `#${name}:${siteOf(host).serverName}`;
    await alice.setAlias(alias, room);
    expect(await bob.resolveAlias(alias)).toBe(room);
    expect(await bob.join(alias)).toBe(room);
  });

  it.for([
    { host: 'synapse', guest: 'dendrite', bytes: 300_000 },
    { host: 'synapse', guest: 'dendrite', bytes: 24_000_000 },
    { host: 'dendrite', guest: 'synapse', bytes: 300_000 },
    { host: 'dendrite', guest: 'synapse', bytes: 24_000_000 },
  ])('media of $bytes bytes on $host is read from $guest', { timeout: 120_000 }, async ({ host, guest, bytes }) => {
    const alice = await newAccount(siteOf(host));
    const bob = await newAccount(siteOf(guest));
    const content = randomBytes(bytes);
    const mxc = await alice.upload(content, 'söme file.bin');
    expect(sha256(await bob.download(mxc))).toBe(sha256(content));
  });

  it.for(['synapse', 'dendrite'])(
    'a signed transaction of 12.5 MB is accepted by %s, and refused when one byte of it was changed',
    { timeout: 120_000 },
    async (kind) => {
      const site = siteOf(kind);
      const uri = `/_matrix/federation/v1/send/${newName()}`;
      const content = {
        origin: origin.serverName,
        origin_server_ts: Date.now(),
        pdus: [],
        edus: Array.from({ length: BIG_TRANSACTION_BYTES / CHUNK_BYTES }, () => ({
          edu_type: 'org.example.bulk',
          content: { data: 'x'.repeat(CHUNK_BYTES) },
        })),
      };
      const authorization = origin.sign({ method: 'PUT', uri, destination: site.serverName, content });
      const body = JSON.stringify(content);
      expect(body.length).toBeGreaterThan(BIG_TRANSACTION_BYTES);
      const put = (payload: string): Promise<WebResponse> =>
        webRequest({
          base: `https://${site.serverName}`,
          ca: site.client.ca,
          method: 'PUT',
          path: uri,
          headers: { Authorization: authorization, 'Content-Type': 'application/json' },
          body: payload,
        });
      const accepted = await put(body);
      expect({ status: accepted.status, body: accepted.body.toString() }).toEqual({ status: 200, body: '{"pdus":{}}' });
      expect((await put(body.replace('xxx', 'xxy'))).status).toBe(401);
    },
  );
});
