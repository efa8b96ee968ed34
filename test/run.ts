/**
 * What `npm test` runs: unit and integration tests, then the preparation of the real peers (under .peers/), then the tests
 * with them. A peer that cannot be had is said with its reason; with CI=true it is a failure.
 * Ends with one line, `N passed, N failed[, N skipped]`, over everything that ran; exit code 0 when nothing failed.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const VITEST = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');
const INSTALL = join(ROOT, 'test', 'peers', 'install.ts');
/** Downloads and one Go build; far more than a slow machine needs. */
const PREPARE_LIMIT_MS = 12 * 60_000;
const TESTS_LIMIT_MS = 15 * 60_000;

interface Preparation {
  ready: string[];
  missing: { peer: string; why: string }[];
}

interface Count {
  passed: number;
  failed: number;
  skipped: number;
}

/** Runs this Node with arguments, output shown as it comes. Resolves to the exit code; 124 when the limit was reached. */
function runNode(args: string[], limitMs: number, env: NodeJS.ProcessEnv = process.env): Promise<number> {
  return new Promise((resolve) => {
    // Its own process group, so that a time-out ends the homeservers it started as well.
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      env,
      stdio: ['ignore', 'inherit', 'inherit'],
      detached: true,
    });
    const endGroup = (signal: NodeJS.Signals): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, signal);
      } catch {
        // The group is gone already, which is what was wanted.
      }
    };
    const passOn = (signal: NodeJS.Signals): void => {
      endGroup(signal);
      process.exitCode = 130;
    };
    process.on('SIGINT', passOn).on('SIGTERM', passOn);
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      console.error(`\nnot finished after ${limitMs / 60_000} minutes: stopped`);
      endGroup('SIGKILL');
    }, limitMs);
    child.on('error', (error) => {
      console.error(error.message);
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      process.off('SIGINT', passOn).off('SIGTERM', passOn);
      resolve(timedOut ? 124 : (code ?? 1));
    });
  });
}

/** Runs Vitest projects and counts from its JSON report; a run without a report counts as one failure. */
async function runProjects(projects: string[], directory: string): Promise<Count> {
  const report = join(directory, `${projects.join('-')}.json`);
  const args = [VITEST, 'run', ...projects.flatMap((name) => ['--project', name])];
  args.push('--reporter=default', '--reporter=json', `--outputFile.json=${report}`);
  // `npm test -- FILTER` may leave a project without a test; without a filter that is a mistake.
  const filter = process.argv.slice(2);
  if (filter.length > 0) args.push('--passWithNoTests', ...filter);
  const code = await runNode(args, TESTS_LIMIT_MS);
  const count: Count = { passed: 0, failed: 0, skipped: 0 };
  if (existsSync(report)) {
    const result = JSON.parse(readFileSync(report, 'utf8')) as Record<
      `num${'Passed' | 'Failed' | 'Pending' | 'Todo'}Tests`,
      number
    >;
    count.passed = result.numPassedTests;
    count.failed = result.numFailedTests;
    count.skipped = result.numPendingTests + result.numTodoTests;
  }
  // A file that does not even load, or an error outside any test, fails Vitest without failing a test.
  if (code !== 0 && count.failed === 0) count.failed = 1;
  return count;
}

/** Prepares the peers in a child process, so that a hanging download can be ended. */
async function preparePeers(directory: string): Promise<Preparation> {
  const answer = join(directory, 'peers.json');
  const program = [
    `import { writeFileSync } from 'node:fs';`,
    `const { preparePeers } = await import(${JSON.stringify(INSTALL)});`,
    `writeFileSync(${JSON.stringify(answer)}, JSON.stringify(await preparePeers()));`,
  ].join('\n');
  const code = await runNode(['--input-type=module', '--eval', program], PREPARE_LIMIT_MS);
  if (code !== 0 || !existsSync(answer)) {
    return { ready: [], missing: [{ peer: 'all', why: `their preparation ended with exit code ${code}` }] };
  }
  return JSON.parse(readFileSync(answer, 'utf8')) as Preparation;
}

function heading(text: string): void {
  console.log(`\n── ${text} ${'─'.repeat(Math.max(3, 100 - text.length))}`);
}

function nodeIsRecent(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return major > 24 || (major === 24 && minor >= 12);
}

async function main(): Promise<number> {
  if (!nodeIsRecent()) {
    console.error(`These tests need Node 24.12 or later; this is ${process.version} (${process.execPath}).`);
    console.error(
      '`npm ci` brings one as node_modules/.bin/node, and `npm test` uses it. Was npm told to ignore scripts?',
    );
    return 2;
  }
  const started = performance.now();
  const directory = mkdtempSync(join(tmpdir(), 'portico-test-'));
  const total: Count = { passed: 0, failed: 0, skipped: 0 };
  const add = (count: Count): void => {
    total.passed += count.passed;
    total.failed += count.failed;
    total.skipped += count.skipped;
  };
  try {
    heading(`unit and integration (Node ${process.versions.node})`);
    add(await runProjects(['unit', 'integration'], directory));

    heading('preparing real peers under .peers/');
    const peers = await preparePeers(directory);
    if (peers.ready.length > 0) console.log(`ready: ${peers.ready.join(', ')}`);
    for (const { peer, why } of peers.missing) console.log(`missing: ${peer}: ${why}`);
    if (peers.missing.length > 0 && process.env.CI === 'true') {
      console.log('CI=true: a missing peer is a failure');
      total.failed += peers.missing.length;
    }

    heading('peers');
    add(await runProjects(['peers'], directory));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  heading(`done in ${Math.round((performance.now() - started) / 1000)} s`);
  const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
  console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
  return total.failed === 0 ? 0 : 1;
}

process.exitCode = await main();
