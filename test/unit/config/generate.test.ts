/** The generated files are up to date, and say what is so. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PROBLEM_CODES } from '../../../src/config/codes.ts';
import { staleFiles } from '../../../src/config/generate.ts';
import { annotatedSchema, configJsonSchema, type SchemaNode } from '../../../src/config/json-schema.ts';
import { entriesOf, flow, listItemOf, mapOf } from '../../../src/config/schema-walk.ts';
import { parse } from 'yaml';
import { fakeFiles, goldenFiles } from './fake-files.ts';
import { codesOf } from './load-yaml.ts';

const ROOT = new URL('../../../', import.meta.url);
const example = readFileSync(new URL('config/portico.yaml', ROOT), 'utf8');

/** All keys of the config: name and schema. */
function keysBelow(node: SchemaNode): [string, SchemaNode][] {
  const map = mapOf(listItemOf(node) ?? node);
  if (map === undefined) return [];
  return entriesOf(map).flatMap((entry) => [[entry.name, entry.node], ...keysBelow(entry.node)]);
}

describe('generated files', () => {
  it('are what the schema says: else run `npm run generate`', () => {
    expect(staleFiles(ROOT)).toEqual([]);
  });

  it('explain every key and every code', () => {
    const document = readFileSync(new URL('docs/configuration.md', ROOT), 'utf8');
    for (const [name, node] of keysBelow(annotatedSchema())) {
      expect(node.description, name).toMatch(/\.$/);
      // The classes of limits stand in a list that begins with their name.
      expect(document.includes(node.description?.replace(/^For /, '') ?? '?'), name).toBe(true);
    }
    for (const code of PROBLEM_CODES) expect(document.includes(`\`${code}\``), code).toBe(true);
  });

  it('say for every key what it is when absent', () => {
    const silent = keysBelow(annotatedSchema()).filter(
      ([, node]) => node.default === undefined && node['x-absent'] === undefined,
    );
    const required = ['sites', 'server_name', 'homeserver', 'url', 'role', 'public_keys', 'ed25519', 'path', 'address'];
    required.push('names', 'name', 'chain', 'key', 'kid', 'hmac_key', 'directory', 'server', 'key_name', 'secret');
    expect(silent.map(([name]) => name).filter((name) => !required.includes(name))).toEqual([]);
  });

  it('publish no annotations of our own', () => {
    expect(JSON.stringify(configJsonSchema())).not.toContain('"x-');
  });
});

describe('the example', () => {
  it('loads without a warning', async () => {
    expect(await codesOf(example)).toEqual([]);
  });

  it('shows every key that is not inside a list', () => {
    const shown = new Set([...example.matchAll(/^[ #-]*([a-z0-9_]+):/gm)].map((match) => match[1]));
    const keys = entriesOf(annotatedSchema()).flatMap((entry) => [entry.name, ...namesOutsideLists(entry.node)]);
    expect(keys.filter((key) => !shown.has(key))).toEqual([]);
  });

  it('has only keys that can be uncommented', async () => {
    const files = fakeFiles({ ...(await goldenFiles()), '/var/www/html': { directory: true } });
    const blocks = example.split('\n\n').filter((block) => /^ *#[a-z]/m.test(block));
    expect(blocks.length).toBeGreaterThan(20);
    for (const block of blocks) {
      const live = block.replaceAll(/^( *)#(?! \S)/gm, '$1');
      const codes = await codesOf(example.replace(block, live), files);
      // Alternatives and things that an example cannot have: everything else would be a fault of the example.
      const expected = [
        'CONFIG_DUPLICATE_KEY',
        'CONFIG_CHOICE',
        'CONFIG_DELEGATED_NAME_UNUSED',
        'CONFIG_CA_FILE_UNUSED',
      ];
      expected.push(
        'CONFIG_CERTIFICATE_LISTED_TWICE',
        'CONFIG_CERTIFICATE_FILE',
        'CONFIG_ACME_ISSUER',
        'CONFIG_NO_CERTIFICATE',
      );
      expect(
        codes.filter((code) => !expected.includes(code)),
        live,
      ).toEqual([]);
    }
  });
});

function namesOutsideLists(node: SchemaNode): string[] {
  const map = listItemOf(node) === undefined ? mapOf(node) : undefined;
  return map === undefined ? [] : entriesOf(map).flatMap((entry) => [entry.name, ...namesOutsideLists(entry.node)]);
}

describe('flow', () => {
  it.for([
    [
      'plain',
      'true',
      'null',
      '1.2',
      '12',
      '',
      ' a',
      'a: b',
      'a #b',
      '- a',
      '*a',
      '@a:b.c',
      '[::1]:8448',
      ':443',
      'a,b',
      '~',
      '0x1',
      'on',
    ],
    { a: [1, true, null, { 'b c': 'd: e' }], '1': '…' },
  ])('is YAML for %j', (value) => {
    expect(parse(flow(value))).toEqual(value);
  });
});
