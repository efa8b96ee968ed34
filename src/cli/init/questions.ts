/** The questions whose answers are not in DNS, in the order in which they are asked. */
import { parseServerName } from '../../base/server-name.ts';
import type { Answers, Question } from './answers.ts';

const plainName = (answers: Answers): boolean => {
  const name = parseServerName(answers['server-name'] ?? '');
  return name !== null && !name.isIp && name.port === undefined;
};
const byAcme = (answers: Answers): boolean => answers.certificates === 'acme';
const always = (): boolean => true;

/** The list. */
export const QUESTIONS: readonly Question[] = [
  {
    key: 'server-name',
    text: 'Server name: what stands behind the colon of a user ID, exactly as the homeserver has it',
    help: 'what stands behind the colon of a user ID',
    value: 'NAME',
    applies: always,
    proposed: () => null,
  },
  {
    key: 'homeserver',
    text: 'Address of the homeserver: http://HOST:PORT or unix:/PATH',
    help: 'address of the homeserver; default http://127.0.0.1:8008',
    value: 'URL',
    applies: always,
    proposed: () => 'http://127.0.0.1:8008',
  },
  {
    key: 'kind',
    text: 'Which homeserver is it',
    help: 'which homeserver it is: auto, synapse, dendrite or other',
    value: 'KIND',
    choices: ['auto', 'synapse', 'dendrite', 'other'],
    applies: always,
    proposed: () => 'auto',
  },
  {
    key: 'delegation',
    text: 'How peers find the server: none (server name, port 8448), well-known (a document), srv (a DNS record)',
    help: 'how peers find the server: none, well-known or srv',
    value: 'FORM',
    choices: ['none', 'well-known', 'srv'],
    applies: plainName,
    proposed: (_, { delegation }) => delegation,
  },
  {
    key: 'delegated-name',
    text: 'Where the document sends peers: HOST:PORT',
    help: 'with well-known: where peers are sent, HOST:PORT',
    value: 'NAME',
    applies: ({ delegation }) => delegation === 'well-known',
    proposed: (answers, { delegatedName }) => delegatedName ?? `matrix.${answers['server-name'] ?? ''}:443`,
  },
  {
    key: 'base-domain',
    text: 'Who answers https://SERVER_NAME/: here (Portico), or elsewhere (another web server)',
    help: 'who answers https://SERVER_NAME/: here or elsewhere',
    value: 'WHERE',
    choices: ['here', 'elsewhere'],
    applies: ({ delegation }) => delegation === 'well-known' || delegation === 'srv',
    proposed: (_, { baseDomain }) => baseDomain,
  },
  {
    key: 'host',
    text: 'Host name of Portico, where the SRV record leads and clients go',
    help: 'with srv: the host name of Portico, where the record leads',
    value: 'NAME',
    applies: ({ delegation }) => delegation === 'srv',
    proposed: (answers, { host }) =>
      host ?? (answers['base-domain'] === 'elsewhere' ? `matrix.${answers['server-name'] ?? ''}` : ''),
  },
  {
    key: 'certificates',
    text: 'Certificates: acme (the internet), or local-ca (a first try, a closed network)',
    help: "acme (Let's Encrypt; default) or local-ca (a first try, a closed network)",
    value: 'SOURCE',
    choices: ['acme', 'local-ca'],
    applies: always,
    proposed: () => 'acme',
  },
  {
    key: 'agree-to-terms',
    text: "Do you agree to the authority's terms of service (https://letsencrypt.org/repository/)",
    help: "you agree to the certificate authority's terms of service",
    value: null,
    choices: ['yes', 'no'],
    applies: byAcme,
    proposed: () => null,
  },
  {
    key: 'email',
    text: 'E-mail address that the authority may write to (may be left out)',
    help: 'contact for the certificate authority',
    value: 'ADDRESS',
    applies: byAcme,
    proposed: () => '',
  },
  {
    key: 'challenge',
    text: 'The certificate for a base domain elsewhere is proven by http-01 (its web server redirects), dns-persist-01 (a TXT record, once) or dns-01 (Portico changes DNS)',
    help: 'with srv and a base domain elsewhere: http-01, dns-persist-01 or dns-01',
    value: 'TYPE',
    choices: ['http-01', 'dns-persist-01', 'dns-01'],
    applies: (answers) => byAcme(answers) && answers.delegation === 'srv' && answers['base-domain'] === 'elsewhere',
    proposed: () => 'http-01',
  },
  {
    key: 'dns-records',
    text: 'What makes the DNS records: /PATH of a program, or the https:// URL of a webhook',
    help: 'with dns-01: /PATH of the program, or URL of the webhook, that makes the records',
    value: 'PATH|URL',
    applies: ({ challenge }) => challenge === 'dns-01',
    proposed: () => null,
  },
];
