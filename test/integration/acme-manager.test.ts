/** The manager with the real client: its authorities are made of that, and a fake CA is at the other end. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ariCertId } from '../../src/acme/ari.ts';
import { clientIssuer } from '../../src/acme/client-issuer.ts';
import type { CertificateEvent } from '../../src/acme/events.ts';
import { importFindings } from '../../src/acme/import/import.ts';
import { mayTryNextIssuer } from '../../src/acme/issuer.ts';
import { AcmeManager } from '../../src/acme/manager.ts';
import type { AcmePlan } from '../../src/acme/manager.ts';
import { planCertificate } from '../../src/acme/planned-certificates.ts';
import { decodeAccount, encodeAccount } from '../../src/acme/stored-account.ts';
import { systemClock } from '../../src/base/clock.ts';
import type { PorticoError } from '../../src/base/errors.ts';
import { MemoryStore } from '../../src/store/memory-store.ts';
import { eventually } from '../helpers/eventually.ts';
import { FakeCa } from '../helpers/fake-ca/fake-ca.ts';
import { issuerOf, ProofSolver } from '../helpers/fake-ca/order-setup.ts';
import { createTestCa } from '../helpers/test-certificates.ts';
import { createPrivateKey } from 'node:crypto';

let ca: FakeCa;
let store: MemoryStore;
let managers: AcmeManager[];
let events: CertificateEvent[];
let problems: PorticoError[];

beforeEach(async () => {
  ca = await FakeCa.start();
  store = new MemoryStore();
  await store.lock();
  [managers, events, problems] = [[], [], []];
});

afterEach(async () => {
  for (const manager of managers) await manager.close();
  await ca.close();
});

function planFor(sets: readonly (readonly string[])[], solversTag = '1'): AcmePlan {
  const certificates = sets.map(planCertificate);
  const names = certificates.flatMap((certificate) => certificate.names);
  const issuer = clientIssuer({
    issuer: issuerOf(ca),
    profile: null,
    preferredChain: null,
    limits: null,
    store,
    clock: systemClock,
    solvers: [new ProofSolver(ca, 'http-01')],
    solversTag,
    log: () => undefined,
  });
  return {
    certificates,
    challenges: new Map(
      names.map((name) => [name, { name, possible: [{ type: 'http-01' as const, provided: null }], impossible: [] }]),
    ),
    issuers: [issuer],
    keyType: 'ecdsa-p256',
  };
}

async function open(plan: AcmePlan): Promise<AcmeManager> {
  const manager = await AcmeManager.open(plan, {
    store,
    clock: systemClock,
    random: () => 0.5,
    hasAddress: async () => true,
    ariCertId,
    mayTryNextIssuer,
    observer: { certificate: (event) => events.push(event), problem: (problem) => problems.push(problem) },
  });
  managers.push(manager);
  return manager;
}

describe('the manager with the client', () => {
  it('obtains, serves and stores, keeps no order, and asks for nothing after a restart', async () => {
    const manager = await open(planFor([['a.example'], ['b.example', 'c.example']]));
    manager.start();
    for (const name of ['a.example', 'b.example', 'c.example']) {
      await eventually(() => expect(manager.certificateFor(name)).toMatchObject({ source: 'acme' }));
    }
    await eventually(async () =>
      expect((await store.list('acme')).filter((key) => key.includes('/orders/'))).toEqual([]),
    );
    await manager.close();
    const orders = ca.orders.size;
    const again = await open(planFor([['a.example'], ['b.example', 'c.example']]));
    expect(again.certificateFor('c.example')).toMatchObject({ source: 'acme' });
    again.start();
    await eventually(() => expect(events.filter(({ kind }) => kind === 'adopted')).toHaveLength(2));
    await again.close();
    expect(ca.orders.size).toBe(orders);
    expect(problems).toEqual([]);
  });

  it('orders with an account that was imported, in the form that another program had it', async () => {
    const first = await open(planFor([['a.example']]));
    first.start();
    await eventually(() => expect(first.certificateFor('a.example')).toMatchObject({ source: 'acme' }));
    await first.close();
    const { id, directoryUrl } = issuerOf(ca);
    const place = `acme/${id}/account.json`;
    const decoded = decodeAccount((await store.get(place)) ?? Buffer.alloc(0));
    if (!decoded.ok) throw new Error(decoded.why);
    const { key, url } = decoded.record;
    store = new MemoryStore();
    await store.lock();
    const account = { where: 'x', key: createPrivateKey(key), uri: url ?? '', contact: [], directory: directoryUrl };
    const findings = { certificates: [], accounts: [account], unreadable: [] };
    const options = { store, from: 'certbot', now: Date.now(), dryRun: false, force: false };
    expect(await importFindings(findings, options)).toMatchObject([{ outcome: 'taken', issuer: id }]);
    expect((await store.get(place))?.toString()).toBe(encodeAccount(decoded.record));
    const second = await open(planFor([['b.example']]));
    second.start();
    await eventually(() => expect(second.certificateFor('b.example')).toMatchObject({ source: 'acme' }));
    expect(ca.accounts.size).toBe(1);
  });

  it('serves what was imported, and orders only what that is not for', async () => {
    const names = ['a.example', 'b.example'];
    const foreign = await createTestCa();
    const { cert, key } = await foreign.issue(names, 60);
    const found = { where: 'live/a.example', chain: cert, key, directory: issuerOf(ca).directoryUrl };
    const findings = { certificates: [found], accounts: [], unreadable: [] };
    await importFindings(findings, { store, from: 'certbot', now: Date.now(), dryRun: false, force: false });
    const manager = await open(planFor([['a.example'], ['b.example'], ['c.example']]));
    expect(manager.certificateFor('b.example')).toMatchObject({ names });
    manager.start();
    await eventually(() => expect(manager.certificateFor('c.example')).toMatchObject({ names: ['c.example'] }));
    expect(events.filter(({ kind }) => kind === 'ordering').map(({ id }) => id)).toEqual(['c.example']);
  });
});
