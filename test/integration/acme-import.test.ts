/** An account that was imported from another program, at a CA that knows it. */
import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { importFindings } from '../../src/acme/import/import.ts';
import { obtain } from '../../src/acme/order.ts';
import { accountKey, decodeAccount } from '../../src/acme/stored-account.ts';
import { MemoryStore } from '../../src/store/memory-store.ts';
import { FakeCa } from '../helpers/fake-ca/fake-ca.ts';
import { issuerOf, orderSetup, requestFor } from '../helpers/fake-ca/order-setup.ts';

const signal = AbortSignal.timeout(60_000);

let ca: FakeCa;
let store: MemoryStore;

beforeEach(async () => {
  ca = await FakeCa.start();
  store = new MemoryStore();
  await store.lock();
});
afterEach(() => ca.close());

const KEYS = {
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  ec: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
};

describe('an imported account', () => {
  it.each(['rsa', 'ec'] as const)('is the one that orders are made with (%s)', async (kind) => {
    const key = KEYS[kind];
    const { id, directoryUrl } = issuerOf(ca);
    const url = `${new URL(directoryUrl).origin}/account/77`;
    ca.accounts.push({ url, jwk: key.export({ format: 'jwk' }), contact: ['mailto:admin@example.com'] });
    const contact = ['tel:+12025550100', 'mailto:admin@example.com'];
    const account = { where: 'accounts/1', key, uri: url, contact, directory: directoryUrl };
    const findings = { certificates: [], accounts: [account], unreadable: [] };
    const options = { store, from: 'certbot', now: Date.now(), dryRun: false, force: false };
    expect(await importFindings(findings, options)).toMatchObject([{ outcome: 'taken', issuer: id }]);

    const setup = await orderSetup(ca, { store, issuer: { email: 'admin@example.com' } });
    const client = await setup.open();
    expect(client.accountUri).toBe(url);
    await obtain(requestFor(['a.example']), setup.deps(client), signal);
    expect(ca.orders.map(({ accountUrl }) => accountUrl)).toEqual([url]);
    expect(ca.accounts).toHaveLength(1);
    expect(decodeAccount((await store.get(accountKey(id))) ?? Buffer.alloc(0))).toMatchObject({
      ok: true,
      record: { url, contact: 'admin@example.com', pendingKey: null },
    });
    client.close();
  });
});
