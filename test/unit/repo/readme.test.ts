/** The configs of the README are read by the code that users will read them with. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PROBLEM_CODES } from '../../../src/config/codes.ts';
import { loadConfigText } from '../../../src/config/load.ts';

const readme = readFileSync(join(import.meta.dirname, '..', '..', '..', 'README.md'), 'utf8');
const blocks = (language: string) =>
  [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(([, text = '']) => text);

describe('README', () => {
  it('has a smallest config for each delegation', () => {
    expect(blocks('yaml').map((text) => /delegation: (\S+)/.exec(text)?.[1] ?? 'none')).toEqual([
      'none',
      'well-known',
      'srv',
    ]);
  });

  it.for(blocks('yaml').map((text, index) => [index, text] as const))(
    'config %i is fine but for its files',
    async ([, text]) => {
      const result = await loadConfigText(text, { file: 'portico.yaml', baseDir: '/nonexistent', env: {} });
      const problems = result.ok ? result.warnings : result.problems;
      // The key for example.com's DNS is not on this machine, and that is all that may be wrong.
      expect(problems.filter(({ code }) => code !== 'CONFIG_SECRET')).toEqual([]);
    },
  );

  it('shows problems with codes that exist', () => {
    const shown = [
      ...blocks('text')
        .join('\n')
        .matchAll(/:\d+:\d+ (CONFIG_\w+)/g),
    ].map(([, code]) => code);
    expect(shown.length).toBeGreaterThan(0);
    expect(shown.filter((code) => !(PROBLEM_CODES as readonly string[]).includes(code ?? ''))).toEqual([]);
  });

  it('links only to pages that exist', () => {
    const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, path = '']) => path);
    expect(links.length).toBeGreaterThan(5);
    for (const path of links)
      expect(() => readFileSync(join(import.meta.dirname, '..', '..', '..', path))).not.toThrow(/ENOENT/);
  });
});
