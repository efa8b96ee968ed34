// Lint: typed rules for everything written in TypeScript, and the direction of imports of docs/architecture.md.
// The direction is held by one table below; a room that is missing there may import nothing but itself.
import { readdirSync } from 'node:fs';
import eslint from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tsdoc from 'eslint-plugin-tsdoc';
import tseslint from 'typescript-eslint';

/**
 * Who may import whom. `types` may be imported with `import type` only: rooms below the composition root are handed plain
 * data, but may name its shape. Whatever is not listed is refused.
 */
const rooms = {
  base: {},
  config: { all: ['base'], types: ['delegation', 'policy'] },
  matrix: { all: ['base'] },
  observability: { all: ['base'] },
  store: { all: ['observability', 'base'], types: ['config'] },
  dns: { all: ['base'] },
  tls: { all: ['store', 'matrix', 'observability', 'base'], types: ['config'] },
  export: { all: ['store', 'observability', 'base'], types: ['config'] },
  delegation: { all: ['dns', 'policy', 'matrix', 'observability', 'base'], types: ['config'] },
  policy: { all: ['matrix', 'observability', 'base'], types: ['config'] },
  admin: { all: ['observability', 'base'], types: ['config'] },
  proxy: { all: ['tls', 'delegation', 'policy', 'matrix', 'observability', 'base'] },
  acme: { all: ['tls', 'dns', 'delegation', 'policy', 'store', 'matrix', 'observability', 'base'], types: ['config'] },
  cluster: { all: ['tls', 'store', 'observability', 'base'], types: ['proxy', 'config'] },
};
const roomNames = [...Object.keys(rooms), 'cli'];
/** Files beside the rooms: the composition root and what it is made of. They know everyone but the command line. */
const rootFiles = readdirSync(new URL('src/', import.meta.url)).filter((name) => name.endsWith('.ts'));
/** Folders within a room; a room deeper than this is not linted for direction, so keep it above what there is. */
const DEEPEST = 3;

/** One block per room and depth, because the same file is `../` or `../../` away: restricted imports made from its row. */
const direction = Object.entries(rooms).flatMap(([room, allowed]) => {
  const all = allowed.all ?? [];
  const types = allowed.types ?? [];
  const forbidden = roomNames.filter((name) => name !== room && !all.includes(name) && !types.includes(name));
  return Array.from({ length: DEEPEST + 1 }, (_, depth) => {
    const up = `^(\\.\\./){${String(depth + 1)}}`;
    const patterns = [
      {
        regex: `${up}((${forbidden.join('|')})/|(${rootFiles.join('|').replaceAll('.', '\\.')})$)`,
        message: `src/${room} may import ${[room, ...all].join(', ')}: docs/architecture.md, "Direction".`,
      },
    ];
    if (types.length > 0) {
      patterns.push({
        regex: `${up}(${types.join('|')})/`,
        allowTypeImports: true,
        message: `src/${room} may import only types from there: docs/architecture.md, "Direction".`,
      });
    }
    return {
      files: [`src/${room}/${'*/'.repeat(depth)}*.ts`],
      rules: { '@typescript-eslint/no-restricted-imports': ['error', { patterns }] },
    };
  });
});

export default defineConfig(
  globalIgnores(['dist/', 'coverage/', '.peers/', 'certs/', 'node_modules/', 'bench/node_modules/']),
  eslint.configs.recommended,
  tseslint.configs.strictTypeChecked,
  tseslint.configs.stylisticTypeChecked,
  {
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { tsdoc },
    rules: {
      'tsdoc/syntax': 'error',
      eqeqeq: 'error',
      'no-console': 'error',
      // Named even though the presets have them: a proxy dies of a promise that nobody awaits.
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      // A leading underscore says "on purpose", as in TypeScript itself; `const { a, ...rest }` leaves `a` out.
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      // `() => socket.destroy()` says what it does; braces would add nothing.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      'no-restricted-exports': ['error', { restrictDefaultExports: { direct: true, named: true, defaultFrom: true } }],
      // An import within the code would pass the table above unseen.
      'no-restricted-syntax': [
        'error',
        {
          selector: 'ImportExpression',
          message: 'Import at the top of the file, so that the direction of imports holds.',
        },
      ],
    },
  },
  ...direction,
  {
    files: ['src/*.ts'],
    ignores: ['src/main.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            { regex: '^\\./(cli/|main\\.ts$)', message: 'The command line knows the app, never the other way.' },
          ],
        },
      ],
    },
  },
  {
    // The command line is what prints; commands are loaded when they are asked for, so that `check` need not load the proxy.
    files: ['src/cli/**/*.ts', 'src/main.ts'],
    rules: { 'no-console': 'off', 'no-restricted-syntax': 'off' },
  },
  {
    // Tests read JSON and sockets of peers: a wrong guess about a shape fails the test, which is the check. The rules that
    // find tests that cannot fail (floating promises, conditions that are always true) stay.
    files: ['test/**/*.ts', 'bench/**/*.ts', '*.config.ts'],
    rules: {
      'no-console': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
    },
  },
  {
    files: ['**/*.js', '**/*.mjs'],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: { globals: { console: 'readonly', process: 'readonly', URL: 'readonly', Buffer: 'readonly' } },
  },
);
