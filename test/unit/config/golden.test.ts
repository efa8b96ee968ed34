/**
 * Every file in test/golden/config is a config and, below a line of dashes, what an admin sees: problems, or `ok` with
 * warnings. `UPDATE_GOLDEN=1 vitest run test/unit/config/golden.test.ts` rewrites them: read the difference before committing.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { PROBLEM_CODES } from '../../../src/config/codes.ts';
import type { FileReader } from '../../../src/config/file-reader.ts';
import { findConfigPath } from '../../../src/config/find.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { formatProblem, type Problem } from '../../../src/config/problem.ts';
import { fakeFiles, goldenFiles, NOW } from './fake-files.ts';

const FOLDER = new URL('../../golden/config/', import.meta.url);
const SEPARATOR = '----------\n';
const names = readdirSync(FOLDER).filter((name) => name.endsWith('.txt'));

/** What cannot be shown as text in a golden file is described in its first line. */
const SPECIAL: Readonly<Record<string, { content?: string | Uint8Array; refuses?: string } | 'absent'>> = {
  '#! no file anywhere\n': 'absent',
  '#! a file without read permission\n': { refuses: 'EACCES' },
  '#! 16 MiB of blanks and one more\n': { content: ' '.repeat(16 * 1024 * 1024 + 1) },
  '#! the bytes 73 69 74 65 73 ff\n': { content: Uint8Array.of(0x73, 0x69, 0x74, 0x65, 0x73, 0xff) },
  '#! sites: and a NUL\n': { content: 'sites:\n  - \0' },
};

async function outcome(yaml: string, world: Record<string, object>): Promise<string> {
  const special = SPECIAL[yaml] ?? { content: yaml };
  const path = '/etc/portico/portico.yaml';
  const files = fakeFiles(special === 'absent' ? world : { ...world, [path]: special });
  return special === 'absent' ? await outcomeOfSearch(files) : await outcomeOfLoad(path, files);
}

async function outcomeOfSearch(files: FileReader): Promise<string> {
  const found = await findConfigPath({ flag: undefined, env: {}, cwd: '/etc/portico', files });
  return found.ok ? found.path : print(found.problems);
}

async function outcomeOfLoad(path: string, files: FileReader): Promise<string> {
  const result = await loadConfig({ path, env: { EMPTY: '' }, now: NOW, files });
  return result.ok ? `ok\n${print(result.warnings)}` : print(result.problems);
}

function print(problems: readonly Problem[]): string {
  return problems.map((problem) => `${formatProblem({ ...problem, file: basename(problem.file) })}\n`).join('');
}

describe('golden configs', () => {
  let world: Record<string, object> = {};
  beforeAll(async () => {
    world = await goldenFiles();
  });

  it.for(names)('%s', async (name) => {
    const file = new URL(name, FOLDER);
    const [yaml = '', expected = ''] = readFileSync(file, 'utf8').split(SEPARATOR);
    const seen = await outcome(yaml, world);
    if (process.env.UPDATE_GOLDEN === '1') writeFileSync(file, `${yaml}${SEPARATOR}${seen}`);
    else expect(seen).toBe(expected);
  });

  it('show every code', () => {
    const shown = names.map((name) => readFileSync(new URL(name, FOLDER), 'utf8').split(SEPARATOR)[1] ?? '').join('');
    const seen = new Set(shown.match(/CONFIG_[A-Z0-9_]+/g) ?? []);
    expect(PROBLEM_CODES.filter((code) => !seen.has(code))).toEqual([]);
  });

  it('are named after a code that they show', () => {
    for (const name of names.filter((each) => each.startsWith('CONFIG_'))) {
      const [code = ''] = /^CONFIG_[A-Z0-9_]+/.exec(name) ?? [];
      expect(readFileSync(new URL(name, FOLDER), 'utf8').split(SEPARATOR)[1], name).toContain(` ${code} `);
    }
  });
});
