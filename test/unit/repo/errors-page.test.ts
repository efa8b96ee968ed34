/** docs/errors.md and the source name the same codes: every code is documented, and nothing is documented that is not there. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PROBLEM_CODES } from '../../../src/config/codes.ts';
import { REFUSALS } from '../../../src/policy/refusals.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const page = readFileSync(join(ROOT, 'docs', 'errors.md'), 'utf8');

/** Rows of the page: code → the other cells. */
const documented = new Map(
  [...page.matchAll(/^\| `([A-Z][A-Z0-9_]*)`\s*\|(.*)\|$/gm)].map(([, code = '', cells = '']) => [code, cells]),
);

/** Words in the form of a code that are none of ours; among them OpenSSL's names of what is wrong with a chain. */
const OTHERS =
  /^(?:M_|ERR_|TLS_(?:AES|CHACHA20)_|CERT_KEY$|CERT_HAS_EXPIRED$|CERT_NOT_YET_VALID$|UNABLE_TO_|SERVER_NAME$)/;

/** Codes as literals; those of the config and of the refusals come from their own lists, which the compiler holds complete. */
function codesInSource(): Set<string> {
  const codes = new Set<string>([...PROBLEM_CODES, ...Object.keys(REFUSALS)]);
  for (const file of globSync('src/**/*.ts', { cwd: ROOT })) {
    if (file.startsWith(join('src', 'config'))) continue;
    const text = readFileSync(join(ROOT, file), 'utf8');
    for (const [, literal = ''] of text.matchAll(/'([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)'/g)) {
      if (!OTHERS.test(literal)) codes.add(literal);
    }
    for (const [, literal = ''] of text.matchAll(/PorticoError\(\s*'([^']*)'/g)) codes.add(literal);
  }
  return codes;
}

describe('docs/errors.md', () => {
  const codes = codesInSource();

  it('documents every code of the source', () => {
    expect(codes.size).toBeGreaterThan(100);
    expect([...codes].filter((code) => !documented.has(code))).toEqual([]);
  });

  it('documents no code that the source does not have', () => {
    expect([...documented.keys()].filter((code) => !codes.has(code))).toEqual([]);
  });

  it('names each code once', () => {
    expect(page.match(/^\| `[A-Z]/gm)).toHaveLength(documented.size);
  });

  it('gives status and Matrix error code of each refusal as they are sent', () => {
    const wrong = Object.values(REFUSALS).filter(
      ({ code, status, errcode }) => documented.get(code)?.includes(`${String(status)} \`${errcode}\``) !== true,
    );
    expect(wrong).toEqual([]);
  });
});
