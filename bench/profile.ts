/** `--profile ROW`: Portico alone under a row's load, with V8's profiler on. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { placeOf } from '../test/peers/install/place.ts';
import { portico } from './contenders/portico.ts';
import { selfTimes } from './measure/cpu-profile.ts';
import type { CpuProfile } from './measure/cpu-profile.ts';
import { Measurement } from './measure/rounds.ts';
import type { Rounds } from './measure/rounds.ts';
import { formatEntry, textTable } from './report/table.ts';
import type { Row } from './rows/row.ts';

const TOP = 30;
/** Regular expressions are named by their whole text. */
const LONGEST_NAME = 60;

/** Loads Portico with a row and prints its figures and its most expensive functions. The profile is kept. */
export async function profileRow(row: Row, setting: Omit<Rounds, 'instance' | 'contenders'>): Promise<void> {
  const directory = join(placeOf('bench-profiles'), `${row.id}-${String(process.pid)}`);
  const nodeFlags = ['--cpu-prof', `--cpu-prof-dir=${directory}`];
  const measurement = new Measurement({ ...setting, contenders: [portico], instance: { nodeFlags } });
  const { entries } = await measurement.row(row);
  // Its end writes the profile.
  await measurement.close();
  setting.progress('');
  const entry = entries.get('portico');
  for (const figure of row.figures)
    console.log(`${row.title}: ${figure.title} ${formatEntry(entry, figure, undefined)}`);
  if (entry !== undefined && 'void' in entry) console.log(`void: ${entry.void}`);
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    const times = selfTimes(JSON.parse(readFileSync(path, 'utf8')) as CpuProfile).slice(0, TOP);
    const lines = times.map(({ name: title, place, micros, share }) => [
      title.slice(0, LONGEST_NAME),
      `${(share * 100).toFixed(1)} %`,
      `${(micros / 1000).toFixed(0)} ms`,
      place,
    ]);
    console.log(`\n${path}\n${textTable([['function', 'self', '', ''], ...lines])}`);
  }
}
