import { describe, expect, it } from 'vitest';
import { CONFIG_FLAG, helpLines, JSON_FLAG, parseFlags } from '../../../src/cli/command.ts';

const flags = { config: CONFIG_FLAG, json: JSON_FLAG };

describe('parseFlags', () => {
  it('reads switches and values', () => {
    expect(parseFlags(['--json', '--config', 'a.yaml'], flags)).toEqual({
      ok: true,
      flags: { json: true, config: 'a.yaml' },
      words: [],
    });
    expect(parseFlags(['--config=a.yaml', '-h'], flags)).toMatchObject({
      ok: true,
      flags: { help: true, config: 'a.yaml' },
    });
  });

  it('reads words wherever they stand, as many as there may be', () => {
    const words = { usage: 'X [Y]', min: 1, max: 2 };
    expect(parseFlags(['a', '--json', 'b'], flags, words)).toEqual({
      ok: true,
      flags: { json: true },
      words: ['a', 'b'],
    });
    expect(parseFlags([], flags, words)).toEqual({ ok: false, message: 'missing argument: X [Y]' });
    expect(parseFlags([''], flags, words)).toEqual({ ok: false, message: 'missing argument: X [Y]' });
    expect(parseFlags(['a', 'b', 'c'], flags, words)).toEqual({ ok: false, message: 'unexpected argument: c' });
    expect(parseFlags(['--help'], flags, words)).toMatchObject({ ok: true, flags: { help: true } });
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

describe('parseFlags with words', () => {
  const words = { usage: 'NAME', min: 1, max: 2 };

  it('takes words among the flags', () => {
    expect(parseFlags(['a.example', '--json', 'b.example'], flags, words)).toEqual({
      ok: true,
      flags: { json: true },
      words: ['a.example', 'b.example'],
    });
  });

  it.for([
    [[], 'missing argument: NAME'],
    [['a', 'b', 'c'], 'unexpected argument: c'],
  ] as const)('refuses %j', ([args, message]) => {
    expect(parseFlags([...args], flags, words)).toEqual({ ok: false, message });
  });

  it('asks for none beside --help', () => {
    expect(parseFlags(['--help'], flags, words)).toMatchObject({ ok: true, flags: { help: true } });
  });
});

describe('helpLines', () => {
  it('lists every flag, --help last', () => {
    const lines = helpLines(flags);
    expect(lines.map((line) => line.trim().split(/\s/)[0])).toEqual(['--config', '--json', '--help']);
    expect(lines[0]).toContain('--config PATH');
  });
});
