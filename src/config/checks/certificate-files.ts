/** Certificate and key files can be read, belong together, are valid now, and are for the names they are listed for. */
import { coversName, parseCertificate, validityProblem, type CertificateData } from '../../base/certificate.ts';
import { messageOf, PorticoError } from '../../base/errors.ts';
import { fileTrouble, type FileReader } from '../file-reader.ts';
import { errorAt, type Finding } from '../problem.ts';
import type { CertificateEntry } from '../sections/certificates.ts';
import { sectionCheck, type CheckWorld } from './check.ts';

type Path = readonly (string | number)[];
type FilesEntry = Extract<CertificateEntry, { source: 'files' }>;

/** Others may write, or everybody may read: a group that may read is how ssl-cert groups work, and stays silent. */
const TOO_OPEN = 0o027;

const FILE_FIX =
  'correct the path (relative paths start at the config file), or let the user that Portico runs as read the file';

/** All entries with files. */
export const certificateFiles = sectionCheck(['certificates'], async ({ certificates }, world) => {
  const findings: Finding[] = [];
  for (const [index, entry] of certificates.entries()) {
    if (entry.source === 'files') findings.push(...(await checkEntry(entry, ['certificates', index], world)));
  }
  return findings;
});

async function checkEntry(entry: FilesEntry, path: Path, world: CheckWorld): Promise<Finding[]> {
  const chain = await readText(entry.files.chain, [...path, 'files', 'chain'], 'certificate', world.files);
  const key = await readText(entry.files.key, [...path, 'files', 'key'], 'key', world.files);
  const findings = [...chain.findings, ...key.findings];
  if (key.text !== null) findings.push(...(await checkMode(entry.files.key, [...path, 'files', 'key'], world.files)));
  if (chain.text === null || key.text === null) return findings;
  const parsed = parse(chain.text, key.text, entry, path);
  if (!('id' in parsed)) return [...findings, parsed];
  return [...findings, ...checkDates(parsed, entry, path, world.now), ...checkNames(parsed, entry, path)];
}

async function readText(
  file: string,
  path: Path,
  what: string,
  files: FileReader,
): Promise<{ text: string | null; findings: Finding[] }> {
  try {
    return { text: Buffer.from(await files.read(file)).toString('latin1'), findings: [] };
  } catch (error) {
    const message = `the ${what} file ${file} ${fileTrouble(error)}`;
    return { text: null, findings: [errorAt(path, 'CONFIG_CERTIFICATE_FILE', message, FILE_FIX)] };
  }
}

async function checkMode(file: string, path: Path, files: FileReader): Promise<Finding[]> {
  const { mode } = await files.facts(file);
  if ((mode & TOO_OPEN) === 0) return [];
  const message = `the private key ${file} has mode ${mode.toString(8).padStart(4, '0')}: users other than its owner may ${(mode & 0o004) === 0 ? 'change' : 'read'} it`;
  return [{ ...errorAt(path, 'CONFIG_KEY_FILE_MODE', message, `chmod 600 ${file}`), severity: 'warning' }];
}

function parse(chain: string, key: string, entry: FilesEntry, path: Path): CertificateData | Finding {
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(key)) {
    const message = `${entry.files.key} holds no PEM private key`;
    const fix = 'give the private key as the program that made it wrote it (privkey.pem)';
    return errorAt([...path, 'files', 'key'], 'CONFIG_CERTIFICATE_INVALID', message, fix);
  }
  try {
    return parseCertificate(chain, key, 'files');
  } catch (error) {
    const code = error instanceof PorticoError ? error.code : '';
    const fix =
      (error instanceof PorticoError ? error.fix : undefined) ?? 'give the full chain and its private key in PEM';
    const message = sentence(messageOf(error));
    if (code === 'CERT_KEY_MISMATCH') {
      return errorAt(
        [...path, 'files', 'key'],
        'CONFIG_CERTIFICATE_KEY_MISMATCH',
        `${entry.files.key}: ${message}`,
        sentence(fix),
      );
    }
    const which = code.startsWith('CERT_KEY_') ? 'key' : 'chain';
    return errorAt(
      [...path, 'files', which],
      'CONFIG_CERTIFICATE_INVALID',
      `${entry.files[which]}: ${message}`,
      sentence(fix),
    );
  }
}

function checkDates(certificate: CertificateData, entry: FilesEntry, path: Path, now: number): Finding[] {
  const at = [...path, 'files', 'chain'];
  switch (validityProblem(certificate, now)) {
    case 'expired':
      return [
        errorAt(
          at,
          'CONFIG_CERTIFICATE_EXPIRED',
          `the certificate in ${entry.files.chain} expired on ${utc(certificate.notAfter)}`,
          'renew it with the program that made it; Portico re-reads the files when they change',
        ),
      ];
    case 'not_yet_valid':
      return [
        errorAt(
          at,
          'CONFIG_CERTIFICATE_NOT_YET_VALID',
          `the certificate in ${entry.files.chain} is valid only from ${utc(certificate.notBefore)} on; this machine's clock says ${utc(now)}`,
          "correct the machine's clock, or wait",
        ),
      ];
    case null:
      return [];
  }
}

function checkNames(certificate: CertificateData, entry: FilesEntry, path: Path): Finding[] {
  const has = certificate.names.length === 0 ? 'no name at all' : certificate.names.slice(0, 10).join(', ');
  return entry.names.flatMap((name, position) =>
    holds(certificate.names, name)
      ? []
      : [
          errorAt(
            [...path, 'names', position],
            'CONFIG_CERTIFICATE_NAME',
            `the certificate in ${entry.files.chain} is not valid for ${name}; it is for ${has}`,
            `have a certificate issued that contains ${name}, or remove the name here`,
          ),
        ],
  );
}

/** A wildcard is covered only by itself. */
function holds(names: readonly string[], name: string): boolean {
  return name.startsWith('*.') ? names.includes(name) : coversName(names, name);
}

function utc(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** Messages of problems start small and end without a full stop. */
function sentence(text: string): string {
  const trimmed = text.replace(/\.$/, '');
  return /^[A-Z][a-z]/.test(trimmed) ? trimmed.charAt(0).toLowerCase() + trimmed.slice(1) : trimmed;
}
