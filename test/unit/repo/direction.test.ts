/** The direction of imports (docs/architecture.md) is held by eslint.config.js; this shows that the table bites. */
import { ESLint } from 'eslint';
import { describe, expect, it } from 'vitest';

const RULE = '@typescript-eslint/no-restricted-imports';
// Only this rule, and without type information, which it does not need.
const eslint = new ESLint({
  ruleFilter: ({ ruleId }) => ruleId === RULE,
  overrideConfig: { languageOptions: { parserOptions: { projectService: false } } },
});

async function refusals(file: string, code: string): Promise<number> {
  const [result] = await eslint.lintText(code, { filePath: file });
  if (result === undefined || result.fatalErrorCount > 0)
    throw new Error(`not linted: ${JSON.stringify(result?.messages)}`);
  return result.messages.filter((message) => message.ruleId === RULE).length;
}

describe('direction of imports', () => {
  it.for([
    ['src/proxy/route.ts', "import { x } from '../acme/manager.ts'; x();"],
    ['src/proxy/route.ts', "import type { Config } from '../config/index.ts'; export type A = Config;"],
    ['src/proxy/route.ts', "import { createApp } from '../app.ts'; createApp();"],
    ['src/tls/certificate-source.ts', "import type { X } from '../acme/order.ts'; export type A = X;"],
    ['src/tls/certificate-source.ts', "import { loadConfig } from '../config/index.ts'; loadConfig();"],
    ['src/base/errors.ts', "import { x } from '../observability/logger.ts'; x();"],
    ['src/policy/decision.ts', "import { x } from '../proxy/route.ts'; x();"],
    ['src/policy/decision.ts', "export { x } from '../cli/index.ts';"],
    ['src/app.ts', "import { runCli } from './cli/index.ts'; runCli();"],
    ['src/proxy/http1/head-parser.ts', "import { x } from '../../acme/manager.ts'; x();"],
    ['src/proxy/listener.ts', "import { x } from '../acme/challenges/board.ts'; x();"],
    ['src/admin/server.ts', "import { createApp } from '../app.ts'; createApp();"],
    ['src/admin/server.ts', "import { loadConfig } from '../config/index.ts'; loadConfig();"],
    ['src/acme/order.ts', "import { x } from '../admin/api.ts'; x();"],
    ['src/proxy/http1/head-parser.ts', "import { createApp } from '../../app.ts'; createApp();"],
  ] as const)('%s may not: %s', async ([file, code]) => {
    expect(await refusals(file, code)).toBe(1);
  });

  it.for([
    ['src/proxy/route.ts', "import { x } from '../policy/decision.ts'; x();"],
    ['src/proxy/route.ts', "import { x } from './http1/head-parser.ts'; x();"],
    ['src/proxy/http1/head-parser.ts', "import { x } from '../snapshot.ts'; x();"],
    ['src/tls/certificate-source.ts', "import type { Config } from '../config/index.ts'; export type A = Config;"],
    ['src/tls/certificate-source.ts', "import { x } from '../store/store.ts'; x();"],
  ] as const)('%s may: %s', async ([file, code]) => {
    expect(await refusals(file, code)).toBe(0);
  });
});
