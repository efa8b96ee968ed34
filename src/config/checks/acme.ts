/** The ACME section: terms, issuers, secrets, and challenges that can work for every name. */
import { canonicalIp, coversName } from '../../base/certificate.ts';
import { PorticoError } from '../../base/errors.ts';
import { errorAt, type Finding } from '../problem.ts';
import type { Config } from '../schema.ts';
import { readSecret } from '../secret-value.ts';
import { certificateNamesOfSite } from '../site-names.ts';
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
  if (acme.challenges.some((challenge) => canAnswer(challenge, listeners))) return [];
  const message = `no listener can answer ${acme.challenges.join(' or ')}`;
  const fix =
    'add {address: ":80", role: http} (http-01) or {address: ":443", role: https} (tls-alpn-01) to the listeners';
  return [errorAt(at, 'CONFIG_ACME_CHALLENGE', message, fix)];
});

type Acme = NonNullable<Config['acme']>;
type Challenge = Acme['challenges'][number];

/** Validators come to port 80 or 443 only; another port can be what one of these is forwarded to, but never 8448. */
function canAnswer(challenge: Challenge, listeners: Config['listeners']): boolean {
  if (challenge === 'http-01') return listeners.some(({ role }) => role === 'http');
  if (challenge !== 'tls-alpn-01') return true;
  return listeners.some(({ role, address }) =>
    role === 'https' ? address.port !== 8448 : role === 'federation' && address.port === 443,
  );
}

/** Each name that ACME is to certify can be proven by one of the challenges: the CA need not be asked to find out. */
export const everyNameProvable = sectionCheck(
  ['sites', 'certificates', 'acme', 'listeners'],
  ({ sites, certificates, acme, listeners }): Finding[] => {
    if (acme === undefined) return [];
    const usable = acme.challenges.filter((challenge) => canAnswer(challenge, listeners));
    // Said already, by the check above.
    if (usable.length === 0) return [];
    const listed = certificates.flatMap((entry) => entry.names);
    const elsewhere = new Set(
      sites.flatMap((site) => (site.base_domain === 'elsewhere' ? [site.server_name.hostname] : [])),
    );
    const inGroups = certificates.flatMap((entry, index) =>
      entry.source !== 'acme'
        ? []
        : entry.names.map((name, position) => ({ name, path: ['certificates', index, 'names', position] })),
    );
    const alone = sites.flatMap((site, index) =>
      certificateNamesOfSite(site)
        .filter((name) => !coversName(listed, name))
        .map((name) => ({ name, path: ['sites', index, 'server_name'] })),
    );
    const seen = new Set<string>();
    return [...inGroups, ...alone].flatMap(({ name, path }) => {
      if (seen.has(name)) return [];
      seen.add(name);
      const trouble = unprovable(name, usable, acme, elsewhere.has(name));
      return trouble === null ? [] : [errorAt(path, 'CONFIG_ACME_CHALLENGE', trouble.message, trouble.fix)];
    });
  },
);

function unprovable(
  name: string,
  usable: readonly Challenge[],
  acme: Acme,
  elsewhere: boolean,
): { readonly message: string; readonly fix: string } | null {
  const byDns = usable.filter((challenge) => challenge.startsWith('dns-'));
  const tried = usable.join(' and ');
  const addDns =
    acme.dns === undefined
      ? 'add dns-01 to challenges and dns with one of rfc2136, exec and webhook (or dns-persist-01, where the authority offers it)'
      : 'add dns-01 to challenges';
  if (name.startsWith('*.')) {
    if (byDns.length > 0) return null;
    return {
      message: `a wildcard such as ${name} is proven by DNS only, and challenges has just ${tried}`,
      fix: `${addDns}, or name the hosts one by one`,
    };
  }
  if (canonicalIp(name) !== null) {
    if (byDns.length < usable.length) return null;
    return {
      message: `${name} is an IP address, which is never proven by DNS, and only ${tried} can be used`,
      fix: 'add tls-alpn-01 or http-01 to challenges, with an https or http listener, or list the address under certificates with files',
    };
  }
  if (!elsewhere || byDns.length > 0) return null;
  const redirect = `answer /.well-known/acme-challenge/ of ${name} with a redirect to the same path on a host of Portico`;
  if (acme.challenges_listed && usable.includes('http-01')) return null;
  return {
    message: `${name} is answered by another web server (base_domain: elsewhere), so that ${tried} of the authority would not reach Portico`,
    fix: `${addDns}; or write challenges: [http-01] and have that web server ${redirect}; or list the name under certificates with files`,
  };
}

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
