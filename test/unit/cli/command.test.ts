import { describe, expect, it } from 'vitest';
import { CONFIG_FLAG, helpLines, JSON_FLAG, parseFlags } from '../../../src/cli/command.ts';

const flags = { config: CONFIG_FLAG, json: JSON_FLAG };

describe('parseFlags', () => {
  it('reads switches and values', () => {
    expect(parseFlags(['--json', '--config', 'a.yaml'], flags)).toEqual({
      ok: true,
      flags: { json: true, config: 'a.yaml' },
      operands: [],
    });
    expect(parseFlags(['--config=a.yaml', '-h'], flags)).toMatchObject({
      ok: true,
      flags: { help: true, config: 'a.yaml' },
    });
  });

  it('reads the operands that are named, wherever they stand', () => {
    expect(parseFlags(['a', '--json', 'b'], flags, ['X', 'Y'])).toEqual({
      ok: true,
      flags: { json: true },
      operands: ['a', 'b'],
    });
    expect(parseFlags(['a'], flags, ['X', 'Y'])).toEqual({ ok: false, message: 'missing argument: Y' });
    expect(parseFlags(['a', 'b', 'c'], flags, ['X', 'Y'])).toEqual({ ok: false, message: 'unexpected argument: c' });
    expect(parseFlags(['--help'], flags, ['X'])).toMatchObject({ ok: true, flags: { help: true } });
  });

  it.for([
    [['--jsn'], 'unknown option: --jsn; did you mean --json?'],
    [['--confg', 'a.yaml'], 'unknown option: --confg; did you mean --config?'],
    [['--zzzzzzzz'], 'unknown option: --zzzzzzzz'],
    [['-x'], 'unknown option: -x'],
    [['a.yaml'], 'unexpected argument: a.yaml'],
    [['--config'], /--config.*argument missing/],
    [['--json=yes'], /--json.*does not take an argument/],
  ] as const)('refuses %j', ([args, message]) => {
    const parsed = parseFlags([...args], flags);
    expect(parsed).toEqual({
      ok: false,
      message: typeof message === 'string' ? message : expect.stringMatching(message),
    });
  });
});

describe('helpLines', () => {
  it('lists every flag, --help last', () => {
    const lines = helpLines(flags);
    expect(lines.map((line) => line.trim().split(/\s/)[0])).toEqual(['--config', '--json', '--help']);
    expect(lines[0]).toContain('--config PATH');
  });
});
