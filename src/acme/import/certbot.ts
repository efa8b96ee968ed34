/**
 * certbot's configuration directory (/etc/letsencrypt): `live/NAME/{fullchain,privkey}.pem` are links into `archive/NAME/`,
 * `renewal/NAME.conf` tells the CA and the account, and accounts are JWKs in `accounts/HOST/PATH/ID/`.
 */
import { createPrivateKey } from 'node:crypto';
import type { ContainedFiles } from './contained-files.ts';
import { attempt, directoryFrom, jsonMap, mapOf, noFindings, textOf, textsOf, type Findings } from './findings.ts';

/** `HOST/PATH/ID` with a path of a few parts; deeper is a circle. */
const MAX_DEPTH = 6;

/** Reads all of it; what cannot be read is in the findings. */
export async function readCertbot(files: ContainedFiles): Promise<Findings> {
  const findings = noFindings();
  const preferred = new Set<string>();
  for (const name of await files.folders('live')) {
    await attempt(findings, `live/${name}`, async () => {
      const settings = renewalSettings((await files.textIfThere(`renewal/${name}.conf`)) ?? '');
      const account = settings.get('account');
      if (account !== undefined) preferred.add(account);
      findings.certificates.push({
        where: `live/${name}`,
        chain: await files.text(`live/${name}/fullchain.pem`),
        key: await files.text(`live/${name}/privkey.pem`),
        directory: directoryFrom(settings.get('server')),
      });
    });
  }
  await readAccounts(files, 'accounts', findings, 0);
  const rank = (where: string): number => (preferred.has(where.split('/').at(-1) ?? '') ? 0 : 1);
  findings.accounts.sort((a, b) => rank(a.where) - rank(b.where));
  return findings;
}

async function readAccounts(files: ContainedFiles, folder: string, findings: Findings, depth: number): Promise<void> {
  await attempt(findings, folder, async () => {
    if (depth > MAX_DEPTH) throw new Error('its folders are too deep, or lead in a circle');
    if ((await files.files(folder)).includes('private_key.json')) {
      await readAccount(files, folder, findings);
      return;
    }
    for (const name of await files.folders(folder)) await readAccounts(files, `${folder}/${name}`, findings, depth + 1);
  });
}

async function readAccount(files: ContainedFiles, folder: string, findings: Findings): Promise<void> {
  const jwk = jsonMap(await files.text(`${folder}/private_key.json`));
  const registration = jsonMap(await files.text(`${folder}/regr.json`));
  findings.accounts.push({
    where: folder,
    key: createPrivateKey({ key: jwk, format: 'jwk' }),
    uri: textOf(registration.uri, 'account URL'),
    contact: textsOf(mapOf(registration.body)?.contact),
    directory: directoryFrom(`https://${folder.split('/').slice(1, -1).join('/')}`),
  });
}

/** `KEY = VALUE` lines, whatever section they stand in. */
function renewalSettings(text: string): Map<string, string> {
  const settings = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, key, value] = /^\s*([a-z_]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined && value !== '') settings.set(key, value.replace(/^"(.*)"$/, '$1'));
  }
  return settings;
}
