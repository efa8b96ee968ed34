#!/usr/bin/env node
/** Process entry: looks at the Node it runs on before anything else is loaded, then hands over to the command line. */
import { judgeNode } from './cli/node-floor.ts';

const verdict = judgeNode(process.versions.node);
if (verdict.kind === 'refuse') {
  process.stderr.write(`portico: ${verdict.message}\n  fix: ${verdict.fix}\n`);
  process.exitCode = 2;
} else {
  // Loaded only now: an older Node would stop at the first import that it does not know.
  const { runCli } = await import('./cli/index.ts');
  const { processTerminal } = await import('./cli/terminal.ts');
  process.exitCode = await runCli(process.argv.slice(2), processTerminal());
}
