/**
 * Everything the doctor can find, in the order in which it is told: first what stops peers from finding the server at all,
 * then what stops them on the way in, then what they find there, then what clients find, then what will hurt later. A cause
 * stands before its consequences. docs/doctor.md has the same list; a test compares them.
 */

/** `error`: somebody cannot reach the server. `warning`: somebody will not, or some cannot. `info`: good to know. */
export type Severity = 'error' | 'warning' | 'info';

/** What is the same each time something is found. */
export interface CatalogueEntry {
  readonly severity: Severity;
  /** Why it matters to a peer or client. */
  readonly why: string;
  /** The change to make, when the case at hand gives no better words. */
  readonly fix: string;
  /** Where the specification, or the RFC, says so. */
  readonly spec: string;
}

const DISCOVERY = 'Matrix S-S API, Resolving server names';
const KEYS = 'Matrix S-S API, Publishing keys';
const TLS = 'Matrix S-S API, TLS';
const CLIENT = 'Matrix C-S API, Server discovery';
const CORS = 'Matrix C-S API, Web browser clients';

/** The list. */
export const CATALOGUE = {
  'server-document-overrules-srv': {
    severity: 'error',
    why: 'A well-known document comes before SRV records: peers follow it and never look at the SRV records that were to lead them.',
    fix: 'Answer /.well-known/matrix/server of the base domain with 404, or set delegation: well-known.',
    spec: `${DISCOVERY}, step 3`,
  },
  'server-document-not-as-configured': {
    severity: 'error',
    why: 'Peers go where the document says, and with the name it says as Host and SNI; Portico expects them elsewhere.',
    fix: 'Serve the document that `portico plan` prints, or correct delegated_name.',
    spec: `${DISCOVERY}, step 3`,
  },
  'server-document-missing': {
    severity: 'error',
    why: 'Without the document peers look for SRV records and then try the server name on port 8448, and expect its certificate there.',
    fix: 'Serve /.well-known/matrix/server on the base domain as `portico plan` prints it.',
    spec: `${DISCOVERY}, step 3`,
  },
  'server-document-invalid': {
    severity: 'error',
    why: 'Peers treat a document they cannot use as if there were none, and go on to SRV records and port 8448.',
    fix: 'Answer with status 200 and {"m.server": "HOST:PORT"}, or with 404 when no delegation is meant.',
    spec: `${DISCOVERY}, step 3`,
  },
  'server-document-differs': {
    severity: 'error',
    why: 'Which document a peer gets depends on the address it happens to use, so that some peers end up elsewhere.',
    fix: 'Make every address of the base domain serve the same document, or remove the address that does not.',
    spec: `${DISCOVERY}, step 3`,
  },
  'srv-record-missing': {
    severity: 'error',
    why: 'The config relies on SRV records; without one peers try the server name on port 8448.',
    fix: 'Publish the SRV record _matrix-fed._tcp for the server name; `portico plan` prints it.',
    spec: `${DISCOVERY}, step 4`,
  },
  'srv-target-dangling': {
    severity: 'error',
    why: 'Peers that pick this target have nothing to connect to, and do not fall back to the step after SRV.',
    fix: 'Point the SRV record to a name with an A or AAAA record, or remove it.',
    spec: `${DISCOVERY}, steps 3.3 and 4; RFC 2782`,
  },
  'name-does-not-resolve': {
    severity: 'error',
    why: 'No peer can find the server: invitations, joins and messages from others do not arrive.',
    fix: 'Publish an A or AAAA record for the server name, or delegate with a well-known document or SRV records.',
    spec: DISCOVERY,
  },
  'port-8448-closed': {
    severity: 'error',
    why: 'Without delegation to another port peers come to 8448, and only there; the homeserver answers on 443, where nobody asks.',
    fix: 'Open port 8448 (a CDN does not pass it), or send peers to port 443 with a well-known document or SRV record.',
    spec: `${DISCOVERY}, steps 3.5 and 6`,
  },
  'no-address-answers': {
    severity: 'error',
    why: 'Discovery works, but no peer gets a connection.',
    fix: 'Start the server, listen on this port on all addresses, and open the port in the firewall.',
    spec: DISCOVERY,
  },
  'private-address': {
    severity: 'error',
    why: 'The address has a meaning only inside one network; most homeservers refuse to connect to it.',
    fix: 'Publish the public address. Inside a closed network, run the doctor with --allow-private.',
    spec: DISCOVERY,
  },
  'tls-refused': {
    severity: 'error',
    why: 'Peers speak nothing but TLS and send the name below as SNI; they cannot get in.',
    fix: 'Make sure that this port speaks TLS and that a certificate for the name is there.',
    spec: TLS,
  },
  'certificate-wrong-name': {
    severity: 'error',
    why: 'Peers check the certificate against this name and no other, and drop the connection before they send anything.',
    fix: 'Get a certificate for this name and serve it on this port.',
    spec: `${DISCOVERY}, the certificate of each step`,
  },
  'certificate-dates': {
    severity: 'error',
    why: 'Peers refuse a certificate outside its dates.',
    fix: 'Renew the certificate and make the server load it; check the clock when it is not valid yet.',
    spec: TLS,
  },
  'certificate-chain-incomplete': {
    severity: 'error',
    why: 'Browsers fetch a missing intermediate by themselves; homeservers do not and refuse the connection.',
    fix: 'Serve the full chain (fullchain.pem), not only the leaf (cert.pem). A CA of your own must also be known to peers.',
    spec: TLS,
  },
  'certificate-untrusted': {
    severity: 'error',
    why: 'Peers trust only certificates of public authorities.',
    fix: 'Get a certificate from a public authority. In a closed network, give its CA with --ca-file.',
    spec: TLS,
  },
  'uri-changed': {
    severity: 'error',
    why: 'Federation requests are signed over the exact bytes of their URI. Something between peers and Portico rewrites them, so that homeservers answer 401 to joins, invitations and media although simple requests work.',
    fix: 'Make the proxy or CDN in front pass the URI as it came (nginx: proxy_pass without a path; Apache: nocanon and AllowEncodedSlashes NoDecode), or take it away.',
    spec: 'Matrix S-S API, Request authentication',
  },
  'key-document-unreachable': {
    severity: 'error',
    why: 'Without the signing keys peers can verify nothing this server sends.',
    fix: 'Make /_matrix/key/v2/server reach the homeserver, for the Host that peers send.',
    spec: KEYS,
  },
  'key-document-invalid': {
    severity: 'error',
    why: 'Peers cannot read the signing keys, and so refuse everything signed with them.',
    fix: 'Make sure that the homeserver itself answers, and no error page or other program.',
    spec: KEYS,
  },
  'key-document-other-server': {
    severity: 'error',
    why: 'Another homeserver answers for this name: peers refuse its keys.',
    fix: "Route this name to its own homeserver, and make that one's server_name exactly the name peers use.",
    spec: KEYS,
  },
  'key-signature-invalid': {
    severity: 'error',
    why: 'The document is not signed by the key it announces; peers take neither.',
    fix: 'Make sure that nothing rewrites the response, and that the signing key of the homeserver is the right one.',
    spec: `${KEYS}; Matrix appendices, Signing JSON`,
  },
  'key-document-expired': {
    severity: 'error',
    why: 'Peers do not accept events signed with a key that is no longer valid.',
    fix: 'Correct the clock of the homeserver, and make sure that no cache serves an old copy.',
    spec: KEYS,
  },
  'federation-version-unavailable': {
    severity: 'error',
    why: 'Requests of peers below /_matrix/federation do not arrive at the homeserver.',
    fix: 'Relay everything below /_matrix to the homeserver; see that its federation listener is on.',
    spec: 'Matrix S-S API, GET /_matrix/federation/v1/version',
  },
  'split-brain': {
    severity: 'error',
    why: 'The addresses of this name lead to different homeservers: what a peer sends arrives at one and is missing at the other.',
    fix: 'Let every address lead to the same homeserver, or remove the wrong A, AAAA or SRV record.',
    spec: DISCOVERY,
  },
  'address-dead': {
    severity: 'error',
    why: 'Peers that try this address first wait for a time-out, and some never try another.',
    fix: 'Make the server listen on this address and open the firewall for it, or remove the record.',
    spec: DISCOVERY,
  },
  'srv-target-is-cname': {
    severity: 'error',
    why: 'The target of an SRV record must not be an alias; some peers and resolvers then find nothing.',
    fix: 'Point the SRV record to the name at the end of the CNAME, or give the target A and AAAA records of its own.',
    spec: `${DISCOVERY}, steps 3.3 and 4; RFC 2782, "Target"`,
  },
  'client-document-invalid': {
    severity: 'error',
    why: 'Clients that find a document they cannot use stop with an error instead of asking for the address.',
    fix: 'Serve the document that `portico plan` prints, or answer 404.',
    spec: `${CLIENT}, FAIL_PROMPT`,
  },
  'client-document-cors': {
    severity: 'error',
    why: 'Browsers hide an answer without Access-Control-Allow-Origin from the web client; redirects and errors need it as well.',
    fix: 'Send Access-Control-Allow-Origin: * with every answer below /.well-known/matrix, redirects and 404 too.',
    spec: CORS,
  },
  'client-document-not-as-configured': {
    severity: 'error',
    why: 'Clients are sent elsewhere than the config says, or miss what it wants to tell them.',
    fix: 'Serve the document that `portico plan` prints on the base domain.',
    spec: CLIENT,
  },
  'client-base-url-unreachable': {
    severity: 'error',
    why: 'Clients check the address from the document before they use it; nobody can log in.',
    fix: 'Make BASE_URL/_matrix/client/versions reach the homeserver over https, or correct m.homeserver.base_url.',
    spec: `${CLIENT}, step 3`,
  },
  'client-base-url-cors': {
    severity: 'error',
    why: 'Browsers hide answers without Access-Control-Allow-Origin from web clients.',
    fix: 'Let the homeserver send the CORS fields, once: a proxy that adds a second set breaks them as well.',
    spec: CORS,
  },
  'canary-lost': {
    severity: 'warning',
    why: 'A request for this name did not come back from this Portico: another program answers, or something in between refuses URIs that peers use.',
    fix: 'Make this address lead to Portico, and let what is in between pass every URI; several nodes need the same canary secret.',
    spec: 'Matrix S-S API, Request authentication',
  },
  'certificate-expires-soon': {
    severity: 'warning',
    why: 'When it expires, federation and clients stop at once.',
    fix: 'Renew the certificate, and find out why that has not happened by itself.',
    spec: TLS,
  },
  'key-document-expires-soon': {
    severity: 'warning',
    why: 'Documents that expire within the hour should not be given out: peers ask again and again.',
    fix: 'Correct the clock of the homeserver, and make sure that no cache serves an old copy.',
    spec: KEYS,
  },
  'ports-disagree': {
    severity: 'warning',
    why: 'Peers with an old answer in their cache, and those that follow another step, end up at another homeserver.',
    fix: 'Let ports 443 and 8448 lead to the same homeserver, or close the one that is not used.',
    spec: DISCOVERY,
  },
  'family-lookup-failed': {
    severity: 'warning',
    why: 'Some resolvers give up on the whole name when one kind of address cannot be looked up.',
    fix: 'Make the name servers answer for A and for AAAA; a name without such a record gets an empty answer, not an error.',
    spec: DISCOVERY,
  },
  'srv-service-deprecated': {
    severity: 'warning',
    why: '_matrix was never a registered service and is deprecated since v1.8; new servers may look for _matrix-fed only.',
    fix: 'Publish the same record under _matrix-fed._tcp, and keep the old one for old peers.',
    spec: `${DISCOVERY}, steps 3.4 and 5`,
  },
  'srv-record-invalid': {
    severity: 'warning',
    why: 'A record that leads nowhere is skipped by some peers and is an error to others.',
    fix: 'Remove the record; "." may only stand alone, and port 0 never.',
    spec: 'RFC 2782',
  },
  'upper-case': {
    severity: 'warning',
    why: 'Homeservers compare server names byte by byte: Example.com and example.com are two servers.',
    fix: "Use the name in lower case, exactly as the homeserver's server_name has it.",
    spec: 'Matrix appendices, Server name',
  },
  'host-form-refused': {
    severity: 'warning',
    why: 'Some peers and tools send the name with its port as Host, some without; both mean this server.',
    fix: 'Answer to the Host with and without the port.',
    spec: `${DISCOVERY}, the Host of each step`,
  },
  'without-sni-refused': {
    severity: 'warning',
    why: 'Old peers and federation testers connect without SNI and should get a certificate all the same.',
    fix: 'Set a default certificate (tls.default_name).',
    spec: TLS,
  },
  'without-sni-wrong-certificate': {
    severity: 'warning',
    why: 'Old peers and federation testers connect without SNI; they get a certificate that is not for this name.',
    fix: 'Make the certificate for this name the default (tls.default_name).',
    spec: TLS,
  },
  'tls12-refused': {
    severity: 'warning',
    why: 'Peers with older TLS libraries know TLS 1.2 only.',
    fix: 'Allow TLS 1.2 as well (tls.min_version: "1.2").',
    spec: TLS,
  },
  'content-type-not-json': {
    severity: 'warning',
    why: 'Responses of the federation API must be application/json; strict peers refuse others.',
    fix: 'Relay the Content-Type of the homeserver unchanged.',
    spec: 'Matrix S-S API, API standards',
  },
  'key-document-valid-too-long': {
    severity: 'warning',
    why: 'Peers believe a document for at most 7 days, whatever it says; much more is a sign of a wrong clock.',
    fix: 'Correct the clock of the homeserver, or its key refresh interval.',
    spec: KEYS,
  },
  'server-document-slow': {
    severity: 'warning',
    why: 'Each peer waits for the base domain before it goes on to SRV records: first contact is slow and may be given up.',
    fix: 'Answer port 443 of the base domain, if only with 404, or refuse connections instead of dropping packets.',
    spec: `${DISCOVERY}, step 3`,
  },
  'server-document-address-dead': {
    severity: 'warning',
    why: 'Peers that use this address of the base domain wait for a time-out, and some then take it that there is no document.',
    fix: 'Make the web server of the base domain listen on this address, or remove the record.',
    spec: `${DISCOVERY}, step 3`,
  },
  'server-document-untrusted': {
    severity: 'warning',
    why: 'Peers do not read a document behind a certificate they do not trust; they go on as if there were none.',
    fix: 'Serve a certificate for the base domain, if it should delegate.',
    spec: `${DISCOVERY}, step 3`,
  },
  'support-document-invalid': {
    severity: 'warning',
    why: 'Nobody finds out whom to ask when this server causes trouble.',
    fix: 'Give contacts with a role and an address, or support_page; or answer 404.',
    spec: 'Matrix C-S API, GET /.well-known/matrix/support',
  },
  'support-document-cors': {
    severity: 'warning',
    why: 'Browsers hide an answer without Access-Control-Allow-Origin from web clients.',
    fix: 'Send Access-Control-Allow-Origin: * with every answer below /.well-known/matrix, redirects and 404 too.',
    spec: CORS,
  },
  'support-document-not-as-configured': {
    severity: 'warning',
    why: 'The base domain tells other contacts than the config.',
    fix: 'Serve the document that `portico plan` prints on the base domain.',
    spec: 'Matrix C-S API, GET /.well-known/matrix/support',
  },
  'cdn-in-front': {
    severity: 'info',
    why: 'A content delivery network passes few ports (8448 is not among them), limits uploads, and may change URIs.',
    fix: 'Send peers to port 443 or past the network, and watch for changed URIs.',
    spec: DISCOVERY,
  },
  'server-document-content-type': {
    severity: 'info',
    why: 'The document should be application/json; peers must read it all the same.',
    fix: 'Serve it with Content-Type: application/json.',
    spec: `${DISCOVERY}, step 3`,
  },
  'client-document-missing': {
    severity: 'info',
    why: 'Clients cannot find the server from a user ID; people have to type its address.',
    fix: 'Serve /.well-known/matrix/client on the base domain; `portico plan` prints it.',
    spec: CLIENT,
  },
  'address-not-checked': {
    severity: 'info',
    why: 'This machine has no way to addresses of this family, so nothing can be said about them.',
    fix: 'Run the doctor on a machine with IPv4 and IPv6.',
    spec: DISCOVERY,
  },
  'not-everything-checked': {
    severity: 'info',
    why: 'Requests and time for one name are limited, so that the doctor cannot be turned against others.',
    fix: 'Correct what was found and run it again; or give a higher --max-requests.',
    spec: DISCOVERY,
  },
} as const satisfies Record<string, CatalogueEntry>;

/** A stable name of something the doctor can find. */
export type FindingCode = keyof typeof CATALOGUE;

/** The codes in the order of the list. */
export const FINDING_CODES = Object.keys(CATALOGUE) as readonly FindingCode[];
