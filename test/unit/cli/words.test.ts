import { expect, it } from 'vitest';
import { daysLeft, hostPort, since } from '../../../src/cli/words.ts';

it.for([
  [0, '0 s'],
  [-5000, '0 s'],
  [59_999, '59 s'],
  [60_000, '1 min'],
  [3_600_000 + 5 * 60_000, '1 h 5 min'],
  [3 * 86_400_000 + 4 * 3_600_000, '3 d 4 h'],
] as const)('since %d ms: %s', ([ms, text]) => {
  expect(since(ms)).toBe(text);
});

it.for([
  [29.9, 'in 29 days'],
  [1, 'in 1 day'],
  [0.4, 'today'],
  [-0.4, '1 day ago'],
  [-3, '3 days ago'],
] as const)('%d days: %s', ([days, text]) => {
  expect(daysLeft(days)).toBe(text);
});

it('puts IPv6 in brackets', () => {
  expect([hostPort('192.0.2.1', 80), hostPort('::', 443)]).toEqual(['192.0.2.1:80', '[::]:443']);
});
