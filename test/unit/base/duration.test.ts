import { describe, expect, it } from 'vitest';
import { formatDuration, parseDuration } from '../../../src/base/duration.ts';

describe('parseDuration', () => {
  it.for([
    ['500ms', 500],
    ['0s', 0],
    ['30s', 30_000],
    ['5m', 300_000],
    ['12h', 43_200_000],
    ['1d', 86_400_000],
    ['007s', 7000],
  ] as const)('reads %s', ([text, milliseconds]) => {
    expect(parseDuration(text)).toBe(milliseconds);
  });

  it.for([
    '',
    '5',
    's',
    '-1s',
    '+1s',
    '1.5s',
    '1 s',
    ' 1s',
    '1s\n',
    '1S',
    '1m30s',
    '1w',
    '1e3s',
    '0x1s',
    '٣s',
    '999999999999d',
  ])('refuses %j', (text) => {
    expect(parseDuration(text)).toBeNull();
  });
});

describe('formatDuration', () => {
  it.for([
    [0, '0s'],
    [1, '1ms'],
    [1500, '1500ms'],
    [90_000, '90s'],
    [120_000, '2m'],
    [86_400_000, '1d'],
  ] as const)('writes %s', ([milliseconds, text]) => {
    expect(formatDuration(milliseconds)).toBe(text);
    expect(parseDuration(text)).toBe(milliseconds);
  });
});
