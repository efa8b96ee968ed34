/** Tables, targets, the list of what is worse, plots: what is printed must be what was measured. */
import { describe, expect, it } from 'vitest';
import type { Contender } from '../../../bench/contenders/contender.ts';
import type { Entry, RowResult } from '../../../bench/measure/rounds.ts';
import { summarise } from '../../../bench/measure/statistics.ts';
import { markdownTable } from '../../../bench/report/page.ts';
import { plotsOf } from '../../../bench/report/plots.ts';
import { merge, resultsOf } from '../../../bench/report/results.ts';
import type { Provenance } from '../../../bench/report/results.ts';
import { linearScale, logScale, roundStep } from '../../../bench/report/scale.ts';
import { escapeXml, shortNumber, svgPlot } from '../../../bench/report/svg.ts';
import { cells, formatEntry, textTable, voids } from '../../../bench/report/table.ts';
import { formatVerdict, verdicts } from '../../../bench/report/targets.ts';
import { whereWorse } from '../../../bench/report/worse.ts';
import type { Figure, Row } from '../../../bench/rows/row.ts';

const CPU: Figure = {
  id: 'cpu',
  title: 'CPU µs per request',
  unit: 'µs',
  digits: 1,
  atMostNginx: 0.75,
  atMostCaddy: 0.33,
};

function row(figures: readonly Figure[] = [CPU], more: Partial<Row> = {}): Row {
  return {
    ...{ id: 'get', title: 'GET', needs: 'h1', backend: 'fast', quick: true, fresh: false, figures },
    run: () => Promise.reject(new Error('not in this test')),
    ...more,
  };
}

function contender(id: string): Contender {
  return {
    ...{ id, title: id.toUpperCase(), speaks: new Set(['h1'] as const), manySites: true, origin: 'chroot' },
    version: () => Promise.resolve('1'),
    prepare: () => ({ command: id, args: [] }),
  };
}

const entry = (...values: number[]): Entry => ({ figures: { cpu: summarise(values) } });
const result = (entries: Readonly<Record<string, Entry>>, of = row()): RowResult => ({
  row: of,
  entries: new Map(Object.entries(entries)),
  foreign: 0,
});

describe('an entry of a table', () => {
  it('has median, least, most and the ratio to nginx', () => {
    expect(formatEntry(entry(18, 19.25, 17), CPU, entry(20))).toBe('18.0 (17.0–19.3) 0.90×');
  });

  it('is marked when others used the machine', () => {
    expect(formatEntry({ ...entry(18), disturbed: 1 }, CPU, entry(20))).toBe('~18.0 0.90×');
  });

  it('has no ratio without nginx, nor for what is told beside', () => {
    expect(formatEntry(entry(18), CPU, undefined)).toBe('18.0');
    expect(formatEntry(entry(1234), { ...CPU, aside: true, digits: 0 }, entry(20))).toBe('1,234');
  });

  it('says what is void and what is not measured', () => {
    expect(formatEntry({ void: 'status: 3' }, CPU, entry(20))).toBe('void');
    expect(formatEntry(undefined, CPU, entry(20))).toBe('–');
  });
});

it('a table has a column per contender', () => {
  const results = [result({ portico: entry(15), 'nginx-matrix': entry(20) })];
  const lines = cells(results, [contender('portico'), contender('nginx-matrix'), contender('caddy')], false);
  expect(lines).toEqual([
    ['', 'PORTICO', 'NGINX-MATRIX', 'CADDY'],
    ['GET, µs', '15.0 0.75×', '20.0 1.00×', '–'],
  ]);
  expect(
    textTable([
      ['', 'a'],
      ['row', '10'],
    ]),
  ).toBe('      a\nrow  10');
  expect(
    markdownTable([
      ['a', 'b'],
      ['x|y', ''],
    ]),
  ).toBe('| a | b |\n| --- | --- |\n| x\\|y |  |');
});

it('what is void is told with its reason', () => {
  expect(voids([result({ caddy: { void: 'read: 3' } })], [contender('caddy')])).toEqual(['GET, CADDY: read: 3']);
});

describe('targets', () => {
  it('are met up to the limit and missed above', () => {
    const judged = verdicts(result({ portico: entry(15), 'nginx-matrix': entry(20), caddy: entry(45) }));
    expect(judged).toEqual([
      { row: 'GET', limit: '0.75 × nginx', reached: '0.75 ×', met: true },
      { row: 'GET', limit: '0.33 × Caddy', reached: '0.33 ×', met: true },
    ]);
    const missed = verdicts(result({ portico: entry(15.2), 'nginx-matrix': entry(20), caddy: entry(44) }));
    expect(missed.map(formatVerdict)).toEqual(['MISSED', 'MISSED']);
  });

  it('are neither where one of the two was not measured', () => {
    for (const entries of [{ portico: entry(15) }, { 'nginx-matrix': entry(20), portico: { void: 'x' } }]) {
      expect(verdicts(result(entries)).map(formatVerdict)).toEqual(['not measured', 'not measured']);
    }
  });

  it('may be a number by themselves', () => {
    const memory = row([{ id: 'cpu', title: 'kB each', unit: 'kB', digits: 1, atMost: 45 }]);
    expect(verdicts(result({ portico: entry(45) }, memory))[0]).toMatchObject({ met: true, limit: '45 kB' });
    expect(verdicts(result({ portico: entry(45.1) }, memory))[0]).toMatchObject({ met: false, reached: '45.1 kB' });
  });
});

describe('the list of what is worse', () => {
  const all = ['portico', 'nginx', 'caddy'].map(contender);

  it('names whoever needs less, the widest gap first', () => {
    const results = [
      result({ portico: entry(20), nginx: entry(16), caddy: entry(80) }),
      result({ portico: entry(20), nginx: entry(5) }, row([CPU], { id: 'put', title: 'PUT' })),
    ];
    expect(whereWorse(results, all)).toEqual([
      { row: 'PUT', better: [{ title: 'NGINX', times: 4 }] },
      { row: 'GET', better: [{ title: 'NGINX', times: 1.25 }] },
    ]);
  });

  it('is silent where nobody does, and about what is void', () => {
    const results = [result({ portico: entry(10), nginx: entry(10.01), caddy: { void: 'x' } })];
    expect(whereWorse(results, all)).toEqual([]);
  });
});

describe('kept results', () => {
  const from = (commit: string): Provenance => ({
    ...{ day: '2026-11-28', commit, machine: 'm', kernel: 'k', rounds: 5, seconds: 3, versions: {} },
  });

  it('are replaced row by row, each with the run that it comes from', () => {
    const first = merge(
      {},
      [result({ portico: entry(1) }), result({ portico: entry(2) }, row([CPU], { id: 'put' }))],
      from('a'),
    );
    const second = merge(first, [result({ portico: entry(3) })], from('b'));
    expect([second.get?.from.commit, second.put?.from.commit]).toEqual(['b', 'a']);
    expect(second.get?.entries.portico).toEqual(entry(3));
  });

  it('survive JSON, and lose rows that are defined no more', () => {
    const kept = JSON.parse(JSON.stringify(merge({}, [result({ portico: entry(1.23456789) })], from('a'))));
    expect(resultsOf(kept, [row()])[0]?.entries.get('portico')).toEqual(entry(1.234568));
    expect(resultsOf(kept, [row([CPU], { id: 'other' })])).toEqual([]);
  });
});

describe('axes', () => {
  it.for([
    [0.3, 0.5],
    [1, 1],
    [1.1, 2],
    [20, 20],
    [21, 50],
    [501, 1000],
    [0, 1],
  ] as const)('the step for %d is %d', ([value, step]) => {
    expect(roundStep(value)).toBe(step);
  });

  it('a linear one starts at 0 and ends above the most', () => {
    const { at, marks } = linearScale(37, 100, 0);
    expect(marks).toEqual([0, 10, 20, 30, 40]);
    expect([at(0), at(20), at(40)]).toEqual([100, 50, 0]);
  });

  it('one of powers of ten has room for 0', () => {
    const { at, marks } = logScale([0, 10, 9500], 0, 300);
    expect(marks).toEqual([10, 100, 1000, 10_000]);
    expect([at(0), at(10), at(100), at(10_000)]).toEqual([0, 0, 100, 300]);
  });
});

describe('plots', () => {
  const curve = (x: number): Row =>
    row([CPU], { id: `c-${x}`, curve: { id: 'c', title: 'Connections & more', axis: 'open', x } });
  const results = [
    result({ portico: entry(10), nginx: entry(20) }, curve(10)),
    result({ portico: entry(30), nginx: { void: 'x' } }, curve(1000)),
  ];
  const plots = plotsOf(results, [contender('portico'), contender('nginx')]);

  it('have the medians, without what is void', () => {
    expect(plots).toHaveLength(1);
    expect(plots[0]?.plot.series.map(({ id, points }) => [id, points])).toEqual([
      [
        'portico',
        [
          { x: 10, y: 10 },
          { x: 1000, y: 30 },
        ],
      ],
      ['nginx', [{ x: 10, y: 20 }]],
    ]);
  });

  it('are well-formed SVG with a line and dots per contender', () => {
    const svg = svgPlot(plots[0]!.plot);
    expect(svg).toContain('Connections &amp; more');
    expect(svg.match(/<circle/g)).toHaveLength(3);
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
    expect(svg.match(/<text/g)?.length).toBe(svg.match(/<\/text>/g)?.length);
  });

  it('of nothing are refused', () => {
    expect(() => svgPlot({ title: 't', axis: 'a', unit: 'u', series: [], logarithmic: false })).toThrow(
      /nothing to draw/,
    );
  });

  it('escape and shorten', () => {
    expect(escapeXml('<a & "b">')).toBe('&lt;a &amp; &quot;b&quot;&gt;');
    expect([1, 9999, 10_000, 1_000_000].map(shortNumber)).toEqual(['1', '9999', '10k', '1M']);
  });
});
