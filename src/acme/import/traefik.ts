/**
 * Traefik's `acme.json`: resolvers by name, each with `Account` (`Registration.uri`, `PrivateKey` in DER) and `Certificates`
 * (`certificate` and `key`, PEM in base64). The CA is not named in it; the account's URL tells its host.
 */
import { createPrivateKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { attempt, jsonMap, mapOf, noFindings, textOf, textsOf, type Findings } from './findings.ts';

type JsonMap = Readonly<Record<string, unknown>>;

/**
 * @param text - content of the file
 * @param directories - directory URLs of CAs that are known, to find the one of an account's host
 * @throws Error in words when the file is none of Traefik's
 */
export async function readTraefik(text: string, directories: readonly string[]): Promise<Findings> {
  const findings = noFindings();
  const all = jsonMap(text);
  // Version 1 had one resolver without a name.
  const resolvers = mapOf(all.Account) === null ? Object.entries(all) : [['acme', all] as const];
  for (const [name, value] of resolvers) {
    const resolver = mapOf(value);
    if (resolver === null) continue;
    const directory = directoryOf(mapOf(resolver.Account), directories);
    await attempt(findings, `${name}.Account`, () => {
      readAccount(name, resolver, directory, findings);
      return Promise.resolve();
    });
    const certificates = Array.isArray(resolver.Certificates) ? (resolver.Certificates as unknown[]) : [];
    for (const [index, each] of certificates.entries()) {
      const where = `${name}.Certificates[${String(index)}]`;
      await attempt(findings, where, () => {
        const certificate = mapOf(each) ?? {};
        const pem = (key: string): string => fromBase64(textOf(anyCase(certificate, key), key)).toString('utf8');
        findings.certificates.push({ where, chain: pem('certificate'), key: pem('key'), directory });
        return Promise.resolve();
      });
    }
  }
  return findings;
}

function readAccount(name: string, resolver: JsonMap, directory: string | null, findings: Findings): void {
  const account = mapOf(resolver.Account);
  // A resolver that has not been used yet.
  if (account === null || mapOf(account.Registration) === null) return;
  const registration = mapOf(account.Registration) ?? {};
  const contact = textsOf(mapOf(registration.body)?.contact);
  const email = typeof account.Email === 'string' && account.Email !== '' ? [`mailto:${account.Email}`] : [];
  findings.accounts.push({
    where: `${name}.Account`,
    key: keyOf(fromBase64(textOf(account.PrivateKey, 'PrivateKey'))),
    uri: textOf(registration.uri, 'account URL'),
    contact: contact.length > 0 ? contact : email,
    directory,
  });
}

function directoryOf(account: JsonMap | null, directories: readonly string[]): string | null {
  const uri = mapOf(account?.Registration)?.uri;
  const host = typeof uri === 'string' && URL.canParse(uri) ? new URL(uri).host : null;
  return directories.find((each) => new URL(each).host === host) ?? null;
}

/** Traefik writes PKCS #1; other versions and tools the two others. */
function keyOf(der: Buffer): KeyObject {
  for (const type of ['pkcs1', 'pkcs8', 'sec1'] as const) {
    try {
      return createPrivateKey({ key: der, format: 'der', type });
    } catch {
      // The next form.
    }
  }
  throw new Error('its private key cannot be read');
}

function anyCase(map: JsonMap, key: string): unknown {
  return map[key] ?? map[key.charAt(0).toUpperCase() + key.slice(1)];
}

function fromBase64(text: string): Buffer {
  if (!/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(text)) throw new Error('it is not base64');
  return Buffer.from(text, 'base64');
}
