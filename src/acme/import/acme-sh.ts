/**
 * acme.sh's directory (~/.acme.sh): `NAME/` or `NAME_ecc/` with `fullchain.cer`, `NAME.key` and `NAME.conf`, and
 * `ca/HOST/PATH/` with `account.key`, `account.json` and `ca.conf`. The conf files are shell assignments; they are read and
 * never run.
 */
import { createPrivateKey } from 'node:crypto';
import type { ContainedFiles } from './contained-files.ts';
import { attempt, directoryFrom, jsonMap, noFindings, textOf, textsOf, type Findings } from './findings.ts';

/** `HOST/PATH` with a path of a few parts; deeper is a circle. */
const MAX_DEPTH = 6;

/** Reads all of it; what cannot be read is in the findings. */
export async function readAcmeSh(files: ContainedFiles): Promise<Findings> {
  const findings = noFindings();
  for (const folder of await files.folders('.')) {
    const name = folder.replace(/_ecc$/, '');
    await attempt(findings, folder, async () => {
      const conf = await files.textIfThere(`${folder}/${name}.conf`);
      // The folders of its own scripts (ca, dnsapi, deploy, notify) have none.
      if (conf === null) return;
      findings.certificates.push({
        where: folder,
        chain: await files.text(`${folder}/fullchain.cer`),
        key: await files.text(`${folder}/${name}.key`),
        directory: directoryFrom(assignments(conf).get('le_api')),
      });
    });
  }
  await readAccounts(files, 'ca', findings, 0);
  return findings;
}

async function readAccounts(files: ContainedFiles, folder: string, findings: Findings, depth: number): Promise<void> {
  await attempt(findings, folder, async () => {
    if (depth > MAX_DEPTH) throw new Error('its folders are too deep, or lead in a circle');
    if ((await files.files(folder)).includes('account.key')) await readAccount(files, folder, findings);
    for (const name of await files.folders(folder)) await readAccounts(files, `${folder}/${name}`, findings, depth + 1);
  });
}

async function readAccount(files: ContainedFiles, folder: string, findings: Findings): Promise<void> {
  const conf = assignments((await files.textIfThere(`${folder}/ca.conf`)) ?? '');
  const email = conf.get('ca_email');
  const described = await files.textIfThere(`${folder}/account.json`);
  const contact = described === null ? [] : textsOf(jsonMap(described).contact);
  findings.accounts.push({
    where: folder,
    key: createPrivateKey(await files.text(`${folder}/account.key`)),
    uri: textOf(conf.get('account_url'), 'ACCOUNT_URL in ca.conf'),
    contact: contact.length === 0 && email !== undefined ? [`mailto:${email}`] : contact,
    directory: directoryFrom(`https://${folder.split('/').slice(1).join('/')}`),
  });
}

/** `KEY='VALUE'` lines, by key in lower case; values that the shell could misread are in base64. */
function assignments(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, key, raw] = /^\s*([A-Za-z_]\w*)=(.*?)\s*$/.exec(line) ?? [];
    if (key === undefined || raw === undefined) continue;
    const plain = raw.replace(/^(['"])(.*)\1$/, '$2');
    const wrapped = /^__ACME_BASE64__START_(.*)__ACME_BASE64__END_$/.exec(plain)?.[1];
    const value = wrapped === undefined ? plain : Buffer.from(wrapped, 'base64').toString('utf8').trim();
    if (value !== '') values.set(key.toLowerCase(), value);
  }
  return values;
}
