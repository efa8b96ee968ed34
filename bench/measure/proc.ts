/**
 * What the kernel knows about a process and its descendants: CPU time and memory, from /proc. The parsers are pure, so that
 * odd process names can be tested.
 */
import { readFileSync, readdirSync } from 'node:fs';

/** Microseconds of one tick of /proc's clock: USER_HZ is 100 on every Linux that Node runs on. */
const TICK_MICROS = 10_000;

/** The fields of /proc/PID/stat that matter here (proc(5)). */
export interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  /** User and system time of all its threads, in microseconds. */
  readonly cpuMicros: number;
  /** The same of its children that have ended, and of theirs. */
  readonly endedMicros: number;
}

/** Parses /proc/PID/stat. The name in parentheses may itself hold spaces and parentheses. */
export function parseStat(text: string): ProcessStat {
  const end = text.lastIndexOf(')');
  const fields = text.slice(end + 2).split(' ');
  const pid = Number.parseInt(text, 10);
  // Counted from the state, field 3: parent is 4; utime, stime, cutime, cstime are 14 to 17.
  const [parent, user, system, endedUser, endedSystem] = [fields[1], ...fields.slice(11, 15)].map(Number);
  if (
    end < 0 ||
    [pid, parent, user, system, endedUser, endedSystem].some((value) => value === undefined || !Number.isInteger(value))
  ) {
    throw new Error(`not a line of /proc/PID/stat: ${text.slice(0, 80)}`);
  }
  return {
    pid,
    parent: parent!,
    cpuMicros: (user! + system!) * TICK_MICROS,
    endedMicros: (endedUser! + endedSystem!) * TICK_MICROS,
  };
}

/** The value in bytes of a line such as `Rss:  123 kB`; 0 when it is not there. */
export function parseKilobytes(text: string, field: string): number {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text);
  return match === null ? 0 : Number(match[1]) * 1024;
}

/** A process and all its descendants, out of what is running; the process itself comes first. */
export function treeOf(root: number, running: readonly ProcessStat[]): ProcessStat[] {
  const tree = running.filter(({ pid }) => pid === root);
  for (const parent of tree) tree.push(...running.filter((process) => process.parent === parent.pid));
  return tree;
}

/** Everything that is running. A process that ends meanwhile is left out. */
function everyProcess(): ProcessStat[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const text = readIfThere(`/proc/${name}/stat`);
      return text === null ? [] : [parseStat(text)];
    });
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

/** Ids of a process and its descendants. */
export function processTree(root: number): number[] {
  return treeOf(root, everyProcess()).map(({ pid }) => pid);
}

/**
 * CPU time of a process and its descendants since they were started, in microseconds; only differences mean something.
 *
 * @throws Error when the process is gone: a figure without it would be too good
 */
export function cpuMicros(root: number): number {
  const tree = treeOf(root, everyProcess());
  if (tree.length === 0) throw new Error(`process ${root} has ended`);
  return tree.reduce((sum, process) => sum + process.cpuMicros, 0);
}

/** CPU time of a process and of everything it ever started, ended or not, in microseconds. */
export function familyMicros(root: number): number {
  return treeOf(root, everyProcess()).reduce((sum, process) => sum + process.cpuMicros + process.endedMicros, 0);
}

/**
 * Resident memory of a process and its descendants in bytes. Pages that the largest shares with the others are counted once.
 *
 * @throws Error when the process is gone
 */
export function memoryBytes(root: number): number {
  const maps = processTree(root).map((pid) => readIfThere(`/proc/${pid}/smaps_rollup`) ?? '');
  if (maps.length === 0) throw new Error(`process ${root} has ended`);
  const rss = maps.map((text) => parseKilobytes(text, 'Rss'));
  const own = maps.map((text) => parseKilobytes(text, 'Private_Clean') + parseKilobytes(text, 'Private_Dirty'));
  const largest = rss.indexOf(Math.max(...rss));
  return own.reduce((sum, bytes, index) => sum + (index === largest ? rss[largest]! : bytes), 0);
}
