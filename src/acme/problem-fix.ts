/** Who must change what, by the type of an ACME problem (RFC 8555 §6.7, RFC 9773 §7.4, draft-ietf-acme-profiles). */
import type { ProblemData } from './problem.ts';

const FIXES: Readonly<Record<string, string>> = {
  accountDoesNotExist:
    'Nothing once: Portico makes a new account. If it comes again, the directory in the config leads to another authority than before.',
  alreadyReplaced:
    'Nothing: the certificate was renewed already, and Portico orders without saying that it replaces one.',
  alreadyRevoked: 'Nothing: the certificate is revoked already.',
  badCSR: 'Set acme.key_type to a kind that this authority accepts, such as ecdsa-p256, and shorten the list of names.',
  badNonce: 'Nothing: Portico tries again. If it stays, something between here and the authority answers from a cache.',
  badPublicKey: 'Set acme.key_type to a kind that this authority accepts, such as ecdsa-p256.',
  caa: "Whoever keeps the domain's DNS must add a CAA record that allows this authority, or remove the CAA records that forbid it.",
  compound: 'See the single problems above; each names what it is about.',
  conflict: 'Nothing: the order is in use already; Portico tries again later.',
  connection:
    "The authority could not connect to the name's addresses. Open port 80 (http-01) or 443 (tls-alpn-01) to the whole internet, and let A and AAAA records point only to this machine.",
  dns: "Whoever keeps the domain's DNS must correct it: the authority's look-up failed. Check the name's A, AAAA, CAA and _acme-challenge records at every name server, and DNSSEC.",
  externalAccountRequired:
    "Get a key ID and HMAC key from the authority's web site and set acme.eab: {kid: …, hmac_key: {file: eab.key}}.",
  incorrectResponse:
    'Something else answered in place of Portico. Let A and AAAA records point only to this machine, and let no proxy before it answer /.well-known/acme-challenge/.',
  invalidContact: 'Set acme.email to an address that the authority accepts, or remove it.',
  invalidProfile: 'Set acme.profile to one that the authority offers, or remove it.',
  malformed: 'Report this with the log line: the authority did not understand a request that Portico sent.',
  orderNotReady: 'Nothing: Portico tries again.',
  rateLimited: 'Wait: Portico tries again when the authority allows it. Do not start again with an empty store.',
  rejectedIdentifier:
    'This authority issues no certificate for this name, whoever asks. Use another authority (acme.directory), or files for this name.',
  serverInternal: "Nothing: the fault is the authority's; Portico tries again later. Its status page may say more.",
  tls: 'Let port 443 of every address of the name reach Portico directly, with no other TLS server before it.',
  unauthorized:
    'The authority saw another answer than ours. Let every A and AAAA record of the name point to this machine; with DNS challenges let the record be at every name server of the zone.',
  unsupportedContact: 'Set acme.email to a plain e-mail address, or remove it.',
  unsupportedIdentifier:
    'This authority does not issue for this kind of name (an IP address, perhaps). Use another one.',
  userActionRequired: 'A person must visit the page that the authority names and agree to its new terms.',
};

/** What a validation can come to: the next authority would see the same. */
const VALIDATION = new Set(['connection', 'dns', 'incorrectResponse', 'tls', 'unauthorized', 'malformed', 'compound']);

/** Of a request, `unauthorized` says something else than of a validation. */
const ACCOUNT_REFUSED =
  "The authority refuses this account. If it was deactivated there, remove account.json of this authority from the store's folder acme: Portico then makes a new account.";

/** The sentence for people. */
export function fixFor({ type, status, detail, instance, subproblems }: ProblemData): string {
  const page = instance === null ? '' : ` See ${instance}`;
  // Let's Encrypt pauses a name after many failures, and only a person can end that, by a link in the text.
  if (type === 'rateLimited' && /paus/i.test(detail)) {
    return `A person must follow the link in the authority's message to end the pause, after the cause is mended.${page}`;
  }
  if (type === 'unauthorized' && status !== 0) return `${ACCOUNT_REFUSED}${page}`;
  const inner = type === 'compound' ? [...new Set(subproblems.map((part) => part.type))] : [];
  const known = inner.flatMap((part) => FIXES[part] ?? []);
  if (known.length > 0) return `${known.join(' ')}${page}`;
  return `${(Object.hasOwn(FIXES, type) ? FIXES[type] : undefined) ?? 'See what the authority says.'}${page}`;
}

/**
 * True when the cause lies with the name or the machine, so that another authority would refuse as well: a problem of a
 * challenge, which has no HTTP status.
 */
export function isAboutTheName({ type, status }: Pick<ProblemData, 'type' | 'status'>): boolean {
  return status === 0 && VALIDATION.has(type);
}
