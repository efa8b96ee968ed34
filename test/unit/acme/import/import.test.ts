import { createPublicKey, type KeyObject } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { importFindings, type ImportLine, type ImportOptions } from '../../../../src/acme/import/import.ts';
import { readForeignStore, type ImportSource } from '../../../../src/acme/import/read-store.ts';
import { issuerIdOf } from '../../../../src/acme/issuer.ts';
import { planCertificate } from '../../../../src/acme/planned-certificates.ts';
import { decodeAccount, type AccountRecord } from '../../../../src/acme/stored-account.ts';
import { readStoredCertificates, type StoredCertificate } from '../../../../src/acme/stored-certificates.ts';
import { parseCertificate } from '../../../../src/base/certificate.ts';
import { MemoryStore } from '../../../../src/store/memory-store.ts';
import {
  accountKeyPair,
  acmeShAccount,
  acmeShDomain,
  caddyAccount,
  caddySite,
  certbotAccount,
  certbotLineage,
  ecAccountKey,
  pairMaker,
  put,
  traefikResolver,
  type Pair,
} from './foreign-stores.ts';

/** As Caddy names it. */
const LETS_ENCRYPT = 'acme-v02.api.letsencrypt.org-directory';
const STAGING = 'acme-staging-v02.api.letsencrypt.org-directory';
const SERVER = 'acme-v02.api.letsencrypt.org/directory';
const DIRECTORIES = [
  `https://${SERVER}`,
  'https://acme-staging-v02.api.letsencrypt.org/directory',
  'https://acme.zerossl.com/v2/DV90',
];
const URI = 'https://acme-v02.api.letsencrypt.org/acme/acct/42';

let newPair: (names: readonly string[], days?: number) => Promise<Pair>;
let rsaKey: KeyObject;
let root: string;
let outside: string;
let store: MemoryStore;

beforeAll(async () => {
  newPair = await pairMaker();
  rsaKey = accountKeyPair();
});

beforeEach(async () => {
  outside = await mkdtemp(join(tmpdir(), 'portico-import-'));
  root = join(outside, 'store');
  await mkdir(root);
  store = new MemoryStore();
  await store.lock();
});

afterEach(() => rm(outside, { recursive: true, force: true }));

async function run(
  from: ImportSource,
  { path = root, directory = null as string | null, ...options }: Partial<ImportOptions> & { path?: string; directory?: string | null } = {}, // prettier-ignore
): Promise<ImportLine[]> {
  const findings = await readForeignStore(from, path, DIRECTORIES, directory);
  return await importFindings(findings, { store, from, now: Date.now(), dryRun: false, force: false, ...options });
}

async function storedCertificates(): Promise<StoredCertificate[]> {
  const keys = await store.list('acme/certificates');
  for (const key of keys) expect(key).toMatch(/^acme\/certificates\/[a-z0-9._-]{1,100}\/certificate\.json$/);
  const { found } = await readStoredCertificates(store, (problem) => {
    throw problem;
  });
  expect(found.size).toBe(keys.length);
  return [...found.values()];
}

async function storedAccount(issuer = 'letsencrypt'): Promise<AccountRecord | null> {
  const value = await store.get(`acme/${issuer}/account.json`);
  const decoded = value === null ? null : decodeAccount(value);
  return decoded?.ok === true ? decoded.record : null;
}

function publicKeyOf(key: KeyObject | string): string {
  return createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString();
}

/** That one certificate and one account were taken whole. */
async function expectTaken(pair: Pair, key: KeyObject, from: ImportSource, uri = URI): Promise<void> {
  const [certificate, ...more] = await storedCertificates();
  expect(more).toEqual([]);
  const wanted = parseCertificate(pair.leaf + pair.issuer, pair.key, 'acme');
  expect(certificate).toEqual({
    id: planCertificate(wanted.names).id,
    certificate: wanted,
    issuer: 'letsencrypt',
    issuerName: 'letsencrypt',
    profile: null,
    askedProfile: null,
    configuredProfile: null,
    obtainedAt: wanted.notBefore,
    certificateUrl: null,
    importedFrom: from,
  });
  const account = await storedAccount();
  expect(account).toMatchObject({ version: 1, directoryUrl: `https://${SERVER}`, url: uri, pendingKey: null });
  expect(publicKeyOf(account?.key ?? '')).toBe(publicKeyOf(key));
}

function outcomes(lines: readonly ImportLine[]): string[] {
  return lines.map(({ where, outcome, why }) => `${where} ${outcome}${why === null ? '' : `: ${why}`}`).sort();
}

describe('certbot', () => {
  it('gives its certificates through their links, and the accounts of its JWKs', async () => {
    const pair = await newPair(['example.com', 'www.example.com']);
    await certbotLineage(root, 'example.com', pair);
    const uri = await certbotAccount(root, SERVER, '9dd5b57006ca32b1b780f231a03169b8', rsaKey);
    const lines = await run('certbot');
    expect(lines.map(({ kind, outcome }) => `${kind} ${outcome}`)).toEqual(['certificate taken', 'account taken']);
    await expectTaken(pair, rsaKey, 'certbot', uri);
  });

  it('prefers the account that its renewals use, and takes an ECDSA one', async () => {
    const key = ecAccountKey();
    await certbotLineage(root, 'example.com', await newPair(['example.com']), { account: 'bbbb0000' });
    await certbotAccount(root, SERVER, 'aaaa0000', rsaKey);
    const uri = await certbotAccount(root, SERVER, 'bbbb0000', key);
    expect(outcomes(await run('certbot'))).toContain(
      `accounts/${SERVER}/aaaa0000 refused: another account at the same CA was taken`,
    );
    expect((await storedAccount())?.url).toBe(uri);
    expect(publicKeyOf((await storedAccount())?.key ?? '')).toBe(publicKeyOf(key));
  });

  it('follows the links that it makes from one version of a CA to the next', async () => {
    await certbotAccount(root, 'acme-v01.api.letsencrypt.org/directory', 'aaaa0000', rsaKey);
    await mkdir(join(root, 'accounts', 'acme-v02.api.letsencrypt.org'));
    await symlink(join(root, 'accounts/acme-v01.api.letsencrypt.org/directory'), join(root, 'accounts', SERVER));
    // The account's URL is that of a CA which has ended.
    expect(outcomes(await run('certbot'))).toContain(
      `accounts/${SERVER}/aaaa0000 refused: its account URL is of another CA (acme-v01.api.letsencrypt.org)`,
    );
  });
});

describe('Caddy', () => {
  it('gives its certificates and accounts', async () => {
    const pair = await newPair(['*.example.com']);
    const key = ecAccountKey();
    await caddySite(root, LETS_ENCRYPT, '*.example.com', pair);
    await caddyAccount(root, LETS_ENCRYPT, 'admin@example.com', key, URI);
    await caddySite(root, 'local', 'internal.test', await newPair(['internal.test']));
    const lines = await run('caddy');
    expect(outcomes(lines)).toEqual([
      `acme/${LETS_ENCRYPT}/users/admin@example.com taken`,
      `certificates/${LETS_ENCRYPT}/wildcard_.example.com taken`,
      "certificates/local/internal.test refused: it is of Caddy's internal CA, which nobody else trusts",
    ]);
    await expectTaken(pair, key, 'caddy');
    expect((await storedAccount())?.contact).toBe('admin@example.com');
  });

  it('gives the longer of two from two CAs, and nothing of a staging CA', async () => {
    const longer = await newPair(['a.example'], 60);
    await caddySite(root, LETS_ENCRYPT, 'a.example', await newPair(['a.example'], 20));
    await caddySite(root, 'acme.zerossl.com-v2-dv90', 'a.example', longer);
    await caddySite(root, STAGING, 'a.example', await newPair(['a.example'], 80));
    expect(outcomes(await run('caddy'))).toEqual([
      `certificates/${STAGING}/a.example refused: it is of a staging CA, which nobody trusts`,
      `certificates/${LETS_ENCRYPT}/a.example refused: another for the same names is valid longer`,
      'certificates/acme.zerossl.com-v2-dv90/a.example taken',
    ]);
    expect((await storedCertificates()).map(({ issuer }) => issuer)).toEqual(['zerossl']);
  });

  it('with a CA that nobody knows: the certificate is taken without its CA, the account when that is told', async () => {
    const folder = 'ca.internal-8443-acme-dir';
    await caddySite(root, folder, 'a.example', await newPair(['a.example']));
    await caddyAccount(root, folder, 'admin@example.com', ecAccountKey(), 'https://ca.internal:8443/acct/1');
    expect(outcomes(await run('caddy'))).toEqual([
      `acme/${folder}/users/admin@example.com refused: its CA is not known; say which with --directory URL`,
      `certificates/${folder}/a.example taken`,
    ]);
    expect(await storedCertificates()).toMatchObject([{ issuer: null, issuerName: null, importedFrom: 'caddy' }]);
    const directory = 'https://ca.internal:8443/acme/Dir';
    const lines = await run('caddy', { directory, force: true });
    const issuer = issuerIdOf(directory);
    expect(lines.map((line) => line.issuer)).toEqual([issuer, issuer]);
    expect(await storedAccount(issuer)).toMatchObject({ directoryUrl: directory, contact: 'admin@example.com' });
  });
});

describe('acme.sh', () => {
  it.for([true, false])('gives its certificates and accounts (ECDSA: %s)', async (ecc) => {
    const pair = await newPair(['example.com']);
    await acmeShDomain(root, 'example.com', pair, { ecc });
    await acmeShAccount(root, SERVER, ecc ? ecAccountKey() : rsaKey, URI);
    for (const scripts of ['dnsapi', 'deploy', 'notify']) await put(root, `${scripts}/x.sh`, '#!/bin/sh\n');
    await put(root, 'account.conf', "USER_PATH='/bin'\n");
    const lines = await run('acme.sh');
    expect(lines.map(({ outcome }) => outcome)).toEqual(['taken', 'taken']);
    if (!ecc) await expectTaken(pair, rsaKey, 'acme.sh');
    expect((await storedAccount())?.contact).toBe('admin@example.com');
  });

  it('reads its settings and never runs them', async () => {
    const marker = join(outside, 'ran');
    await acmeShDomain(root, 'a.example', await newPair(['a.example']), { api: `$(touch ${marker})` });
    await run('acme.sh');
    expect(() => execFileSync('test', ['-e', marker])).toThrow();
  });
});

describe('Traefik', () => {
  it('gives its certificates and accounts, the CA found by the host of the account', async () => {
    const pair = await newPair(['example.com']);
    await put(root, 'acme.json', JSON.stringify({ letsencrypt: traefikResolver(URI, rsaKey, [{ main: 'example.com', pair }]), unused: { Account: null, Certificates: null } })); // prettier-ignore
    const lines = await run('traefik', { path: join(root, 'acme.json') });
    expect(outcomes(lines)).toEqual(['letsencrypt.Account taken', 'letsencrypt.Certificates[0] taken']);
    await expectTaken(pair, rsaKey, 'traefik');
    expect((await run('traefik')).map(({ outcome }) => outcome)).toEqual(['there', 'there']);
  });

  it('of version 1 is read too', async () => {
    const pair = await newPair(['example.com']);
    const { Account, Certificates } = traefikResolver(URI, rsaKey, [{ main: 'example.com', pair }]);
    const old = (Certificates as Record<string, unknown>[]).map(({ certificate, key }) => ({ Domain: { Main: 'example.com', SANs: null }, Certificate: certificate, Key: key })); // prettier-ignore
    await put(root, 'acme.json', JSON.stringify({ Account, Certificates: old, HTTPChallenges: {}, TLSChallenges: {} }));
    expect((await run('traefik')).map(({ outcome }) => outcome)).toEqual(['taken', 'taken']);
    await expectTaken(pair, rsaKey, 'traefik');
  });

  it('with a CA that nobody knows needs to be told', async () => {
    const uri = 'https://ca.internal:8443/acct/1';
    await put(root, 'acme.json', JSON.stringify({ home: traefikResolver(uri, rsaKey, []) }));
    expect(outcomes(await run('traefik'))).toEqual([
      'home.Account refused: its CA is not known; say which with --directory URL',
    ]);
    await run('traefik', { directory: 'https://ca.internal:8443/dir' });
    expect((await storedAccount(issuerIdOf('https://ca.internal:8443/dir')))?.url).toBe(uri);
  });
});

describe('what is in our store already', () => {
  it('is kept, unless --force is given', async () => {
    const [old, fresh] = [await newPair(['a.example'], 20), await newPair(['a.example'], 60)];
    await certbotLineage(root, 'a.example', old);
    await certbotAccount(root, SERVER, 'aaaa0000', rsaKey);
    await run('certbot');
    const before = await storedCertificates();
    await rm(root, { recursive: true });
    await certbotLineage(root, 'a.example', fresh);
    const uri = await certbotAccount(root, SERVER, 'bbbb0000', ecAccountKey());
    expect(outcomes(await run('certbot'))).toEqual([
      `accounts/${SERVER}/bbbb0000 refused: the store has another account at this CA; --force replaces it`,
      'live/a.example refused: the store has another for these names; --force replaces it',
    ]);
    expect(await storedCertificates()).toEqual(before);
    expect((await run('certbot', { force: true })).map(({ outcome }) => outcome)).toEqual(['taken', 'taken']);
    expect(await storedCertificates()).not.toEqual(before);
    expect((await storedAccount())?.url).toBe(uri);
  });

  it('and damaged is replaced; what cannot be read is not, and other names are taken all the same', async () => {
    const place = 'acme/certificates/a.example/certificate.json';
    await certbotLineage(root, 'a.example', await newPair(['a.example']));
    await store.put(place, '{"version": 1');
    expect((await run('certbot')).map(({ outcome }) => outcome)).toEqual(['taken']);
    await certbotLineage(root, 'b.example', await newPair(['b.example']));
    const get = store.get.bind(store);
    store.get = (key) => (key === place ? Promise.reject(new Error('EIO')) : get(key));
    expect(outcomes(await run('certbot'))).toEqual([
      'live/a.example refused: the store has another for these names; --force replaces it',
      'live/b.example taken',
    ]);
    store.list = () => Promise.reject(new Error('EIO'));
    await expect(run('certbot')).rejects.toMatchObject({ code: 'ACME_STATE_UNREADABLE' });
  });

  it('is not touched by a dry run, which says the same', async () => {
    await certbotLineage(root, 'a.example', await newPair(['a.example']));
    await certbotAccount(root, SERVER, 'aaaa0000', rsaKey);
    const unlocked = new MemoryStore();
    const lines = await run('certbot', { dryRun: true, store: unlocked });
    expect(await unlocked.list('')).toEqual([]);
    expect(await run('certbot')).toEqual(lines);
  });
});

describe('what is not good', () => {
  it('is not taken, with the reason, and keeps nothing else from being taken', async () => {
    const good = await newPair(['good.example']);
    await certbotLineage(root, 'good.example', good);
    await certbotLineage(root, 'expired.example', await newPair(['expired.example'], -3));
    await certbotLineage(root, 'mixed.example', { ...good, key: (await newPair(['x.example'])).key });
    await certbotLineage(root, 'nameless.example', await newPair([]));
    await certbotLineage(root, 'cut.example', { ...good, leaf: good.leaf.slice(0, 200) });
    await certbotLineage(root, 'gone.example', good);
    await rm(join(root, 'archive/gone.example/privkey1.pem'));
    await put(root, `accounts/${SERVER}/aaaa/private_key.json`, '{"kty":"RSA","n":"AQAB"}');
    await put(root, `accounts/${SERVER}/aaaa/regr.json`, '{}');
    await put(root, `accounts/${SERVER}/bbbb/private_key.json`, 'secret that is not JSON');
    const lines = await run('certbot');
    const refused = outcomes(lines).filter((line) => line.includes(' refused: '));
    expect(refused).toHaveLength(7);
    expect(refused.join('\n')).toMatch(/expired\.example refused: it expired on 20/);
    expect(refused.join('\n')).toMatch(/mixed\.example refused: The private key does not belong/);
    expect(refused.join('\n')).toMatch(/nameless\.example refused: it is for no name/);
    expect(refused.join('\n')).toMatch(/cut\.example refused: The certificate chain cannot be read/);
    expect(refused.join('\n')).toMatch(/gone\.example refused: ENOENT/);
    expect(refused.join('\n')).not.toContain('secret');
    expect((await storedCertificates()).map(({ certificate }) => certificate.names)).toEqual([['good.example']]);
  });

  it('is no reason for a throw: a path with nothing, with something else, or not there', async () => {
    for (const from of ['certbot', 'caddy', 'acme.sh'] as const) {
      expect(await run(from)).toEqual([]);
      await expect(run(from, { path: join(root, 'none') })).rejects.toMatchObject({ code: 'IMPORT_UNREADABLE' });
    }
    await expect(run('traefik')).rejects.toMatchObject({ code: 'IMPORT_UNREADABLE' });
    for (const text of ['', 'null', '[]', '{"a":', '7']) {
      await put(root, 'acme.json', text);
      await expect(run('traefik'), text).rejects.toMatchObject({ code: 'IMPORT_UNREADABLE' });
    }
    for (const text of ['{}', '{"a": null, "b": {"Account": 7, "Certificates": {}}}']) {
      await put(root, 'acme.json', text);
      expect(await run('traefik')).toEqual([]);
    }
  });
});

describe('a hostile store', () => {
  it('cannot lead out of itself by links', async () => {
    const pair = await newPair(['a.example']);
    await put(outside, 'secret/fullchain.pem', pair.leaf + pair.issuer);
    await put(outside, 'secret/privkey.pem', pair.key);
    await mkdir(join(root, 'live/file-links'), { recursive: true });
    for (const file of ['fullchain.pem', 'privkey.pem']) {
      await symlink(`../../../secret/${file}`, join(root, 'live/file-links', file));
    }
    await symlink('../../secret', join(root, 'live/folder-link'));
    await symlink(join(outside, 'secret'), join(root, 'accounts'));
    const lines = await run('certbot');
    expect(lines.map(({ outcome }) => outcome)).not.toContain('taken');
    expect(outcomes(lines)).toContain('live/file-links refused: it leads out of the store');
    expect(await store.list('')).toEqual([]);
  });

  it('cannot hold the reader up with circles, pipes or files without end', async () => {
    await symlink('loop', join(root, 'loop'));
    await put(root, 'live/endless/privkey.pem', 'x');
    await symlink('/dev/zero', join(root, 'live/endless/fullchain.pem'));
    await put(root, 'live/huge/fullchain.pem', '');
    await truncate(join(root, 'live/huge/fullchain.pem'), 2 ** 40);
    await mkdir(join(root, 'live/pipe'));
    execFileSync('mkfifo', [join(root, 'live/pipe/fullchain.pem')]);
    await mkdir(join(root, 'live/circle'));
    await symlink('fullchain.pem', join(root, 'live/circle/fullchain.pem'));
    await mkdir(join(root, 'accounts/a'), { recursive: true });
    await symlink('..', join(root, 'accounts/a/up'));
    await symlink('.', join(root, 'accounts/a/here'));
    const lines = await run('certbot');
    const where = lines.map((line) => line.where);
    for (const name of ['endless', 'huge', 'pipe', 'circle']) expect(where).toContain(`live/${name}`);
    expect(lines.every(({ outcome }) => outcome === 'refused')).toBe(true);
    expect(outcomes(lines).join('\n')).toContain('too deep, or lead in a circle');
    expect(await run('acme.sh')).toEqual([]);
  });

  it('cannot choose where in our store something lands', async () => {
    const pair = await newPair(['a.example']);
    const hostile = '..%2f..%2fetc';
    await caddySite(root, hostile, 'a.example', pair);
    await caddyAccount(root, '..', 'x@example.com', ecAccountKey(), 'https://ca.example/1');
    await acmeShAccount(root, 'ca.example/UPPER/..x', ecAccountKey(), 'https://ca.example/acct/1');
    await run('caddy');
    await run('acme.sh');
    for (const key of await store.list('')) {
      expect(key).toMatch(/^acme\/(certificates\/[a-z0-9._-]+\/certificate|[a-z0-9.-]+\/account)\.json$/);
      expect(key).not.toContain('..');
    }
    expect(await store.list('acme/certificates')).toHaveLength(1);
  });

  it('with more entries than any store has is given up', { timeout: 60_000 }, async () => {
    await mkdir(join(root, 'live'));
    execFileSync('sh', ['-c', `cd "${root}/live" && seq 20001 | xargs touch`]);
    await expect(run('certbot')).rejects.toMatchObject({
      code: 'IMPORT_UNREADABLE',
      message: expect.stringContaining('more than 20000 entries') as string,
    });
  });
});
