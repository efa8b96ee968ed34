/** The stores of other programs as those programs write them, with certificates made for the occasion. */
import { generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createTestCa, type TestCa } from '../../../helpers/test-certificates.ts';

/** What goes into a store. */
export interface Pair {
  readonly leaf: string;
  readonly issuer: string;
  readonly key: string;
}

/** Makes pairs under one root. */
export async function pairMaker(): Promise<(names: readonly string[], days?: number) => Promise<Pair>> {
  const ca: TestCa = await createTestCa();
  return async (names, days) => {
    const { cert, key } = await ca.issue(names, days);
    return { leaf: `${cert.trim()}\n`, issuer: `${ca.ca.trim()}\n`, key };
  };
}

/** An account key as most of the programs make it. */
export function accountKeyPair(): KeyObject {
  return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
}

export function ecAccountKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
}

/** Writes a file and its directories. */
export async function put(root: string, path: string, text: string, mode = 0o600): Promise<void> {
  const file = join(root, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
  await chmod(file, mode);
}

/** A lineage of certbot 5: archive, links in live, renewal settings. */
export async function certbotLineage(
  root: string,
  name: string,
  pair: Pair,
  { server = 'https://acme-v02.api.letsencrypt.org/directory', account = '', version = 1 } = {},
): Promise<void> {
  const files = { cert: pair.leaf, privkey: pair.key, chain: pair.issuer, fullchain: pair.leaf + pair.issuer };
  for (const [kind, text] of Object.entries(files)) {
    const file = `${kind}${String(version)}.pem`;
    await put(root, `archive/${name}/${file}`, text, kind === 'privkey' ? 0o600 : 0o644);
    await mkdir(join(root, 'live', name), { recursive: true });
    await symlink(`../../archive/${name}/${file}`, join(root, 'live', name, `${kind}.pem`));
  }
  await put(root, `live/${name}/README`, 'This directory contains your keys and certificates.\n');
  await put(
    root,
    `renewal/${name}.conf`,
    `version = 5.8.0
archive_dir = ${root}/archive/${name}
cert = ${root}/live/${name}/cert.pem
privkey = ${root}/live/${name}/privkey.pem
chain = ${root}/live/${name}/chain.pem
fullchain = ${root}/live/${name}/fullchain.pem

# Options used in the renewal process
[renewalparams]
account = ${account}
authenticator = standalone
server = ${server}
key_type = ecdsa
`,
  );
}

/** An account of certbot 5: the key as a JWK. */
export async function certbotAccount(root: string, server: string, id: string, key: KeyObject): Promise<string> {
  const uri = `https://${server.split('/')[0] ?? ''}/acme/acct/${id.slice(0, 4)}`;
  const place = `accounts/${server}/${id}`;
  await put(root, `${place}/private_key.json`, JSON.stringify(key.export({ format: 'jwk' })), 0o400);
  await put(root, `${place}/regr.json`, JSON.stringify({ body: {}, uri }));
  const meta = { creation_dt: '2026-11-28T00:24:31Z', creation_host: 'host', register_to_eff: null };
  await put(root, `${place}/meta.json`, JSON.stringify(meta));
  return uri;
}

/** A site of certmagic's file storage. */
export async function caddySite(root: string, issuer: string, name: string, pair: Pair): Promise<void> {
  const safe = name.replace('*', 'wildcard_');
  const place = `certificates/${issuer}/${safe}/${safe}`;
  await put(root, `${place}.crt`, pair.leaf + pair.issuer);
  await put(root, `${place}.key`, pair.key);
  const data = { url: 'https://acme-v02.api.letsencrypt.org/acme/cert/0123', ca: 'https://acme-v02.api.letsencrypt.org/directory' }; // prettier-ignore
  await put(root, `${place}.json`, JSON.stringify({ sans: [name], issuer_data: data }, null, '\t'));
}

/** An account of certmagic's file storage. */
export async function caddyAccount(root: string, issuer: string, email: string, key: KeyObject, uri: string) {
  const place = `acme/${issuer}/users/${email}/${email.replace(/@.*$/, '')}`;
  await put(root, `${place}.key`, key.export({ type: 'sec1', format: 'pem' }).toString());
  const account = { status: 'valid', contact: [`mailto:${email}`], termsOfServiceAgreed: true, orders: '', location: uri }; // prettier-ignore
  await put(root, `${place}.json`, JSON.stringify(account, null, '\t'));
}

/** A domain of acme.sh 3. */
export async function acmeShDomain(root: string, name: string, pair: Pair, { ecc = true, api = '' } = {}) {
  const folder = ecc ? `${name}_ecc` : name;
  await put(root, `${folder}/${name}.cer`, pair.leaf);
  await put(root, `${folder}/ca.cer`, pair.issuer);
  await put(root, `${folder}/fullchain.cer`, pair.leaf + pair.issuer);
  await put(root, `${folder}/${name}.key`, pair.key);
  await put(root, `${folder}/${name}.csr`, 'csr');
  const reload = Buffer.from('systemctl reload nginx').toString('base64');
  await put(
    root,
    `${folder}/${name}.conf`,
    `Le_Domain='${name}'
Le_Alt='no'
Le_Webroot='no'
Le_ReloadCmd='__ACME_BASE64__START_${reload}__ACME_BASE64__END_'
Le_API='${api === '' ? 'https://acme-v02.api.letsencrypt.org/directory' : api}'
Le_Keylength='ec-256'
`,
  );
}

/** An account of acme.sh 3. */
export async function acmeShAccount(root: string, server: string, key: KeyObject, uri: string): Promise<void> {
  const pem = key.export({ type: key.asymmetricKeyType === 'rsa' ? 'pkcs1' : 'sec1', format: 'pem' });
  await put(root, `ca/${server}/account.key`, pem.toString());
  await put(root, `ca/${server}/account.json`, '{"contact": ["mailto:admin@example.com"], "status": "valid"}\n');
  await put(root, `ca/${server}/ca.conf`, `CA_EMAIL='admin@example.com'\nACCOUNT_URL='${uri}'\nCA_KEY_HASH='x'\n`);
}

/** Traefik 2 and 3: one resolver. */
export function traefikResolver(
  uri: string,
  key: KeyObject,
  pairs: readonly { readonly main: string; readonly pair: Pair }[],
): Record<string, unknown> {
  const base64 = (text: string | Buffer): string => Buffer.from(text).toString('base64');
  return {
    Account: {
      Email: 'admin@example.com',
      Registration: { body: { status: 'valid', contact: ['mailto:admin@example.com'] }, uri },
      PrivateKey: base64(key.export({ type: 'pkcs1', format: 'der' })),
      KeyType: '4096',
    },
    Certificates: pairs.map(({ main, pair }) => ({
      domain: { main },
      certificate: base64(pair.leaf + pair.issuer),
      key: base64(pair.key),
      Store: 'default',
    })),
  };
}
