import { expect, it } from 'vitest';
import { suggest } from '../../../src/cli/suggest.ts';

it.for([
  ['chekc', 'check'],
  ['rum', 'run'],
  ['scheme', 'schema'],
  ['serve-everything', null],
  ['x', null],
] as const)('%s → %s', ([word, meant]) => {
  expect(suggest(word, ['check', 'schema', 'demo', 'run'])).toBe(meant);
});

it('has nothing to suggest from an empty list', () => {
  expect(suggest('check', [])).toBeNull();
});
