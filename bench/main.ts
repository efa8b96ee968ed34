/**
 * Portico side by side with other proxies: `npm run bench`. Prepares what it needs, checks every contender for correct
 * answers, measures, and prints or writes the tables. Whatever it starts is ended with it.
 */
import { InstallError } from '../test/peers/install/step.ts';
import { startFastBackend } from './backends/fast.ts';
import { startThoroughBackend } from './backends/thorough.ts';
import { checkAll } from './check/all.ts';
import { CONTENDERS, QUICK_CONTENDERS } from './contenders/index.ts';
import type { Contender } from './contenders/contender.ts';
import { Processes } from './measure/processes.ts';
import { Measurement } from './measure/rounds.ts';
import type { RowResult } from './measure/rounds.ts';
import { USAGE, UsageError, parseOptions, pick } from './options.ts';
import type { Options } from './options.ts';
import { profileRow } from './profile.ts';
import { provenance } from './report/provenance.ts';
import { cells, textTable, voids } from './report/table.ts';
import { formatVerdict, verdicts } from './report/targets.ts';
import { writePage } from './report/write.ts';
import { ROWS } from './rows/index.ts';
import type { Row } from './rows/row.ts';
import { buildPortico } from './setup/build.ts';
import { siteCertificates } from './setup/certificates.ts';
import { prepareStand } from './setup/stand.ts';

/** Spent at most on waiting for a calm machine and on repeated rounds, so that the short form stays short. */
const QUICK_PATIENCE_MS = 20_000;
const PATIENCE_MS = 2 * 60_000;

/** A line that the next one replaces, where somebody watches. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
}

function printResults(results: readonly RowResult[], contenders: readonly Contender[]): void {
  console.log(
    `\nmedian (least–most), ratio to nginx with the Matrix job\n${textTable(cells(results, contenders, false))}`,
  );
  const beside = cells(results, contenders, true);
  if (beside.length > 1) console.log(`\nbeside it\n${textTable(beside)}`);
  for (const line of voids(results, contenders)) console.log(`void: ${line}`);
  const judged = results.flatMap(verdicts).filter(({ met }) => met !== null);
  if (judged.length === 0) return;
  const lines = judged.map((verdict) => [verdict.row, `≤ ${verdict.limit}`, verdict.reached, formatVerdict(verdict)]);
  console.log(`\n${textTable([['target', 'at most', 'reached', ''], ...lines])}`);
}

async function run(options: Options, processes: Processes): Promise<number> {
  const quick = options.mode === 'quick';
  const ids = options.contenders ?? (quick ? QUICK_CONTENDERS : null);
  const contenders = pick('contender', CONTENDERS, ids, ({ id }) => [id]);
  const wanted = pick('row', ROWS, options.rows, rowIds);
  const rows = quick && options.rows === null ? wanted.filter((row) => row.quick) : wanted;
  if (options.save) await buildPortico();
  const stand = await prepareStand(processes, options.mode !== 'check');
  try {
    const thorough = await startThoroughBackend(stand);
    const good = await checkAll(stand, contenders, thorough, progress);
    const code = good.length === contenders.length ? 0 : 1;
    if (options.mode === 'check') return code;
    const setting = {
      stand,
      rounds: options.rounds,
      seconds: options.seconds,
      backends: { thorough, fast: await startFastBackend(stand) },
      sitesDirectory: siteCertificates(stand),
      patienceMs: quick ? QUICK_PATIENCE_MS : PATIENCE_MS,
      progress,
    };
    if (options.mode === 'profile') {
      for (const row of rows) await profileRow(row, setting);
      return code;
    }
    const measurement = new Measurement({ ...setting, contenders: good, instance: {} });
    const results: RowResult[] = [];
    const from = await provenance(stand, good, options);
    for (const row of rows) {
      const started = performance.now();
      const result = await measurement.row(row);
      results.push(result);
      // Row by row: what was measured stays when the run is broken off.
      if (options.save) await writePage([result], from);
      progress('');
      const seconds = ((performance.now() - started) / 1000).toFixed(0);
      console.log(`${row.id}: ${seconds} s; others took up to ${(result.foreign * 100).toFixed(0)} % of a CPU`);
    }
    await measurement.close();
    printResults(results, good);
    if (options.save) console.log('\nwritten: docs/benchmarks.md');
    return code;
  } finally {
    await processes.stopAll();
    stand.remove();
  }
}

/** A row is named by its own id, or by its curve's. */
function rowIds(row: Row): string[] {
  return row.curve === undefined ? [row.id] : [row.id, row.curve.id];
}

const processes = new Processes();
process.once('exit', () => processes.killAll());
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    void processes.stopAll().finally(() => process.exit(130));
  });
}
try {
  const options = parseOptions(process.argv.slice(2));
  if (options.mode === 'help') console.log(USAGE);
  else process.exitCode = await run(options, processes);
} catch (error) {
  if (error instanceof UsageError) console.error(`bench: ${error.message}\n\n${USAGE}`);
  else if (error instanceof InstallError) console.error(`bench: ${error.message}`);
  else console.error(error);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
