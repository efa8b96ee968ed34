import { describe, expect, it } from 'vitest';
import { UsageError, parseOptions, pick } from '../../../bench/options.ts';
import { ROWS } from '../../../bench/rows/index.ts';

describe('parseOptions', () => {
  it('measures everything and writes the page when nothing is said', () => {
    expect(parseOptions([])).toEqual({
      mode: 'whole',
      rows: null,
      contenders: null,
      rounds: 5,
      seconds: 3,
      save: true,
    });
  });

  it('writes nothing when only a part is measured, unless told to', () => {
    expect(parseOptions(['--rows', 'get-h1']).save).toBe(false);
    expect(parseOptions(['--rows', 'get-h1', '--save']).save).toBe(true);
    expect(parseOptions(['--quick']).save).toBe(false);
  });

  it('takes lists and numbers', () => {
    expect(
      parseOptions(['--quick', '--rows', 'a, b', '--contenders=x', '--rounds', '7', '--seconds', '2']),
    ).toMatchObject({
      ...{ mode: 'quick', rows: ['a', 'b'], contenders: ['x'], rounds: 7, seconds: 2 },
    });
  });

  it('profiles Portico alone', () => {
    expect(parseOptions(['--profile', 'get-h1'])).toMatchObject({
      mode: 'profile',
      rows: ['get-h1'],
      contenders: ['portico'],
    });
  });

  it.for([
    [['--rounds', '0']],
    [['--seconds', '1.5']],
    [['--rows', 'a,,b']],
    [['--quick', '--check']],
    [['--quick', '--profile', 'x']],
    [['--unknown']],
    [['word']],
  ])('refuses %j', ([argv]) => {
    expect(() => parseOptions(argv!)).toThrow(UsageError);
  });
});

describe('pick', () => {
  const all = [{ id: 'a' }, { id: 'b' }, { id: 'c' }];

  it('keeps the order of what there is', () => {
    expect(pick('row', all, ['c', 'a'], ({ id }) => [id])).toEqual([{ id: 'a' }, { id: 'c' }]);
    expect(pick('row', all, null, ({ id }) => [id])).toEqual(all);
  });

  it('tells what there is when one is unknown', () => {
    expect(() => pick('row', all, ['x'], ({ id }) => [id])).toThrow('unknown row: x; there are a, b, c');
  });
});

it('no two rows have the same id, and every curve has at least two points', () => {
  expect(new Set(ROWS.map(({ id }) => id)).size).toBe(ROWS.length);
  const points = Map.groupBy(
    ROWS.flatMap(({ curve }) => curve ?? []),
    ({ id }) => id,
  );
  expect(points.size).toBe(4);
  for (const curve of points.values()) expect(curve.length).toBeGreaterThan(1);
});
