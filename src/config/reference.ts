/** docs/configuration.md as text: every key with type, default and meaning, the table of limits, every problem code. */
import { REQUEST_CLASSES } from '../base/request-class.ts';
import { CONFIG_CODES } from './codes.ts';
import type { SchemaNode } from './json-schema.ts';
import { entriesOf, flow, isMap, listItemOf, mapOf, type KeyEntry } from './schema-walk.ts';

const INTRODUCTION = `# Configuration

<!-- Generated from src/config by \`npm run generate\`; do not edit. -->

One YAML file. Portico looks for it at \`--config\`, \`$PORTICO_CONFIG\`, \`./portico.yaml\`, \`./config/portico.yaml\` and
\`/etc/portico/portico.yaml\`, in this order. \`portico check\` reads it and prints every problem with its line and a fix;
\`portico schema\` prints its JSON Schema. Editors that know the schema complete and check keys; the commented
[example](../config/portico.yaml) names it in its first line.

- Unknown keys are errors: a typing error never goes unnoticed.
- Durations are a whole number and \`ms\`, \`s\`, \`m\`, \`h\` or \`d\`: \`500ms\`, \`30s\`, \`12h\`.
- Sizes are a whole number and \`B\`, \`KiB\`, \`MiB\`, \`GiB\`, \`kB\`, \`MB\` or \`GB\`: \`64KiB\`, \`50MiB\`. A number alone is bytes.
- Addresses are \`127.0.0.1:8448\`, \`"[::1]:8448"\`, or \`":443"\` for all addresses of both families.
- A secret is text, \`{file: PATH}\` or \`{env: NAME}\`; the last two keep it out of this file.
- Relative paths start at the directory of the config file.

The smallest config that works as it stands (for a first try, with a CA of its own):

\`\`\`yaml
sites:
  - server_name: example.com
    homeserver: http://127.0.0.1:8008
certificates:
  - {names: [example.com], local_ca: true}
\`\`\`
`;

/** The whole document. */
export function configurationDocument(schema: SchemaNode): string {
  const sections = entriesOf(schema).map((entry) => section(entry));
  return [INTRODUCTION, ...sections, problemTable()].join('\n');
}

function section(entry: KeyEntry): string {
  const lines = [`## ${entry.name}`, '', entry.node.description ?? '', ''];
  const known = facts(entry);
  if (known.length > 0) lines.push(...known, '');
  if (entry.name === 'limits') return [...lines, limits(entry.node)].join('\n');
  const keys = below(entry.node, entry.name);
  if (keys.length > 0) lines.push(...keyTable(keys));
  return lines.join('\n');
}

/** Default, absence and example of a section, as a list. */
function facts({ node, required }: KeyEntry): string[] {
  const found: string[] = [];
  if (required) found.push('- required');
  if (node.default !== undefined && JSON.stringify(node.default) !== '{}')
    found.push(`- default: ${code(flow(node.default))}`);
  if (node['x-absent'] !== undefined) found.push(`- when absent: ${node['x-absent']}`);
  if (node['x-type'] !== undefined) found.push(`- type: ${node['x-type']}`);
  for (const example of node['x-examples'] ?? []) found.push(`- example: ${code(flow(example))}`);
  return found;
}

/** All keys below a section, with their whole path. */
function below(node: SchemaNode, path: string): KeyEntry[] {
  const item = listItemOf(node);
  if (item !== undefined) return isMap(item) ? below(item, `${path}[]`) : [];
  const map = mapOf(node);
  if (map === undefined) return [];
  return entriesOf(map).flatMap((entry) => {
    const name = `${path}.${entry.name}`;
    return [{ ...entry, name }, ...below(entry.node, name)];
  });
}

function keyTable(keys: readonly KeyEntry[]): string[] {
  return [
    '| key | type | default | meaning |',
    '| --- | --- | --- | --- |',
    ...keys.map(({ name, node, required }) => {
      const absent = node['x-absent'] === undefined ? '' : `*${node['x-absent']}*`;
      const fallback =
        node.default === undefined ? (required ? '**required**' : absent) : isMap(node) ? '' : code(flow(node.default));
      const [example] = node['x-examples'] ?? [];
      const shown = example === undefined ? '' : ` Example: ${code(flow(example))}`;
      return row([code(name), typeOf(node), fallback, `${node.description ?? ''}${shown}`]);
    }),
    '',
  ];
}

/** The limits: what holds in all, then what the keys of a class mean, then their values for each class. */
function limits(node: SchemaNode): string {
  const { classes, ...rest } = mapOf(node)?.properties ?? {};
  const overall = entriesOf({ type: 'object', properties: rest }).map((entry) => ({
    ...entry,
    name: `limits.${entry.name}`,
  }));
  const perClass = mapOf(classes ?? {})?.properties ?? {};
  const first = entriesOf(perClass[REQUEST_CLASSES[0]] ?? {});
  const header = first.map((entry) => entry.name);
  return [
    ...keyTable(overall),
    '### limits.classes',
    '',
    classes?.description ?? '',
    '',
    '| key of a class | type | meaning |',
    '| --- | --- | --- |',
    ...first.map(({ name, node: key }) => row([code(name), typeOf(key), key.description ?? ''])),
    '',
    'Defaults:',
    '',
    row(['class', ...header.map(code)]),
    row(['---', ...header.map(() => '---')]),
    ...REQUEST_CLASSES.map((name) =>
      row([code(name), ...entriesOf(perClass[name] ?? {}).map((entry) => flow(entry.node.default))]),
    ),
    '',
    ...REQUEST_CLASSES.map((name) => `- ${code(name)}: ${(perClass[name]?.description ?? '').replace(/^For /, '')}`),
    '',
    'For example, larger uploads and a cap on downloads in flight:',
    '',
    '```yaml',
    'limits:',
    '  classes:',
    '    media_up: {max_body: 500MiB}',
    '    media_down: {max_concurrent: 200}',
    '```',
    '',
  ].join('\n');
}

function problemTable(): string {
  return [
    '## Problems',
    '',
    'What `portico check` and every command that reads the config may print, as `file:line:column CODE message` and a fix for the',
    'value at hand. Warnings say so and do not keep Portico from starting; everything else does.',
    '',
    '| code | meaning | fix |',
    '| --- | --- | --- |',
    ...Object.entries(CONFIG_CODES).map(([name, info]) => row([code(name), info.meaning, info.fix])),
    '',
  ].join('\n');
}

function typeOf(node: SchemaNode): string {
  if (node['x-type'] !== undefined) return node['x-type'];
  if (node.enum !== undefined) return node.enum.map((word) => code(flow(word))).join(', ');
  if (node.const !== undefined) return code(flow(node.const));
  const item = listItemOf(node);
  if (item !== undefined) return isMap(item) ? 'list of maps' : `list: ${typeOf(item)}`;
  if (node.anyOf !== undefined) return node.anyOf.map(typeOf).join(' or ');
  switch (node.type) {
    case 'object':
      return 'map';
    case 'string':
      return 'text';
    case 'boolean':
      return 'true or false';
    case 'integer':
      return `whole number${rangeOf(node)}`;
    default:
      return node.type ?? 'any';
  }
}

function rangeOf({ minimum, maximum }: SchemaNode): string {
  return minimum === undefined || maximum === undefined ? '' : `, ${String(minimum)} to ${String(maximum)}`;
}

function code(text: string): string {
  return text.includes('`') ? `\`\` ${text} \`\`` : `\`${text}\``;
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}
