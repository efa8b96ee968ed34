/**
 * config/portico.yaml as text: the smallest config that works, and every other key, commented out with its default.
 * Prose begins with `# `, keys that can be uncommented with `#` alone: deleting that one sign gives YAML in the right column.
 */
import type { SchemaNode } from './json-schema.ts';
import { entriesOf, flow, listItemOf, mapOf, type KeyEntry } from './schema-walk.ts';

const WIDTH = 118;

const HEAD = `# yaml-language-server: $schema=./portico.schema.json
#
# Portico, the front door of a Matrix homeserver. Generated from the schema by \`npm run generate\`; checked by a test.
#
# What is not commented out below is the smallest config that works as it stands, for a first try. Everything else shows
# a key with its default or, where its description ends in "Example:", with an example. Delete the # before a key (and
# before the keys above it that end in a colon) to change it. \`portico check\` reads the file and says what is wrong, with
# line and fix. The same as a reference: docs/configuration.md.
`;

/** The keys of the first site that are live. */
const SITE = `sites:
  - server_name: example.com
    homeserver: http://127.0.0.1:8008`;

const CERTIFICATES = `certificates:
  - names: [example.com]
    local_ca: true
#  - names: [example.com]
#    files:
#      chain: /etc/letsencrypt/live/example.com/fullchain.pem
#      key: /etc/letsencrypt/live/example.com/privkey.pem
#  - names: [example.com, "*.example.com"]
#    acme: true`;

const LOCAL_CA_REASON =
  'The local CA makes this example work without any other program: right for a first try and for private networks, where ' +
  'clients and peers are told to trust it (local_ca/ca.pem in store.path). On the internet remove the entry and add the ' +
  'section acme below, or use files of another program.';

/** The whole file. */
export function exampleConfig(schema: SchemaNode): string {
  const blocks = entriesOf(schema).map((entry) => {
    if (entry.name === 'sites') return [...prose(entry.node.description ?? '', ''), SITE, '', ...siteKeys(entry)];
    if (entry.name === 'certificates')
      return [...prose(`${entry.node.description ?? ''} ${LOCAL_CA_REASON}`, ''), CERTIFICATES];
    return block(entry, '', '');
  });
  return `${[HEAD.trimEnd(), ...blocks.map((lines) => lines.join('\n'))].join('\n\n')}\n`;
}

/** The keys of a site beyond the live ones. */
function siteKeys(sites: KeyEntry): string[] {
  const item = mapOf(listItemOf(sites.node) ?? {}) ?? {};
  const keys = entriesOf(item).filter((entry) => entry.name !== 'server_name');
  return keys.flatMap((entry, index) => [...(index === 0 ? [] : ['']), ...block(entry, '    ', '')]);
}

/**
 * One key with its description and all keys below it, commented out.
 * @param outer - blanks before the `#`
 * @param inner - blanks between the `#` and the key
 */
function block(entry: KeyEntry, outer: string, inner: string): string[] {
  const { node, name } = entry;
  const lead = inner === '' ? outer : `${outer}#${inner}`;
  const map = listItemOf(node) === undefined ? mapOf(node) : undefined;
  if (map === undefined)
    return [...prose(`${node.description ?? ''}${remark(node)}`, lead), ...valueLines(entry, `${outer}#${inner}`)];
  const head = [...prose(`${node.description ?? ''}${absence(node)}`, lead), `${outer}#${inner}${name}:`];
  // Nine times the same keys: the first class explains them, the others show their defaults.
  if (name === 'classes') return [...head, ...classLines(map, outer, `${inner}  `)];
  return [...head, ...entriesOf(map).flatMap((child) => block(child, outer, `${inner}  `))];
}

function classLines(classes: SchemaNode, outer: string, inner: string): string[] {
  return entriesOf(classes).flatMap((entry, index) => {
    if (index === 0) return block(entry, outer, inner);
    const defaults = Object.fromEntries(entriesOf(entry.node).map((key) => [key.name, key.node.default]));
    return [
      ...prose(entry.node.description ?? '', `${outer}#${inner}`),
      `${outer}#${inner}${entry.name}: ${flow(defaults)}`,
    ];
  });
}

/** `name: value` with the default, or an example where there is none. */
function valueLines({ node, name }: KeyEntry, lead: string): string[] {
  const value = shown(node);
  if (Array.isArray(value) && value.length > 1 && value.every((item) => typeof item === 'object')) {
    return [`${lead}${name}:`, ...value.map((item) => `${lead}  - ${flow(item)}`)];
  }
  return [`${lead}${name}: ${flow(value)}`];
}

/** The default, unless it is empty and there is an example. */
function shown(node: SchemaNode): unknown {
  const [example] = node['x-examples'] ?? [];
  return node.default === undefined || (isEmpty(node.default) && example !== undefined) ? example : node.default;
}

function remark(node: SchemaNode): string {
  const isExample = shown(node) !== node.default;
  return `${absence(node)}${isExample && node.default !== undefined ? ' Default: none.' : ''}${isExample ? ' Example:' : ''}`;
}

function absence(node: SchemaNode): string {
  return node['x-absent'] === undefined ? '' : ` When absent: ${node['x-absent']}.`;
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/** Text as comment lines of at most {@link WIDTH} characters. */
function prose(text: string, lead: string): string[] {
  const start = `${lead}#`;
  const lines: string[] = [];
  let line = start;
  for (const word of text.split(' ')) {
    if (line.length + word.length + 1 > WIDTH) {
      lines.push(line);
      line = start;
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}
