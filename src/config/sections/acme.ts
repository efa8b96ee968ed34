/** `acme`: certificates from an ACME authority (RFC 8555). */
import { z } from 'zod';
import { refuse } from '../refuse.ts';
import { dnsServer } from '../values/address.ts';
import { filePath } from '../values/path.ts';
import { boolean, integer, text, word } from '../values/scalar.ts';
import { secret } from '../values/secret.ts';
import { pageUrl } from '../values/url.ts';

/** Directory URLs behind the short names. */
export const ACME_DIRECTORIES: Readonly<Record<string, string>> = {
  letsencrypt: 'https://acme-v02.api.letsencrypt.org/directory',
  'letsencrypt-staging': 'https://acme-staging-v02.api.letsencrypt.org/directory',
  zerossl: 'https://acme.zerossl.com/v2/DV90',
  google: 'https://dv.acme-v02.api.pki.goog/directory',
};

const DIRECTORY = 'letsencrypt, letsencrypt-staging, zerossl, google or the URL of a directory';

const directory = z
  .string({ error: DIRECTORY })
  .meta({ 'x-type': 'name or URL' })
  .transform((value, context) => {
    const url = (Object.hasOwn(ACME_DIRECTORIES, value) ? ACME_DIRECTORIES[value] : undefined) ?? value;
    if (/^https:\/\/[^/]/i.test(url) && URL.canParse(url)) return { name: value, url };
    const fix = value.startsWith('http://')
      ? 'use https://; ACME is not spoken over plain HTTP'
      : `write one of ${DIRECTORY}`;
    return refuse(context, 'CONFIG_URL', `expected ${DIRECTORY}, got ${JSON.stringify(value.slice(0, 100))}`, fix);
  });

const eab = z.strictObject(
  {
    kid: text('a key ID').meta({ description: 'Key ID that the authority gave.', 'x-examples': ['my-key-id'] }),
    hmac_key: secret().meta({
      description: 'HMAC key that the authority gave, base64url.',
      'x-examples': [{ file: 'eab.key' }],
    }),
  },
  { error: 'a map with kid and hmac_key' },
);

const issuerKeys = {
  directory: directory.prefault('letsencrypt').meta({ description: `The authority: ${DIRECTORY}.` }),
  ca_file: filePath()
    .optional()
    .meta({
      description: "Trusted certificates (PEM) for the directory's own TLS, for a private authority.",
      'x-absent': "the system's trusted certificates",
      'x-examples': ['ca.pem'],
    }),
  profile: text('the name of a profile')
    .optional()
    .meta({
      description: 'Certificate profile to ask for, such as shortlived.',
      'x-absent': "the authority's default",
      'x-examples': ['shortlived'],
    }),
  preferred_chain: text('the name of a root')
    .optional()
    .meta({
      description: 'Common name of the root whose chain to take when the authority offers several.',
      'x-absent': "the authority's default",
      'x-examples': ['ISRG Root X1'],
    }),
  eab: eab.optional().meta({
    description: 'External account binding, for authorities that require an account made elsewhere (google, zerossl).',
    'x-absent': 'not used',
  }),
};

const issuer = z
  .strictObject(issuerKeys, { error: 'a map with directory' })
  .meta({ description: 'One authority with its own settings.' });

const rfc2136 = z.strictObject(
  {
    server: dnsServer().meta({
      description: 'Primary DNS server that takes the updates.',
      'x-examples': ['192.0.2.53:53'],
    }),
    key_name: text('the name of a TSIG key').meta({ description: 'Name of the TSIG key.', 'x-examples': ['portico'] }),
    algorithm: word(['hmac-sha256', 'hmac-sha384', 'hmac-sha512'])
      .prefault('hmac-sha256')
      .meta({ description: 'Algorithm of the TSIG key.' }),
    secret: secret().meta({ description: 'TSIG secret, base64.', 'x-examples': [{ file: 'tsig.key' }] }),
    ttl: integer(0, 86400).prefault(60).meta({ description: 'Time to live of the records made, in seconds.' }),
  },
  { error: 'a map with server, key_name and secret' },
);

const dns = z
  .strictObject(
    {
      rfc2136: rfc2136.optional().meta({
        description: 'Records are made by dynamic update (RFC 2136), signed with a TSIG key.',
        'x-absent': 'exec or webhook decides',
      }),
      exec: filePath()
        .optional()
        .meta({
          description: 'Records are made by this program.',
          'x-absent': 'rfc2136 or webhook decides',
          'x-examples': ['/usr/local/bin/set-acme-record'],
        }),
      webhook: pageUrl('a URL such as https://dns.example.com/acme', true)
        .optional()
        .meta({
          description: 'Records are made by posting to this URL.',
          'x-absent': 'rfc2136 or exec decides',
          'x-examples': ['https://dns.example.com/acme'],
        }),
      resolvers: z
        .array(dnsServer(), { error: 'a list of DNS servers' })
        .max(16, { error: 'at most 16 DNS servers' })
        .prefault([])
        .meta({ description: "DNS servers that are asked whether a record is visible. Empty: the zone's own." }),
    },
    { error: 'a map with one of rfc2136, exec, webhook' },
  )
  .transform((value, context) => {
    const found = (['rfc2136', 'exec', 'webhook'] as const).filter((key) => value[key] !== undefined);
    if (found.length === 1) return value;
    return refuse(
      context,
      'CONFIG_CHOICE',
      `expected exactly one of rfc2136, exec and webhook, got ${found.length === 0 ? 'none' : found.join(' and ')}`,
      'keep one of them',
    );
  });

/** Keys of a single issuer that cannot stand beside `issuers`. */
const SINGLE_ISSUER_KEYS = ['directory', 'ca_file', 'profile', 'preferred_chain', 'eab'] as const;

const challenge = word(['tls-alpn-01', 'http-01', 'dns-01', 'dns-persist-01']);

/** What is tried when the config does not say. */
const DEFAULT_CHALLENGES: readonly ('tls-alpn-01' | 'http-01' | 'dns-01' | 'dns-persist-01')[] = [
  'tls-alpn-01',
  'http-01',
];

/**
 * The section; absent: no ACME. `issuers` is always filled when parsed: the single issuer's keys make a list of one, and
 * `issuers_listed` is false. So is `challenges`; `challenges_listed` says whether somebody chose them.
 */
export const acmeSection = z
  .strictObject(
    {
      agree_to_terms: boolean()
        .prefault(false)
        .meta({
          description: "Whether you agree to the authority's terms of service; must be true.",
          'x-examples': [true],
        }),
      email: text('an e-mail address')
        .optional()
        .meta({
          description: 'Contact that the authority may write to.',
          'x-absent': 'an account without contact',
          'x-examples': ['admin@example.com'],
        }),
      ...issuerKeys,
      directory: directory.optional().meta({
        description: `The authority: ${DIRECTORY}.`,
        'x-absent': 'letsencrypt',
        'x-examples': ['letsencrypt-staging'],
      }),
      issuers: z
        .array(issuer, { error: 'a list of issuers' })
        .min(1, { error: 'at least 1 issuer' })
        .max(8, { error: 'at most 8 issuers' })
        .optional()
        .meta({
          description:
            'Several authorities in order of preference, each with its own directory, eab, profile, preferred_chain and ca_file.',
          'x-absent': 'the one of directory',
          'x-examples': [
            [{ directory: 'letsencrypt' }, { directory: 'zerossl', eab: { kid: '…', hmac_key: { env: 'EAB_KEY' } } }],
          ],
        }),
      challenges: z
        .array(challenge, { error: 'a list of challenges' })
        .min(1, { error: 'at least 1 challenge' })
        .max(4, { error: 'at most 4 challenges' })
        .optional()
        .meta({
          description:
            'How control of a name is shown, in order of preference. dns-01 is the way when the name points elsewhere (base_domain: elsewhere) and for wildcards. With http-01 written here, such a name is tried by HTTP, too: its web server must then redirect /.well-known/acme-challenge/ to a host of Portico.',
          'x-absent': '[tls-alpn-01, http-01]',
          'x-examples': [['dns-01']],
        }),
      dns: dns.optional().meta({
        description: 'How DNS records for dns-01 are made.',
        'x-absent': 'dns-01 cannot be used',
        'x-examples': [{ rfc2136: { server: '192.0.2.53:53', key_name: 'portico', secret: { file: 'tsig.key' } } }],
      }),
      key_type: word(['ecdsa-p256', 'ecdsa-p384', 'rsa-2048', 'rsa-4096'])
        .prefault('ecdsa-p256')
        .meta({ description: "Kind of the certificates' keys." }),
    },
    { error: 'a map with agree_to_terms' },
  )
  .transform((value, context) => {
    const {
      directory: single,
      ca_file,
      profile,
      preferred_chain,
      eab: binding,
      issuers,
      challenges,
      ...others
    } = value;
    const rest = {
      ...others,
      challenges_listed: challenges !== undefined,
      challenges: [...new Set(challenges ?? DEFAULT_CHALLENGES)],
    };
    if (issuers === undefined) {
      const name = single ?? { name: 'letsencrypt', url: ACME_DIRECTORIES.letsencrypt ?? '' };
      return {
        ...rest,
        issuers_listed: false,
        issuers: [{ directory: name, ca_file, profile, preferred_chain, eab: binding }],
      };
    }
    const extra = SINGLE_ISSUER_KEYS.find((key) => value[key] !== undefined);
    if (extra === undefined) return { ...rest, issuers_listed: true, issuers };
    return refuse(
      context,
      'CONFIG_ACME_ISSUER',
      `${extra} stands beside issuers, so that it is not clear which issuer it is for`,
      `move ${extra} into the issuer it belongs to`,
      [extra],
    );
  })
  .meta({ description: 'Certificates from an ACME authority, for all names that are not listed under certificates.' });
