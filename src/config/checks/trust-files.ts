/** Files of trusted certificates (`ca_file`) can be read and hold certificates, and are of use where they stand. */
import { X509Certificate } from 'node:crypto';
import { fileTrouble, type FileReader } from '../file-reader.ts';
import { errorAt, type Finding } from '../problem.ts';
import type { Config } from '../schema.ts';
import { sectionCheck, type SiteCheck } from './check.ts';

const FIX =
  'correct the path (relative paths start at the config file); the file takes one or more "BEGIN CERTIFICATE" blocks';

async function trustFile(file: string, path: readonly (string | number)[], files: FileReader): Promise<Finding[]> {
  let text: string;
  try {
    text = Buffer.from(await files.read(file)).toString('latin1');
  } catch (error) {
    return [errorAt(path, 'CONFIG_CA_FILE', `the file ${file} ${fileTrouble(error)}`, FIX)];
  }
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) return [errorAt(path, 'CONFIG_CA_FILE', `the file ${file} holds no PEM certificate`, FIX)];
  for (const [index, block] of blocks.entries()) {
    try {
      new X509Certificate(block);
    } catch {
      return [errorAt(path, 'CONFIG_CA_FILE', `certificate ${String(index + 1)} in ${file} is damaged`, FIX)];
    }
  }
  return [];
}

/** `ca_file` of a homeserver and of a fallback proxy. */
export const upstreamTrust: SiteCheck = async (site, path, { files }) => {
  const { homeserver, fallback } = site;
  const findings: Finding[] = [];
  if (homeserver.ca_file !== undefined) {
    const at = [...path, 'homeserver', 'ca_file'];
    if (homeserver.url.transport !== 'tls' && homeserver.federation_url?.transport !== 'tls') {
      const message = 'ca_file is given, but the homeserver is not reached by https';
      findings.push(errorAt(at, 'CONFIG_CA_FILE_UNUSED', message, 'remove ca_file, or use an https:// URL'));
    } else {
      findings.push(...(await trustFile(homeserver.ca_file, at, files)));
    }
  }
  if (fallback.kind === 'proxy' && fallback.ca_file !== undefined) {
    findings.push(...(await trustFile(fallback.ca_file, [...path, 'fallback', 'ca_file'], files)));
  }
  return findings;
};

/** `ca_file` of ACME issuers. */
export const acmeTrust = sectionCheck(['acme'], async ({ acme }, { files }) => {
  const findings: Finding[] = [];
  if (acme === undefined) return [];
  for (const [index, issuer] of acme.issuers.entries()) {
    if (issuer.ca_file === undefined) continue;
    findings.push(...(await trustFile(issuer.ca_file, acmeIssuerPath(acme, index, 'ca_file'), files)));
  }
  return findings;
});

/** The place of an issuer's key: in the list of issuers, or in the section itself when it is the single one. */
export function acmeIssuerPath(
  acme: NonNullable<Config['acme']>,
  index: number,
  ...rest: string[]
): (string | number)[] {
  return acme.issuers_listed ? ['acme', 'issuers', index, ...rest] : ['acme', ...rest];
}
