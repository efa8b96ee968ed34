/** Writes docs/benchmarks.md with its plots and results, formatted as everything in this checkout. */
import { mkdirSync, rmSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { CONTENDERS } from '../contenders/index.ts';
import type { RowResult } from '../measure/rounds.ts';
import { ROWS } from '../rows/index.ts';
import { benchmarkPage } from './page.ts';
import { plotsOf } from './plots.ts';
import { merge, readKept, resultsOf } from './results.ts';
import type { Provenance } from './results.ts';
import { svgPlot } from './svg.ts';

const DOCS = join(import.meta.dirname, '..', '..', 'docs');

/** Puts the rows of a run beside what is kept and writes everything anew. */
export async function writePage(results: readonly RowResult[], from: Provenance, docs = DOCS): Promise<void> {
  const directory = join(docs, 'benchmarks');
  mkdirSync(directory, { recursive: true });
  const file = join(directory, 'results.json');
  const kept = merge(readKept(file), results, from);
  await writeFormatted(file, JSON.stringify(kept));
  for (const name of readdirSync(directory)) if (name.endsWith('.svg')) rmSync(join(directory, name));
  for (const { file: name, plot } of plotsOf(resultsOf(kept, ROWS), CONTENDERS)) {
    writeFileSync(join(directory, name), svgPlot(plot));
  }
  await writeFormatted(join(docs, 'benchmarks.md'), benchmarkPage(kept));
}

async function writeFormatted(path: string, text: string): Promise<void> {
  const config = await resolveConfig(path);
  writeFileSync(path, await format(text, { ...config, filepath: path }));
}
