/**
 * Caddy's data directory (certmagic's file storage): `certificates/ISSUER/NAME/NAME.{crt,key}` and
 * `acme/ISSUER/users/EMAIL/USER.{json,key}`, where ISSUER is host and path of the CA's directory joined by hyphens.
 */
import { createPrivateKey } from 'node:crypto';
import type { ContainedFiles } from './contained-files.ts';
import { attempt, directoryNamed, jsonMap, noFindings, textOf, textsOf, type Findings } from './findings.ts';

/** Caddy's own CA for internal names. */
const INTERNAL_CA = 'local';

/**
 * Reads all of it; what cannot be read is in the findings.
 * @param directories - directory URLs of CAs that are known, to find those that the folders are named after
 */
export async function readCaddy(files: ContainedFiles, directories: readonly string[]): Promise<Findings> {
  const findings = noFindings();
  await attempt(findings, 'certificates', async () => {
    for (const issuer of await files.folders('certificates')) {
      for (const name of await files.folders(`certificates/${issuer}`)) {
        const where = `certificates/${issuer}/${name}`;
        await attempt(findings, where, async () => {
          if (issuer === INTERNAL_CA) throw new Error("it is of Caddy's internal CA, which nobody else trusts");
          findings.certificates.push({
            where,
            chain: await files.text(`${where}/${name}.crt`),
            key: await files.text(`${where}/${name}.key`),
            directory: directoryNamed(issuer, directories, folderOf),
          });
        });
      }
    }
  });
  await attempt(findings, 'acme', async () => {
    for (const issuer of await files.folders('acme')) {
      const directory = directoryNamed(issuer, directories, folderOf);
      for (const user of await files.folders(`acme/${issuer}/users`)) {
        const where = `acme/${issuer}/users/${user}`;
        await attempt(findings, where, () => readAccount(files, where, directory, findings));
      }
    }
  });
  return findings;
}

/** `acme-v02.api.letsencrypt.org-directory`. */
function folderOf({ host, pathname }: URL): string {
  return `${host}${pathname}`
    .toLowerCase()
    .replaceAll(/[/:]/g, '-')
    .replaceAll(/[^\w@.-]/g, '');
}

async function readAccount(
  files: ContainedFiles,
  where: string,
  directory: string | null,
  findings: Findings,
): Promise<void> {
  const names = await files.files(where);
  const [keyFile] = names.filter((name) => name.endsWith('.key'));
  if (keyFile === undefined) throw new Error('it has no key');
  const account = jsonMap(await files.text(`${where}/${keyFile.replace(/\.key$/, '.json')}`));
  findings.accounts.push({
    where,
    key: createPrivateKey(await files.text(`${where}/${keyFile}`)),
    uri: textOf(account.location, 'account URL'),
    contact: textsOf(account.contact),
    directory,
  });
}
