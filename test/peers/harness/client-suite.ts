/** What a client does all day, through Portico, over verified TLS: the same for every homeserver. */
import { createHash, randomBytes } from 'node:crypto';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { AutoDiscovery, AutoDiscoveryAction } from 'matrix-js-sdk/lib/autodiscovery.js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { delay } from '../../helpers/eventually.ts';
import { describePeers, printLogsOnFailure } from './describe-peers.ts';
import type { HomeserverKind } from './homeserver.ts';
import { logIn, registerAccount } from './matrix-client.ts';
import type { MatrixClient, SyncAnswer, TimelineEvent } from './matrix-client.ts';
import { startSites } from './site.ts';
import type { Site, Sites } from './site.ts';
import { webRequest } from './web-request.ts';

const PASSWORD = 'correct horse battery staple';
const MB = 1_000_000;
const QUIET_MS = 1000;
const QUIET_TRIES = 10;

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const eventsOf = (answer: SyncAnswer, roomId: string): TimelineEvent[] =>
  answer.rooms?.join?.[roomId]?.timeline?.events ?? [];

/** A long poll that has been waiting at the homeserver for a second, because there is nothing new. */
interface WaitingPoll {
  readonly answer: Promise<SyncAnswer>;
  readonly startedAt: number;
}

/** Own joins and device lists trickle in for a while after they were made: polls are repeated until one has to wait. */
async function startPoll(client: MatrixClient, timeoutMs: number): Promise<WaitingPoll> {
  let since = (await client.sync()).next_batch;
  for (let i = 0; i < QUIET_TRIES; i += 1) {
    const startedAt = performance.now();
    const answer = client.sync(since, timeoutMs);
    const early = await Promise.race([answer, delay(QUIET_MS).then(() => null)]);
    if (early === null) return { answer, startedAt };
    since = early.next_batch;
  }
  throw new Error(`each of ${QUIET_TRIES} long polls was answered within ${QUIET_MS} ms`);
}

/** Declares the tests of one homeserver. */
export function describeClientLife(kind: HomeserverKind): void {
  describePeers([kind], `a client of ${kind} behind Portico`, () => {
    let sites: Sites | undefined;
    let site: Site;
    let names = 0;
    const newAccount = (): Promise<MatrixClient> => registerAccount(site.client, `user${(names += 1)}`, PASSWORD);

    beforeAll(async () => {
      sites = await startSites({ kinds: [kind] });
      site = sites.all[0]!;
    }, 120_000);
    afterAll(() => sites?.stop(), 60_000);
    printLogsOnFailure(() => sites);

    it('registers and logs in', { timeout: 60_000 }, async () => {
      const registered = await newAccount();
      const localpart = `user${names}`;
      expect(registered.userId).toBe(`@${localpart}:${site.serverName}`);
      const loggedIn = await logIn(site.client, localpart, PASSWORD);
      expect(await loggedIn.call('GET', '/_matrix/client/v3/account/whoami')).toMatchObject({
        user_id: registered.userId,
      });
      await expect(logIn(site.client, localpart, 'wrong')).rejects.toMatchObject({ status: 403 });
    });

    it('is reached only by those who trust its certificate', async () => {
      const path = '/_matrix/client/versions';
      await expect(webRequest({ base: site.client.base, path })).rejects.toMatchObject({
        code: expect.stringMatching(/UNABLE_TO_VERIFY|SELF_SIGNED/) as string,
      });
      expect((await webRequest({ ...site.client, path })).status).toBe(200);
    });

    it('is found by the discovery of matrix-js-sdk', async () => {
      // The library uses the fetch of this process; it must trust the CA, as a user's system would.
      const before = getCACertificates('default');
      setDefaultCACertificates([...before, site.client.ca]);
      try {
        const found = await AutoDiscovery.findClientConfig(new URL(site.client.base).host);
        expect(found['m.homeserver']).toMatchObject({
          state: AutoDiscoveryAction.SUCCESS,
          error: null,
          base_url: site.client.base,
        });
      } finally {
        setDefaultCACertificates(before);
      }
    });

    it('holds a long poll for the time the client asked for', { timeout: 60_000 }, async () => {
      const client = await newAccount();
      const { answer, startedAt } = await startPoll(client, 3000);
      expect((await answer).next_batch).toBeTypeOf('string');
      // Only the lower bound: a busy machine may be late, nobody may be early. Homeservers round to their own ticks.
      expect(performance.now() - startedAt).toBeGreaterThan(2900);
    });

    it('delivers an event into a long poll that waits', { timeout: 120_000 }, async () => {
      const [reader, writer] = [await newAccount(), await newAccount()];
      const room = await writer.createRoom();
      await reader.join(room);
      const { answer } = await startPoll(reader, 60_000);
      const sent = await writer.send(room, 'hello through the front door');
      expect(eventsOf(await answer, room).map((event) => event.event_id)).toContain(sent);
    });

    it.for([1, 60])('carries %i MB of media up and down unchanged', { timeout: 120_000 }, async (megabytes) => {
      const client = await newAccount();
      const bytes = randomBytes(megabytes * MB);
      const mxc = await client.upload(bytes, `${megabytes} MB of anything.bin`);
      const back = await client.download(mxc);
      expect(back.length).toBe(bytes.length);
      expect(sha256(back)).toBe(sha256(bytes));
    });

    it('tells the homeserver the address of the client, whatever the client says of itself', async () => {
      const client = await newAccount();
      const forged = { 'X-Forwarded-For': '203.0.113.99', 'X-Real-IP': '203.0.113.98', Forwarded: 'for=203.0.113.97' };
      await client.call('GET', '/_matrix/client/v3/sync?timeout=0', { headers: forged });
      const answer = await client.call<{ devices: object[] }>('GET', '/_matrix/client/v3/devices', { headers: forged });
      const address = expect.stringMatching(/^(127\.0\.0\.1|::1)$/) as string;
      expect(answer.devices).toEqual([expect.objectContaining({ last_seen_ip: address })]);
    });

    it('gives peers the signing keys on the federation port, and nobody the admin API', async () => {
      const federation = { base: `https://${site.serverName}`, ca: site.client.ca };
      const keys = await webRequest({ ...federation, path: '/_matrix/key/v2/server' });
      expect(keys.status).toBe(200);
      expect(JSON.parse(keys.body.toString())).toMatchObject({ server_name: site.serverName });
      const admin = await webRequest({ ...site.client, path: '/_synapse/admin/v1/register' });
      expect(admin.status).toBe(403);
      expect(JSON.parse(admin.body.toString())).toMatchObject({ errcode: 'M_FORBIDDEN' });
    });
  });
}
