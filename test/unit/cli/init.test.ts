import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkCommand } from '../../../src/cli/check.ts';
import { createInitCommand } from '../../../src/cli/init.ts';
import { planCommand } from '../../../src/cli/plan.ts';
import { loadConfig } from '../../../src/config/index.ts';
import { recordingTerminal } from './recording-terminal.ts';

let directory: string;
let output: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'portico-init-'));
  output = join(directory, 'portico.yaml');
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

type Flags = Record<string, string | boolean>;

/** @param lines - what a person types; null: there is nobody */
async function init(flags: Flags, lines: readonly string[] | null = null) {
  const input = Object.assign(new PassThrough(), { isTTY: lines !== null });
  const screen = new PassThrough();
  screen.resume();
  if (lines !== null) input.end(lines.map((line) => `${line}\n`).join(''));
  const terminal = recordingTerminal();
  const command = createInitCommand(() => ({ input, output: screen }));
  const code = await command.run({ output, offline: true, ...flags }, terminal, []);
  return { code, out: terminal.outLines.join('\n'), err: terminal.errLines.join('\n') };
}

const NAME = { 'server-name': 'example.com' };
const ACME = { 'agree-to-terms': true, email: 'admin@example.com' };

const FORMS: Flags[] = [
  { ...NAME, delegation: 'none' },
  { 'server-name': '203.0.113.5' },
  { 'server-name': '[2001:db8::1]:8449' },
  { 'server-name': 'example.com:8449' },
  ...['here', 'elsewhere'].flatMap((where) => [
    { ...NAME, delegation: 'well-known', 'base-domain': where },
    { ...NAME, delegation: 'well-known', 'base-domain': where, 'delegated-name': 'hs.example.com' },
    { ...NAME, delegation: 'srv', 'base-domain': where },
    { ...NAME, delegation: 'srv', 'base-domain': where, host: 'hs.example.com' },
  ]),
];
const HOMESERVERS: Flags[] = [
  {},
  { homeserver: 'https://hs.internal:8008', kind: 'synapse' },
  { homeserver: 'unix:/run/dendrite.sock', kind: 'dendrite' },
];
const CHALLENGES: Flags[] = [
  { challenge: 'http-01' },
  { challenge: 'dns-persist-01' },
  { challenge: 'dns-01', 'dns-records': '/usr/local/bin/records' },
  { challenge: 'dns-01', 'dns-records': 'https://dns.example.com/acme' },
];
const COMBINATIONS = FORMS.flatMap((form) =>
  HOMESERVERS.flatMap((homeserver): Flags[] => {
    const both = { ...form, ...homeserver };
    const proven = form.delegation === 'srv' && form['base-domain'] === 'elsewhere' ? CHALLENGES : [{}];
    return [{ ...both, certificates: 'local-ca' }, ...proven.map((challenge) => ({ ...both, ...ACME, ...challenge }))];
  }),
);

describe('portico init', () => {
  it.for(COMBINATIONS.map((flags) => [JSON.stringify(flags), flags] as const))(
    'check and plan are clean after %s',
    async ([, flags]) => {
      const made = await init({ yes: true, ...flags });
      expect([made.code, made.err]).toEqual([0, '']);
      const terminal = recordingTerminal();
      expect(await checkCommand.run({ config: output, json: true }, terminal, [])).toBe(0);
      expect(JSON.parse(terminal.outLines.join('\n'))).toEqual({ ok: true, problems: [] });
      const planned = recordingTerminal();
      expect(await planCommand.run({ config: output, json: true, offline: true }, planned, [])).toBe(0);
      const plan = JSON.parse(planned.outLines.join('\n'));
      expect(plan.warnings).toEqual([]);
      for (const { names } of plan.sites)
        for (const { challenges } of names) expect(challenges?.impossible ?? []).toEqual([]);
      for (const { listener, direction } of plan.ports)
        if (direction === 'in' && flags['server-name'] === 'example.com') expect(listener).not.toBeNull();
    },
  );

  it('writes what was said, for its owner alone', async () => {
    const { code, out } = await init({
      yes: true,
      ...NAME,
      ...ACME,
      delegation: 'srv',
      'base-domain': 'elsewhere',
      kind: 'synapse',
    });
    expect(code).toBe(0);
    expect((await stat(output)).mode & 0o777).toBe(0o600);
    expect(out).toContain(`✓ ${output}\n\nNames and their certificates`);
    const loaded = await loadConfig({ path: output, env: {} });
    if (!loaded.ok) throw new Error('not clean');
    expect(loaded.config.sites[0]).toMatchObject({
      server_name: { text: 'example.com' },
      homeserver: { kind: 'synapse' },
      delegation: 'srv',
      base_domain: 'elsewhere',
      hosts: ['matrix.example.com'],
    });
    expect(loaded.config.acme).toMatchObject({
      agree_to_terms: true,
      email: 'admin@example.com',
      challenges: ['http-01'],
    });
  });

  it('asks a person, repeats what was not understood, and takes proposals for empty lines', async () => {
    const lines = [
      '',
      'Example.com',
      'example.com',
      '',
      'conduit',
      'other',
      'well-known',
      '',
      'elsewhere',
      '',
      'yes',
      '',
    ];
    const { code, out, err } = await init({}, lines);
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain('Write example.com');
    expect(out).toContain('kind cannot be "conduit". Take one of auto, synapse, dendrite, other.');
    expect(await readFile(output, 'utf8')).toContain('delegated_name: "matrix.example.com:443"');
  });

  it('an end in the middle of the questions writes nothing', async () => {
    const { code, err } = await init({}, ['example.com']);
    expect([code, err]).toEqual([2, expect.stringContaining('ended before the questions')]);
    await expect(stat(output)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('leaves a file alone unless it is told otherwise, and then gives it the right mode', async () => {
    await writeFile(output, 'mine', { mode: 0o644 });
    const flags = { yes: true, ...NAME, certificates: 'local-ca' };
    const refused = await init(flags);
    expect([refused.code, await readFile(output, 'utf8')]).toEqual([2, 'mine']);
    expect(refused.err).toContain('--force');
    expect((await init({ ...flags, force: true })).code).toBe(0);
    expect((await stat(output)).mode & 0o777).toBe(0o600);
  });

  it.for<[string, Flags, number, RegExp]>([
    ['without a terminal: all that is missing at once', {}, 2, /--server-name, --homeserver, --agree-to-terms\./],
    ['without a terminal: the form of delegation', NAME, 2, /: --homeserver, --delegation, --agree-to-terms\./],
    ['--yes: what has no proposal', { yes: true }, 2, /missing: --server-name, --agree-to-terms\./],
    [
      'a flag for another form',
      { yes: true, ...NAME, ...ACME, delegation: 'none', host: 'a.example.com' },
      2,
      /--host does not fit/,
    ],
    ['a word that is none', { yes: true, ...NAME, delegation: 'dns' }, 2, /delegation cannot be "dns"/],
    ['an address that is none', { yes: true, ...NAME, ...ACME, homeserver: 'localhost' }, 1, /CONFIG_UPSTREAM_URL/],
    [
      'a directory that is not there',
      { yes: true, ...NAME, ...ACME, output: '/does/not/exist/p.yaml' },
      2,
      /cannot be written: ENOENT/,
    ],
  ])('refuses %s', async ([, flags, wanted, why]) => {
    const { code, err } = await init(flags);
    expect(code).toBe(wanted);
    expect(err).toMatch(why);
    await expect(stat(output)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('lines that no person sees are not read', async () => {
    const input = new PassThrough();
    const command = createInitCommand(() => ({ input, output: new PassThrough() }));
    const code = await command.run({ output, offline: true, yes: true, ...NAME, ...ACME }, recordingTerminal(), []);
    expect([code, input.listenerCount('data')]).toEqual([0, 0]);
    input.end();
    input.resume();
    await once(input, 'end');
  });
});
