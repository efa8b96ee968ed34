/** The answers as the text of a config, with short comments. Pure. */
import type { Answers } from './answers.ts';

/** The file. */
export function configText(answers: Answers): string {
  return `${[...head(), ...site(answers), ...certificates(answers)].join('\n')}\n`;
}

function head(): string[] {
  return [
    '# Written by `portico init`. All keys: docs/configuration.md. After a change: `portico check`, `portico plan`.',
    '',
  ];
}

function site(answers: Answers): string[] {
  const { delegation = 'none', kind = 'auto', host = '' } = answers;
  const homeserver = scalar(answers.homeserver ?? '');
  return [
    'sites:',
    "  # Exactly as the homeserver's own config has it.",
    `  - server_name: ${scalar(answers['server-name'] ?? '')}`,
    ...(kind === 'auto'
      ? [`    homeserver: ${homeserver}`]
      : ['    homeserver:', `      url: ${homeserver}`, `      kind: ${kind}`]),
    `    # ${DELEGATION[delegation] ?? ''}`,
    `    delegation: ${delegation}`,
    ...(answers['delegated-name'] === undefined ? [] : [`    delegated_name: ${scalar(answers['delegated-name'])}`]),
    ...(answers['base-domain'] === 'elsewhere'
      ? [
          '    # Another web server answers https:// there; `portico plan` says what it must serve.',
          '    base_domain: elsewhere',
        ]
      : []),
    ...(host === '' ? [] : ['    # Clients are sent to the first.', `    hosts: [${scalar(host)}]`]),
    '',
  ];
}

const DELEGATION: Readonly<Record<string, string>> = {
  none: 'Peers come to the server name, port 8448 unless it has another.',
  'well-known': 'A document of the base domain sends peers to delegated_name.',
  srv: 'The SRV record _matrix-fed._tcp sends peers to the first of hosts; the certificate is for the server name.',
};

function certificates(answers: Answers): string[] {
  if (answers.certificates === 'local-ca') {
    const names = localNames(answers).map(scalar).join(', ');
    return [
      'certificates:',
      '  # Signed by a CA of our own, local_ca/ca.pem in store.path: nobody else trusts it.',
      `  - names: [${names}]`,
      '    local_ca: true',
    ];
  }
  const { email = '', challenge } = answers;
  const maker = answers['dns-records'];
  return [
    'acme:',
    "  # The authority's terms of service; without agreement there are no certificates.",
    `  agree_to_terms: ${String(answers['agree-to-terms'] === 'yes')}`,
    ...(email === '' ? [] : [`  email: ${scalar(email)}`]),
    ...(challenge === undefined ? [] : ['  # How control of the names is shown.', `  challenges: [${challenge}]`]),
    ...(maker === undefined ? [] : ['  dns:', `    ${maker.startsWith('/') ? 'exec' : 'webhook'}: ${scalar(maker)}`]),
  ];
}

/** All names that the site needs a certificate for. */
function localNames(answers: Answers): string[] {
  const bare = (name: string): string => name.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  const own = answers.delegation === 'well-known' && answers['base-domain'] === 'elsewhere' ? [] : ['server-name'];
  const keys = [...own, 'delegated-name', 'host'] as ('server-name' | 'delegated-name' | 'host')[];
  const names = keys.map((key) => answers[key] ?? '').filter((text) => text !== '');
  return [...new Set(names.map(bare))];
}

/** YAML reads JSON strings; what is plain without quotes stays so. */
function scalar(text: string): string {
  return /^[a-z/][a-z0-9._/@-]*$/i.test(text) && !/^(?:true|false|yes|no|on|off|null)$/i.test(text)
    ? text
    : /^https?:\/\/[a-z0-9._:/-]+$/i.test(text) || /^unix:\/[a-z0-9._/-]+$/i.test(text)
      ? text
      : JSON.stringify(text);
}
