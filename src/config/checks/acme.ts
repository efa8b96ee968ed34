/** The ACME section by itself: terms, issuers, challenges, secrets. */
import { PorticoError } from '../../base/errors.ts';
import { errorAt, type Finding } from '../problem.ts';
import { readSecret } from '../secret-value.ts';
import type { SecretSource } from '../values/secret.ts';
import { sectionCheck } from './check.ts';
import { acmeIssuerPath } from './trust-files.ts';

/** No account can be made without agreeing. */
export const termsAgreed = sectionCheck(['acme'], ({ acme }) =>
  acme === undefined || acme.agree_to_terms
    ? []
    : [
        errorAt(
          ['acme', 'agree_to_terms'],
          'CONFIG_ACME_TERMS',
          "the certificate authority's terms of service are not agreed to",
          'read them and add agree_to_terms: true, or remove the section acme',
        ),
      ],
);

/** Authorities that make no account without an external one. */
const NEEDS_EAB = ['google', 'zerossl'];

/** Every issuer can make an account. */
export const issuersComplete = sectionCheck(['acme'], ({ acme }) =>
  acme === undefined
    ? []
    : acme.issuers.flatMap((issuer, index) =>
        NEEDS_EAB.includes(issuer.directory.name) && issuer.eab === undefined
          ? [
              errorAt(
                acmeIssuerPath(acme, index, 'directory'),
                'CONFIG_ACME_ISSUER',
                `${issuer.directory.name} makes accounts only with an external account binding, and eab is missing`,
                "get a key ID and HMAC key from the authority's web site and add eab: {kid: …, hmac_key: {file: eab.key}}",
              ),
            ]
          : [],
      ),
);

/** At least one challenge can be answered, and dns-01 has what it needs. */
export const challengesPossible = sectionCheck(['acme', 'listeners'], ({ acme, listeners }): Finding[] => {
  if (acme === undefined) return [];
  const at = ['acme', 'challenges'];
  if (acme.challenges.includes('dns-01') && acme.dns === undefined) {
    const fix = 'add dns with one of rfc2136, exec and webhook, or remove dns-01';
    return [errorAt(at, 'CONFIG_ACME_CHALLENGE', 'dns-01 is listed, but nothing says how DNS records are made', fix)];
  }
  const possible = acme.challenges.some((challenge) => {
    if (challenge === 'http-01') return listeners.some((listener) => listener.role === 'http');
    if (challenge === 'tls-alpn-01') return listeners.some((listener) => listener.role === 'https');
    return true;
  });
  if (possible) return [];
  const message = `no listener can answer ${acme.challenges.join(' or ')}`;
  const fix =
    'add {address: ":80", role: http} (http-01) or {address: ":443", role: https} (tls-alpn-01) to the listeners';
  return [errorAt(at, 'CONFIG_ACME_CHALLENGE', message, fix)];
});

/** Secrets are there now; they are read again when they are used. */
export const secretsPresent = sectionCheck(['acme'], async ({ acme }, { env, files }) => {
  if (acme === undefined) return [];
  const sources: { source: SecretSource; path: (string | number)[] }[] = [];
  for (const [index, issuer] of acme.issuers.entries()) {
    if (issuer.eab) sources.push({ source: issuer.eab.hmac_key, path: acmeIssuerPath(acme, index, 'eab', 'hmac_key') });
  }
  const tsig = acme.dns?.rfc2136;
  if (tsig) sources.push({ source: tsig.secret, path: ['acme', 'dns', 'rfc2136', 'secret'] });
  const findings: Finding[] = [];
  for (const { source, path } of sources) {
    try {
      await readSecret(source, env, files);
    } catch (error) {
      if (!(error instanceof PorticoError)) throw error;
      findings.push(errorAt(path, 'CONFIG_SECRET', error.message, error.fix ?? 'write the secret there'));
    }
  }
  return findings;
});
