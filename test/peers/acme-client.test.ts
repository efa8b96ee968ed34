/** Our ACME client against Let's Encrypt's own test authority. */
import { createHash, X509Certificate } from 'node:crypto';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { ariCertId } from '../../src/acme/ari.ts';
import type { ChallengeSolver, ChallengeTask, ChallengeType } from '../../src/acme/challenge.ts';
import { openAcmeClient } from '../../src/acme/client.ts';
import type { AcmeClient, AcmeIssuer } from '../../src/acme/client.ts';
import { issuerIdOf } from '../../src/acme/issuer.ts';
import { discardOrder, obtain } from '../../src/acme/order.ts';
import type { OrderDeps, OrderRequest, OrderResult, OrderStep } from '../../src/acme/order.ts';
import { AcmeProblem } from '../../src/acme/problem.ts';
import { parseCertificate } from '../../src/base/certificate.ts';
import { systemClock } from '../../src/base/clock.ts';
import { MemoryStore } from '../../src/store/memory-store.ts';
import { requestFor } from '../helpers/fake-ca/order-setup.ts';
import { describePeers } from './harness/describe-peers.ts';
import { Pebble } from './harness/pebble.ts';
import type { PebbleOptions } from './harness/pebble.ts';

const DAY = 86_400;
const soon = (): AbortSignal => AbortSignal.timeout(100_000);

let pebble: Pebble | undefined;
let answers: Server | undefined;
let directory = '';
let store = new MemoryStore();
const steps: OrderStep[] = [];

/** Answers HTTP-01, as the data plane will. */
class TokenSolver implements ChallengeSolver {
  readonly type = 'http-01';
  readonly #tokens = new Map<string, string>();

  async listen(port: number): Promise<void> {
    const server = createServer((request, response) => {
      const answer = this.#tokens.get((request.url ?? '').replace('/.well-known/acme-challenge/', ''));
      response.writeHead(answer === undefined ? 404 : 200).end(answer);
    });
    answers = server;
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  }

  async present(task: ChallengeTask): Promise<void> {
    this.#tokens.set(task.token, task.keyAuthorization);
  }

  async cleanUp(task: ChallengeTask): Promise<void> {
    this.#tokens.delete(task.token);
  }
}

/** Sets records at the DNS server that Pebble asks. */
function dnsSolver(type: 'dns-01' | 'dns-persist-01', at: Pebble): ChallengeSolver {
  const recordOf = ({
    identifier,
    keyAuthorization,
    issuerDomainNames,
    accountUri,
    wildcard,
  }: ChallengeTask): [string, string] =>
    type === 'dns-01'
      ? [`_acme-challenge.${identifier.value}`, createHash('sha256').update(keyAuthorization).digest('base64url')]
      : [
          `_validation-persist.${identifier.value}`,
          `${issuerDomainNames[0]}; accounturi=${accountUri}${wildcard ? '; policy=wildcard' : ''}`,
        ];
  // A name and its wildcard have their records at the same place, and the server can only clear all of it.
  const open = new Map<string, number>();
  return {
    type,
    present: async (task) => {
      const [host, value] = recordOf(task);
      open.set(host, (open.get(host) ?? 0) + 1);
      await at.addTxt(host, value);
    },
    cleanUp: async (task) => {
      const [host] = recordOf(task);
      const left = (open.get(host) ?? 0) - 1;
      open.set(host, left);
      if (left === 0) await at.clearTxt(host);
    },
  };
}

interface Setup {
  readonly at: Pebble;
  readonly client: AcmeClient;
  readonly deps: OrderDeps;
  readonly issuer: AcmeIssuer;
}

async function start(
  options: Omit<PebbleOptions, 'directory'> = {},
  issuerPart: Partial<AcmeIssuer> = {},
): Promise<Setup> {
  directory = mkdtempSync(join(tmpdir(), 'portico-pebble-'));
  const at = await Pebble.start({ ...options, directory });
  pebble = at;
  store = new MemoryStore();
  await store.lock();
  const issuer: AcmeIssuer = {
    id: issuerIdOf(at.directoryUrl),
    name: 'pebble',
    directoryUrl: at.directoryUrl,
    caPem: at.tlsCaPem,
    eab: null,
    email: null,
    ...issuerPart,
  };
  const http = new TokenSolver();
  await http.listen(at.httpPort);
  const client = await openAcmeClient(issuer, { store, clock: systemClock }, soon());
  const solvers = [http, dnsSolver('dns-01', at), dnsSolver('dns-persist-01', at)];
  return {
    at,
    client,
    issuer,
    deps: { client, solvers, store, clock: systemClock, log: (step) => void steps.push(step) },
  };
}

function by(type: ChallengeType, ...names: string[]): Partial<OrderRequest> {
  return { challenges: new Map(names.map((name) => [name, [type]])) };
}

/** Obtains, and checks with OpenSSL's eyes that the chain ends in a root of Pebble's. */
async function obtainAt(
  { at, deps }: Setup,
  names: readonly string[],
  overrides: Partial<OrderRequest> = {},
  root = 0,
): Promise<OrderResult> {
  const result = await obtain(requestFor(names, overrides), deps, soon());
  const certificate = parseCertificate(result.chain, result.key, 'acme');
  expect(certificate.names.toSorted()).toEqual(names.toSorted());
  const chain = result.chain.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  const top = new X509Certificate(chain.at(-1) ?? '');
  expect(top.verify(new X509Certificate(await at.root(root)).publicKey)).toBe(true);
  return result;
}

afterEach(async ({ task }) => {
  if (task.result?.state === 'fail')
    process.stderr.write(`${pebble?.describeLogs()}\n${JSON.stringify(steps, null, 1)}\n`);
  await pebble?.stop();
  pebble = undefined;
  answers?.closeAllConnections();
  await new Promise((resolve) => (answers === undefined ? resolve(null) : answers.close(resolve)));
  answers = undefined;
  rmSync(directory, { recursive: true, force: true });
  steps.length = 0;
});

describePeers(['pebble'], 'Pebble', () => {
  it('issues for several names by HTTP-01', async () => {
    const setup = await start({}, { email: 'admin@example.com' });
    await obtainAt(setup, ['example.com', 'matrix.example.com']);
  });

  it('issues for an IP address', async () => {
    const setup = await start();
    const { chain } = await obtainAt(setup, ['127.0.0.1']);
    expect(new X509Certificate(chain).subject).toBeUndefined();
  });

  it('issues for a name and its wildcard by DNS-01, whose records are at the same place', async () => {
    const setup = await start({ authzReusePercent: 0 });
    const names = ['example.com', '*.example.com'];
    await obtainAt(setup, names, by('dns-01', ...names));
  });

  it('issues for names that are shown by different challenges', async () => {
    const setup = await start();
    const challenges = new Map<string, ChallengeType[]>([
      ['*.example.org', ['dns-01']],
      ['matrix.example.net', ['http-01']],
    ]);
    await obtainAt(setup, [...challenges.keys()], { challenges });
  });

  it('issues for a name and a wildcard by dns-persist-01, which has no token', async () => {
    const setup = await start();
    await obtainAt(setup, ['example.com'], by('dns-persist-01', 'example.com'));
    await obtainAt(setup, ['*.example.org'], { id: 'wildcard', ...by('dns-persist-01', '*.example.org') });
  });

  it('that requires an external account gets it, and refuses without', async () => {
    const kid = 'kid-1';
    const hmac = 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W';
    const setup = await start({ eab: { [kid]: hmac } }, { eab: { kid, hmacKey: Buffer.from(hmac, 'base64url') } });
    await obtainAt(setup, ['example.com']);
    const empty = new MemoryStore();
    await empty.lock();
    const without = openAcmeClient({ ...setup.issuer, eab: null }, { store: empty, clock: systemClock }, soon());
    await expect(without).rejects.toMatchObject({ code: 'ACME_PROBLEM', type: 'externalAccountRequired' });
  });

  it('keeps to the profile that is asked for, also at renewal', async () => {
    const profiles = {
      classic: { description: 'the usual', validityPeriod: 90 * DAY },
      shortlived: { description: 'six days', validityPeriod: 6 * DAY },
    };
    const setup = await start({ profiles });
    expect(setup.client.profiles()?.toSorted()).toEqual(['classic', 'shortlived']);
    let replaces: string | null = null;
    for (let issued = 0; issued < 3; issued += 1) {
      const { chain, key, profile } = await obtainAt(setup, ['example.com'], { profile: 'shortlived', replaces });
      const { notBefore, notAfter } = parseCertificate(chain, key, 'acme');
      expect((notAfter - notBefore) / 1000).toBeLessThanOrEqual(6 * DAY);
      expect(profile).toBe('shortlived');
      await discardOrder(setup.issuer.id, 'example', store);
      replaces = ariCertId(chain);
    }
  });

  it('gives the chain under the root that is preferred', async () => {
    const setup = await start({ alternateRoots: 2 });
    const commonName = /CN=(.+)/.exec(new X509Certificate(await setup.at.root(2)).subject)?.[1] ?? '';
    await obtainAt(setup, ['example.com'], { preferredChain: commonName }, 2);
  });

  it('has renewal information for its certificates, and takes orders that replace one, once', async () => {
    const setup = await start();
    const { chain } = await obtainAt(setup, ['example.com']);
    const certId = ariCertId(chain) ?? '';
    const info = await setup.client.renewalInfo(certId, soon());
    expect(info?.end).toBeGreaterThan(info?.start ?? Infinity);
    expect(info?.retryAfterMs).toBeGreaterThan(0);
    await discardOrder(setup.issuer.id, 'example', store);
    expect(await obtainAt(setup, ['example.com'], { replaces: certId })).toMatchObject({ droppedReplaces: false });
    expect(await obtainAt(setup, ['example.com'], { id: 'again', replaces: certId })).toMatchObject({
      droppedReplaces: true,
    });
  });

  it('that refuses every second nonce issues all the same', async () => {
    const setup = await start({ nonceRejectPercent: 50 });
    for (const id of ['one', 'two', 'three']) await obtainAt(setup, [`${id}.example.com`], { id });
    await setup.client.keyRollover(soon());
    await obtainAt(setup, ['four.example.com'], { id: 'four' });
  });

  it('that uses valid authorizations again is not shown control a second time', async () => {
    const setup = await start({ authzReusePercent: 100 });
    await obtainAt(setup, ['example.com']);
    steps.length = 0;
    await obtainAt(setup, ['example.com'], { id: 'again' });
    expect(steps.some(({ step }) => step === 'presenting')).toBe(false);
  });

  it('finds the account again by its key, after roll-over too', async () => {
    const setup = await start();
    const { accountUri } = setup.client;
    await setup.client.keyRollover(soon());
    const record = JSON.parse((await store.get(`acme/${setup.issuer.id}/account.json`))?.toString() ?? '') as object;
    await store.put(`acme/${setup.issuer.id}/account.json`, JSON.stringify({ ...record, url: null }));
    const again = await openAcmeClient(setup.issuer, { store, clock: systemClock }, soon());
    expect(again.accountUri).toBe(accountUri);
    await obtain(requestFor(['example.com']), { ...setup.deps, client: again }, soon());
  });

  it('says what is wrong, typed and with who must change it', async () => {
    const setup = await start({ blocked: ['blocked.example'] });
    const failing = async (name: string): Promise<AcmeProblem> => {
      const error: unknown = await obtain(requestFor([name], { id: name }), setup.deps, soon()).catch(
        (reason: unknown) => reason,
      );
      if (error instanceof AcmeProblem) return error;
      throw error;
    };
    expect(await failing('blocked.example')).toMatchObject({ type: 'rejectedIdentifier' });
    await setup.at.setAddresses('closed.example.com', ['127.0.0.2']);
    expect(await failing('closed.example.com')).toMatchObject({
      type: 'connection',
      identifier: { type: 'dns', value: 'closed.example.com' },
    });
    await setup.at.breakName('broken.example.com');
    expect((await failing('broken.example.com')).fix).toBeDefined();
  });
});
