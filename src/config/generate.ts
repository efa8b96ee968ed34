/**
 * Writes the files that follow from the schema: config/portico.schema.json, config/portico.yaml, docs/configuration.md.
 * `node src/config/generate.ts` writes them; with `--check` it only says which are stale, and exits 1 when one is.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { exampleConfig } from './example.ts';
import { annotatedSchema, configJsonSchema } from './json-schema.ts';
import { configurationDocument } from './reference.ts';

/** The generated files: path from the repository's root, and content. */
export function generatedFiles(): { path: string; content: string }[] {
  const schema = annotatedSchema();
  return [
    { path: 'config/portico.schema.json', content: `${JSON.stringify(configJsonSchema(), null, 2)}\n` },
    { path: 'config/portico.yaml', content: exampleConfig(schema) },
    { path: 'docs/configuration.md', content: configurationDocument(schema) },
  ];
}

/** Paths of the generated files whose content on disk is not what the schema says. */
export function staleFiles(root: URL): string[] {
  return generatedFiles()
    .filter(({ path, content }) => contentOf(new URL(path, root)) !== content)
    .map(({ path }) => path);
}

function contentOf(file: URL): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // A file that is not there is as stale as can be.
    return null;
  }
}

function main(args: readonly string[]): void {
  const root = new URL('../../', import.meta.url);
  const stale = staleFiles(root);
  if (args.includes('--check')) {
    for (const path of stale) process.stderr.write(`${path} is stale: run npm run generate\n`);
    process.exitCode = stale.length === 0 ? 0 : 1;
    return;
  }
  for (const { path, content } of generatedFiles()) {
    if (!stale.includes(path)) continue;
    writeFileSync(new URL(path, root), content);
    process.stdout.write(`wrote ${path}\n`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.slice(2));
