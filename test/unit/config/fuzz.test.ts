/**
 * Whatever stands in a file, the loader answers with a config or with problems that have a place, and never with an
 * exception or a stack trace.
 */
import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { PROBLEM_CODES } from '../../../src/config/codes.ts';
import type { FileReader } from '../../../src/config/file-reader.ts';
import { fakeFiles, goldenFiles } from './fake-files.ts';
import { load } from './load-yaml.ts';

const FOLDER = new URL('../../golden/config/', import.meta.url);
const SEEDS = readdirSync(FOLDER).map(
  (name) => readFileSync(new URL(name, FOLDER), 'utf8').split('----------\n')[0] ?? '',
);

/** Pieces that mean something to YAML, to JavaScript or to us. */
const PIECES = [
  ...[
    '\n',
    '  ',
    '\t',
    '- ',
    ': ',
    '#',
    '{',
    '}',
    '[',
    ']',
    ',',
    '"',
    "'",
    '&a ',
    '*a',
    '!!set ',
    '!x ',
    '? ',
    '| \n',
    '>-\n',
    '%',
    '---\n',
    '...\n',
  ],
  ...[
    'null',
    '~',
    'true',
    '.inf',
    '.nan',
    '-0',
    '0x1f',
    '1e999',
    '9007199254740993',
    '<<: ',
    '__proto__: ',
    'constructor: ',
    'toString',
  ],
  ...['\u0000', '\uFEFF', '\u2028', '\uD800', '😀', '\r', 'é', '\u001b[31m', '"\\u0000"', 'x'.repeat(5000)],
  ...[
    '30s',
    '-1s',
    '10MiB',
    ':443',
    '[::]:1',
    'http://',
    'unix:',
    '../',
    '*.example.com',
    'example.com:0',
    'acme:',
    'limits:',
    'sites:',
  ],
];

const piece = fc.oneof(fc.constantFrom(...PIECES), fc.string({ maxLength: 12, unit: 'binary' }));

/** One change: replace some characters at a place by something else. */
const change = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  remove: fc.nat({ max: 20 }),
  insert: piece,
});

const mutated = fc
  .record({ seed: fc.constantFrom(...SEEDS), changes: fc.array(change, { minLength: 1, maxLength: 6 }) })
  .map(({ seed, changes }) =>
    changes.reduce((text, { at, remove, insert }) => {
      const index = Math.floor(at * text.length);
      return text.slice(0, index) + insert + text.slice(index + remove);
    }, seed),
  );

/** Documents of the right keys with wrong values: they reach deeper than mutated text. */
const value: fc.Arbitrary<unknown> = fc.letrec<{ any: unknown }>((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(
      null,
      true,
      0,
      -1,
      1.5,
      443,
      '',
      'example.com',
      'EXAMPLE.com',
      ':443',
      '30s',
      '1MiB',
      'https',
      'http://a',
      'srv',
      'well-known',
    ),
    fc.string({ maxLength: 8, unit: 'binary' }),
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(
      fc.constantFrom(
        ...[
          'sites',
          'server_name',
          'homeserver',
          'url',
          'delegation',
          'delegated_name',
          'hosts',
          'well_known',
          'support',
          'contacts',
          'client',
        ],
        ...[
          'listeners',
          'address',
          'role',
          'certificates',
          'names',
          'files',
          'local_ca',
          'acme',
          'dns',
          'limits',
          'classes',
          'sync',
          '__proto__',
        ],
      ),
      tie('any'),
      { maxKeys: 4 },
    ),
  ),
})).any;

async function holds(text: string, files: FileReader): Promise<void> {
  const result = await load(text, files);
  const problems = result.ok ? result.warnings : result.problems;
  if (!result.ok) expect(problems.filter((problem) => problem.severity === 'error').length).toBeGreaterThan(0);
  const lines = text.split(/\r\n|\r|\n/).length;
  for (const problem of problems) {
    expect(problem.line).toBeGreaterThanOrEqual(1);
    expect(problem.line).toBeLessThanOrEqual(lines);
    expect(problem.column).toBeGreaterThanOrEqual(1);
    expect(PROBLEM_CODES).toContain(problem.code);
    expect(problem.message).not.toBe('');
    expect(problem.fix).not.toBe('');
    const said = `${problem.message} ${problem.fix}`;
    expect(said).not.toMatch(/file:\/\/|node_modules|\bat .+:\d+:\d+|\[object |undefined|Invalid input/);
    // eslint-disable-next-line no-control-regex -- a terminal must not be written to by a config file
    expect(said).not.toMatch(/[\u0000-\u001f\u007f]/);
  }
}

describe('the loader', () => {
  let files: FileReader;
  beforeAll(async () => {
    files = fakeFiles({ ...(await goldenFiles()) });
  });

  it('answers every mutated file', async () => {
    await fc.assert(
      fc.asyncProperty(mutated, async (text) => {
        await holds(text, files);
      }),
      { numRuns: 1500 },
    );
  }, 60_000);

  it('answers every structure', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.constantFrom('sites', 'listeners', 'certificates', 'acme', 'limits', 'tls'), value),
        async (document) => {
          await holds(JSON.stringify(document), files);
        },
      ),
      { numRuns: 500 },
    );
  }, 60_000);

  it.for([
    ['brackets', '['.repeat(20_000)],
    ['braces', '{a: '.repeat(5000)],
    ['list items', '- '.repeat(20_000)],
    ['indentation', Array.from({ length: 1000 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n')],
    ['quotes', '"'.repeat(50_001)],
    ['keys', Array.from({ length: 20_000 }, (_, index) => `k${String(index)}: 1`).join('\n')],
    ['anchors', '&a '.repeat(10_000)],
    ['sites', `sites:\n${'  - {server_name: 1}\n'.repeat(5000)}`],
  ] as const)('answers too many %s', async ([, text]) => {
    const result = await load(text, files);
    expect(result.ok).toBe(false);
    await holds(text, files);
  });
});
