/** docs/doctor.md has every finding of the doctor in its words and its order. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CATALOGUE } from '../../../src/delegation/doctor/catalogue.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const page = readFileSync(join(ROOT, 'docs', 'doctor.md'), 'utf8');

describe('docs/doctor.md', () => {
  it.for([
    ['error', '## Errors'],
    ['warning', '## Warnings'],
    ['info', '## Notes'],
  ] as const)('lists every %s as the code has it', ([severity, heading]) => {
    const [, after = ''] = page.split(`${heading}\n`);
    const [section = ''] = after.split('\n## ');
    const rows = [...section.matchAll(/^\| `([a-z0-9-]+)`\s*\|(.*)\|$/gm)].map(([, code = '', cells = '']) => [
      code,
      ...cells.split('|').map((cell) => cell.trim()),
    ]);
    const wanted = Object.entries(CATALOGUE)
      .filter(([, entry]) => entry.severity === severity)
      .map(([code, { why, fix, spec }]) => [code, why, fix, spec]);
    expect(rows).toEqual(wanted);
  });
});
