import { describe, expect, it } from 'vitest';
import { formatSize, parseSize } from '../../../src/base/size.ts';

describe('parseSize', () => {
  it.for([
    ['0', 0],
    ['1024', 1024],
    ['240B', 240],
    ['64KiB', 65_536],
    ['50MiB', 52_428_800],
    ['2GiB', 2_147_483_648],
    ['10MB', 10_000_000],
    ['1kB', 1000],
    ['1KB', 1000],
    ['3GB', 3_000_000_000],
  ] as const)('reads %s', ([text, bytes]) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.for([
    '',
    'MiB',
    '-1',
    '+1',
    '1.5MiB',
    '1 MiB',
    '1mib',
    '1M',
    '1K',
    '1MiB\n',
    '1e3',
    '0x10',
    'unlimited',
    '999999999999999GiB',
  ])('refuses %j', (text) => {
    expect(parseSize(text)).toBeNull();
  });
});

describe('formatSize', () => {
  it.for([
    [0, '0B'],
    [1000, '1000B'],
    [16_384, '16KiB'],
    [16_777_216, '16MiB'],
    [1_073_741_824, '1GiB'],
    [13_107_200, '12800KiB'],
  ] as const)('writes %s', ([bytes, text]) => {
    expect(formatSize(bytes)).toBe(text);
    expect(parseSize(text)).toBe(bytes);
  });
});
