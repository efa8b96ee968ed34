/**
 * Every code that reading a config can give, with what it means and what to do: the list behind docs/configuration.md.
 * Codes are never reused; a golden file in test/golden/config shows each one as an admin sees it.
 */

/** What a code means and what helps, in general; a problem's own message and fix are about the value at hand. */
export interface CodeInfo {
  readonly meaning: string;
  readonly fix: string;
}

/** Meaning and fix of every code. */
export const CONFIG_CODES = {
  CONFIG_NOT_FOUND: {
    meaning: 'No config file was given, and none is at the places that are looked at.',
    fix: 'Name the file with --config or $PORTICO_CONFIG, or make one with `portico init`.',
  },
  CONFIG_UNREADABLE: {
    meaning: 'The config file cannot be opened.',
    fix: 'Correct the path, or let the user that Portico runs as read the file.',
  },
  CONFIG_TOO_LARGE: {
    meaning: 'The config file is larger than 1 MiB.',
    fix: 'Check that the path is that of a config file.',
  },
  CONFIG_ENCODING: {
    meaning: 'The file is not UTF-8 text, or contains NUL.',
    fix: 'Save the file as UTF-8 without NUL characters.',
  },
  CONFIG_EMPTY: {
    meaning: 'The file holds nothing but blanks and comments.',
    fix: 'Start with the smallest config: `sites:` with a server_name and a homeserver.',
  },
  CONFIG_NOT_A_MAP: {
    meaning: 'The top level of the file is a list or a single value.',
    fix: 'Write `key: value` lines at the top level, beginning with `sites:`.',
  },
  CONFIG_YAML_SYNTAX: {
    meaning: 'The text is not YAML: indentation, quoting, a tab, an unknown tag or a second document.',
    fix: 'Correct the line named; indent with spaces and quote values that contain `: ` or start with a special character.',
  },
  CONFIG_DUPLICATE_KEY: {
    meaning: 'A key stands twice in one map; YAML leaves open which one counts.',
    fix: 'Keep one of the two.',
  },
  CONFIG_ALIASES: {
    meaning: 'Aliases (`*name`) are unresolved, or multiply to more values than any config needs.',
    fix: 'Write the values out instead of using anchors and aliases.',
  },
  CONFIG_UNKNOWN_KEY: {
    meaning: 'Portico does not know the key; a typing error would otherwise go unnoticed.',
    fix: 'Correct the spelling or remove the key.',
  },
  CONFIG_MISSING_KEY: {
    meaning: 'A key that has no default is absent.',
    fix: 'Add the key.',
  },
  CONFIG_WRONG_TYPE: {
    meaning: 'The value is of another type than the key takes.',
    fix: 'Write the value in the form that the message names.',
  },
  CONFIG_NOT_ONE_OF: {
    meaning: 'The key takes one of a few words, and this is none of them.',
    fix: 'Use one of the words listed.',
  },
  CONFIG_OUT_OF_RANGE: {
    meaning: 'A number, duration, size or the length of a list is below or above what works.',
    fix: 'Choose a value in the range named.',
  },
  CONFIG_DURATION: {
    meaning: 'The text is not a duration.',
    fix: 'Write a whole number and ms, s, m, h or d: 500ms, 30s, 5m, 12h, 1d.',
  },
  CONFIG_SIZE: {
    meaning: 'The text is not a size.',
    fix: 'Write a whole number and B, KiB, MiB, GiB, kB, MB or GB: 64KiB, 50MiB.',
  },
  CONFIG_ADDRESS: {
    meaning: 'The text is not an address to listen on, or not one of a DNS server.',
    fix: 'Write 127.0.0.1:8448, [::1]:8448, or :443 for all addresses.',
  },
  CONFIG_CIDR: {
    meaning: 'The text is neither an IP address nor a network in CIDR notation.',
    fix: 'Write 192.0.2.1, 10.0.0.0/8 or 2001:db8::/32.',
  },
  CONFIG_SERVER_NAME: {
    meaning: 'The text does not follow the grammar of Matrix server names.',
    fix: 'Write a DNS name, an IPv4 address or an IPv6 address in brackets, with an optional port; no scheme, no path.',
  },
  CONFIG_UPPER_CASE: {
    meaning:
      'A name has upper-case letters; Matrix compares server names byte for byte, and the specification asks for lower case.',
    fix: 'Write the name in lower case, exactly as the homeserver has it.',
  },
  CONFIG_HOST_NAME: {
    meaning: 'The text is not a host name (a DNS name or an IP address, without port).',
    fix: 'Write only the name: matrix.example.com.',
  },
  CONFIG_URL: {
    meaning: 'The text is not a URL of the kind that the key takes.',
    fix: 'Write the URL in the form that the message names.',
  },
  CONFIG_UPSTREAM_URL: {
    meaning: 'The address of a homeserver has a path, query or credentials, another scheme, or a relative socket path.',
    fix: 'Write http://HOST:PORT, https://HOST:PORT or unix:/absolute/path.sock; request paths pass unchanged, so none belongs here.',
  },
  CONFIG_PATH_PREFIX: {
    meaning: 'A path to expose does not start with / or is ambiguous.',
    fix: 'Write the plain path, such as /_synapse/admin.',
  },
  CONFIG_BASE64: {
    meaning: 'The text is not unpadded base64 of the right length.',
    fix: 'Copy the key as the program that made it printed it: 43 characters for an ed25519 key.',
  },
  CONFIG_CHOICE: {
    meaning: 'Exactly one of several keys must be present, and none or more than one is.',
    fix: 'Keep exactly one of the keys named.',
  },
  CONFIG_ONLY_ON_HTTP: {
    meaning: '`only` stands on a plain-HTTP listener, which relays nothing anyway.',
    fix: 'Remove `only`, or give the listener the role https or federation.',
  },
  CONFIG_NO_TLS_LISTENER: {
    meaning: 'No listener of role https or federation: nobody could reach a homeserver.',
    fix: 'Add {address: ":8448", role: federation} and {address: ":443", role: https}, or remove `listeners`.',
  },
  CONFIG_NO_HTTPS_LISTENER: {
    meaning: 'A site serves discovery documents over https, but no listener has that role.',
    fix: 'Add {address: ":443", role: https} to the listeners.',
  },
  CONFIG_LISTENER_CLASH: {
    meaning: 'Two listeners ask for the same port on overlapping addresses; the second could not start.',
    fix: 'Change one of the ports, or remove one of the two.',
  },
  CONFIG_DELEGATED_NAME_MISSING: {
    meaning: 'delegation is well-known, but there is no delegated_name to announce.',
    fix: 'Add delegated_name: matrix.example.com:443, or set another delegation.',
  },
  CONFIG_DELEGATED_NAME_UNUSED: {
    meaning: 'delegated_name is given, but delegation is not well-known, so that peers would never learn of it.',
    fix: 'Set delegation: well-known, or remove delegated_name.',
  },
  CONFIG_SRV_WITH_DOCUMENT: {
    meaning:
      'A site delegated by SRV also asks for a /.well-known/matrix/server document; that document would take precedence over the SRV record.',
    fix: 'Remove the document, or set delegation: well-known.',
  },
  CONFIG_DELEGATION_IGNORED: {
    meaning:
      'The server name is an IP address or has a port, and peers then look at neither SRV records nor well-known documents.',
    fix: 'Set delegation: none, or use a plain DNS name as the server name of a new server.',
  },
  CONFIG_WELL_KNOWN_KEY: {
    meaning: 'well_known.client repeats a key that Portico writes itself.',
    fix: 'Remove it; set client.base_url to change m.homeserver.',
  },
  CONFIG_SUPPORT: {
    meaning:
      'The support document breaks the specification: it needs contacts or support_page, and each contact a known role and matrix_id or email_address.',
    fix: 'Complete the contact, or remove well_known.support.',
  },
  CONFIG_NAME_CLAIMED_TWICE: {
    meaning: 'Two sites answer to the same name, so that a request for it has no clear owner.',
    fix: 'Give the name to one of the sites.',
  },
  CONFIG_FILES_DIRECTORY: {
    meaning: 'The directory of fallback.files does not exist or is not a directory.',
    fix: 'Correct the path (relative paths start at the config file), or make the directory.',
  },
  CONFIG_CA_FILE: {
    meaning: 'A file of trusted certificates is missing, unreadable or holds no PEM certificate.',
    fix: 'Correct the path, or let Portico read the file.',
  },
  CONFIG_CA_FILE_UNUSED: {
    meaning: 'ca_file is given, but no URL beside it is https.',
    fix: 'Remove ca_file, or use an https:// URL.',
  },
  CONFIG_NO_CERTIFICATE: {
    meaning: 'No certificate source is configured for a name that peers or clients will ask for.',
    fix: 'Add an acme section, or list the name under certificates with files or local_ca.',
  },
  CONFIG_CERTIFICATE_LISTED_TWICE: {
    meaning: 'A name stands in two entries of certificates.',
    fix: 'Keep it in one entry.',
  },
  CONFIG_CERTIFICATE_FILE: {
    meaning: 'A certificate or key file is missing or cannot be read.',
    fix: 'Correct the path (relative paths start at the config file), or let the user that Portico runs as read the file.',
  },
  CONFIG_CERTIFICATE_INVALID: {
    meaning: 'A certificate or key file does not hold what it should.',
    fix: 'chain takes the leaf and then its intermediates in PEM (fullchain.pem), key an unencrypted PEM private key.',
  },
  CONFIG_CERTIFICATE_KEY_MISMATCH: {
    meaning: 'The private key does not belong to the certificate.',
    fix: 'Use the key that the certificate was issued for; often one of the two files is from another renewal.',
  },
  CONFIG_CERTIFICATE_EXPIRED: {
    meaning: 'The certificate is expired: every peer and client would refuse it.',
    fix: 'Renew it; Portico re-reads the files when they change.',
  },
  CONFIG_CERTIFICATE_NOT_YET_VALID: {
    meaning: "The certificate's validity begins in the future.",
    fix: 'Check the clock of this machine, or wait.',
  },
  CONFIG_CERTIFICATE_NAME: {
    meaning: 'The certificate is not valid for a name it is listed for.',
    fix: 'Have a certificate issued that contains the name, or correct names.',
  },
  CONFIG_KEY_FILE_MODE: {
    meaning: 'Warning: users other than the owner of a private key may read or change it.',
    fix: 'chmod 600 the file (or 640 with a group of its own).',
  },
  CONFIG_EXPORT_NAME: {
    meaning: 'An export names a certificate that this config does not have.',
    fix: 'Use a name of a site, or add the name to the hosts of one.',
  },
  CONFIG_EXPORT_PATH: {
    meaning: 'An export writes a file that another export writes, or that a certificate is read from.',
    fix: 'Give each file a path of its own.',
  },
  CONFIG_COMMAND: {
    meaning: 'The text is not a program with its arguments, or is meant for a shell, and no shell reads it.',
    fix: 'Write a list of words such as [systemctl, reload, coturn], or call a script of your own.',
  },
  CONFIG_FILE_OWNER: {
    meaning: 'The text is not USER or USER:GROUP.',
    fix: 'Write names of this machine or numbers: root:turnserver, 0:107.',
  },
  CONFIG_FILE_MODE: {
    meaning: 'The text is not a mode that a file with a private key may have.',
    fix: 'Write "0600", or "0640" for a group that may read it, in quotes.',
  },
  CONFIG_DEFAULT_NAME: {
    meaning: 'tls.default_name is a name that no certificate of this config covers.',
    fix: 'Use one of the names listed in the message, or remove the key.',
  },
  CONFIG_SECRET: {
    meaning: 'A secret given as {file} or {env} is not there, or is empty.',
    fix: 'Write the file, or set the environment variable, before Portico starts.',
  },
  CONFIG_ACME_TERMS: {
    meaning: 'The acme section is there, but the terms of the certificate authority are not agreed to.',
    fix: "Read the authority's terms and set agree_to_terms: true.",
  },
  CONFIG_ACME_ISSUER: {
    meaning:
      'Keys of one issuer and a list of issuers are mixed, or the issuer needs an external account (eab) that is not given.',
    fix: 'Put eab, profile, preferred_chain and ca_file inside each issuer, and get the eab values from the authority.',
  },
  CONFIG_ACME_CHALLENGE: {
    meaning:
      'The challenges do not fit: dns-01 without dns, no listener on which the others could be answered, or a name (a wildcard, an address, a base domain answered elsewhere) that none of them can prove.',
    fix: 'Add acme.dns and dns-01, a listener, or other challenges; or give the name a certificate from files.',
  },
  CONFIG_LIMIT_TOO_LOW: {
    meaning: 'Warning: a limit is so low that it cuts working homeservers, clients or peers.',
    fix: 'Raise it to at least the value in the message, or remove the key.',
  },
  CONFIG_LIMIT_CONTRADICTION: {
    meaning:
      'Warning: two limits contradict each other, so that one of them never counts, or one contradicts what homeservers do.',
    fix: 'Change one of the two.',
  },
} as const satisfies Readonly<Record<string, CodeInfo>>;

/** One of the codes that reading a config can give. */
export type ProblemCode = keyof typeof CONFIG_CODES;

/**
 * All codes, in the order of the documentation.
 * @internal
 */
export const PROBLEM_CODES = Object.keys(CONFIG_CODES) as readonly ProblemCode[];
