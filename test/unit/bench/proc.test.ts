import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseBusyMicros } from '../../../bench/measure/busy.ts';
import { cpuMicros, memoryBytes, parseKilobytes, parseStat, processTree, treeOf } from '../../../bench/measure/proc.ts';

/** A line of /proc/PID/stat; fields 4 (parent), 14 and 15 (user and system time) are the ones that matter. */
function stat(pid: number, name: string, parent: number, user: number, system: number): string {
  return `${pid} (${name}) S ${parent} 1 1 0 -1 4194560 10 20 30 40 ${user} ${system} 700 800 20 0 1 0 99 1000 200\n`;
}

describe('parseStat', () => {
  it('reads parent and CPU time, in microseconds', () => {
    expect(parseStat(stat(71, 'nginx', 70, 150, 25))).toEqual({
      pid: 71,
      parent: 70,
      cpuMicros: 1_750_000,
      endedMicros: 15_000_000,
    });
  });

  it('is not misled by any name of a process', () => {
    fc.assert(
      fc.property(fc.string(), (name) => {
        expect(parseStat(stat(5, name, 4, 3, 2))).toEqual({
          pid: 5,
          parent: 4,
          cpuMicros: 50_000,
          endedMicros: 15_000_000,
        });
      }),
    );
    expect(parseStat(stat(5, 'a) S 9 9 (b', 4, 3, 2)).parent).toBe(4);
  });

  it.for(['', '12', '12 (x) S', 'x (y) S 1 1 1 0 -1 4194560 10 20 30 40 1 2'])('refuses %j', (text) => {
    expect(() => parseStat(text)).toThrow(/not a line/);
  });
});

describe('parseKilobytes', () => {
  const text = 'Rss:                2048 kB\nPss:                1024 kB\nPss_Dirty:           512 kB\n';

  it('takes the field of exactly that name', () => {
    expect([parseKilobytes(text, 'Rss'), parseKilobytes(text, 'Pss')]).toEqual([2_097_152, 1_048_576]);
  });

  it('gives 0 for what is not there', () => {
    expect(parseKilobytes(text, 'Private_Clean')).toBe(0);
  });
});

describe('treeOf', () => {
  const running = [
    { pid: 1, parent: 0, cpuMicros: 0, endedMicros: 0 },
    { pid: 30, parent: 20, cpuMicros: 0, endedMicros: 0 },
    { pid: 20, parent: 10, cpuMicros: 0, endedMicros: 0 },
    { pid: 10, parent: 1, cpuMicros: 0, endedMicros: 0 },
    { pid: 11, parent: 1, cpuMicros: 0, endedMicros: 0 },
  ];

  it('has descendants of every degree, the process first, and nobody else', () => {
    expect(treeOf(10, running).map(({ pid }) => pid)).toEqual([10, 20, 30]);
  });

  it('is empty when the process is gone', () => {
    expect(treeOf(99, running)).toEqual([]);
  });
});

describe('parseBusyMicros', () => {
  const text = 'cpu  100 20 30 4000 500 6 7 8 0 0\ncpu0 50 10 15 2000 250 3 4 4 0 0\nintr 5\n';

  it('adds up what is neither idleness nor waiting for disks, of all CPUs', () => {
    expect(parseBusyMicros(text)).toBe((100 + 20 + 30 + 6 + 7 + 8) * 10_000);
  });

  it('refuses anything else', () => {
    expect(() => parseBusyMicros('cpu0 1 2 3 4 5 6 7 8')).toThrow(/not \/proc\/stat/);
  });
});

describe('a process that runs', () => {
  it('is measured together with its child, and not when it is gone', async () => {
    const child = spawn('sh', ['-c', 'i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done; echo done; sleep 30 & wait'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const pid = child.pid ?? 0;
    try {
      await once(child.stdout, 'data');
      await expect.poll(() => processTree(pid).length).toBe(2);
      expect(cpuMicros(pid)).toBeGreaterThan(0);
      expect(memoryBytes(pid)).toBeGreaterThan(100_000);
    } finally {
      for (const member of processTree(pid).reverse()) process.kill(member, 'SIGKILL');
      await once(child, 'exit');
    }
    expect(() => cpuMicros(pid)).toThrow(/has ended/);
  });
});
