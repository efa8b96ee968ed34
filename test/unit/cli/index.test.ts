import { describe, expect, it } from 'vitest';
import { runCli } from '../../../src/cli/index.ts';
import { porticoVersion } from '../../../src/cli/version.ts';
import { recordingTerminal } from './recording-terminal.ts';

async function run(...argv: string[]) {
  const terminal = recordingTerminal();
  const code = await runCli(argv, terminal);
  return { code, out: terminal.outLines.join('\n'), err: terminal.errLines.join('\n') };
}

const COMMANDS = [
  'run',
  'demo',
  'check',
  'plan',
  'resolve',
  'doctor',
  'certs',
  'status',
  'reload',
  'drain',
  'schema',
  'health',
];

describe('runCli', () => {
  it('without a command prints the overview as an error', async () => {
    const { code, out, err } = await run();
    expect(code).toBe(2);
    expect(out).toBe('');
    for (const name of COMMANDS) expect(err).toMatch(new RegExp(`^  ${name} `, 'm'));
  });

  it.for(['help', '--help', '-h'])('%s prints the overview and is fine', async (word) => {
    const { code, out, err } = await run(word);
    expect(code).toBe(0);
    expect(err).toBe('');
    for (const name of COMMANDS) expect(out).toMatch(new RegExp(`^  ${name} `, 'm'));
  });

  it('--version prints the version alone', async () => {
    expect(await run('--version')).toEqual({ code: 0, out: porticoVersion(), err: '' });
  });

  it.for([
    ['chekc', 'portico: unknown command: chekc; did you mean check?\nTry: portico --help'],
    ['frobnicate', 'portico: unknown command: frobnicate\nTry: portico --help'],
    ['--config', 'portico: unknown command: --config\nTry: portico --help'],
    ['__proto__', 'portico: unknown command: __proto__\nTry: portico --help'],
  ] as const)('refuses %s', async ([word, err]) => {
    expect(await run(word)).toEqual({ code: 2, out: '', err });
  });

  it.for(COMMANDS)('%s --help tells its flags and does nothing else', async (name) => {
    const { code, out, err } = await run(name, '--help');
    expect(code).toBe(0);
    expect(err).toBe('');
    expect(out).toMatch(new RegExp(`^Usage: portico ${name} `));
    expect(out).toMatch(/^ {2}--help /m);
  });

  it('certs --help tells its commands; each of them its own', async () => {
    const { out } = await run('certs', '--help');
    for (const name of ['list', 'renew']) expect(out).toMatch(new RegExp(`^  ${name} `, 'm'));
    expect(await run('certs', 'renew', '--help')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^Usage: portico certs renew NAME \[options\]\n/),
    });
    expect((await run('certs', 'list', '--help')).out).toMatch(/^Usage: portico certs list /);
  });

  it.for([
    [['certs', 'lst'], 'portico certs: unknown command: lst; did you mean list?\nTry: portico certs --help'],
    [
      ['certs', '--jsn'],
      'portico certs list: unknown option: --jsn; did you mean --json?\nTry: portico certs list --help',
    ],
    [['certs', 'renew'], 'portico certs renew: missing argument: NAME\nTry: portico certs renew --help'],
    [['certs', 'renew', 'a', 'b'], 'portico certs renew: unexpected argument: b\nTry: portico certs renew --help'],
    [['certs', 'list', 'a'], 'portico certs list: unexpected argument: a\nTry: portico certs list --help'],
    [['status', 'a'], 'portico status: unexpected argument: a\nTry: portico status --help'],
  ] as const)('refuses %j', async ([argv, err]) => {
    expect(await run(...argv)).toEqual({ code: 2, out: '', err });
  });

  it('names the command whose flag is unknown', async () => {
    const { code, err } = await run('check', '--jsn');
    expect(code).toBe(2);
    expect(err).toBe('portico check: unknown option: --jsn; did you mean --json?\nTry: portico check --help');
  });

  it('schema prints a JSON Schema', async () => {
    const { code, out } = await run('schema');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ type: 'object', required: ['sites'], additionalProperties: false });
  });
});
